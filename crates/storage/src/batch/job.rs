//! What waits for a commit: a command, and where its answer goes.

use std::collections::BTreeSet;

use otpost_domain::SessionId;
use otpost_ports::{
    Action, Admitted, Applied, Claim, Command, LeaseToken, Opening, Settlement, StoreError,
    StoredSession,
};
use tokio::sync::oneshot;

/// A command of any kind, with the caller who waits for its answer.
pub(crate) enum Job {
    /// A session to open.
    Open(Box<Opening>, Reply<Admitted>),
    /// A command to a session.
    Apply(SessionId, Box<Command>, Reply<Applied>),
    /// What became of a mail that was leased.
    Settle(SessionId, LeaseToken, Settlement, Reply<bool>),
    /// Mails to hand out.
    Claim(Claim, Reply<Vec<StoredSession>>),
}

impl Job {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::Open(_, reply) => reply.to.is_closed(),
            Self::Apply(.., reply) => reply.to.is_closed(),
            Self::Settle(.., reply) => reply.to.is_closed(),
            Self::Claim(_, reply) => reply.to.is_closed(),
        }
    }

    /// Hands the answer out: what it says is committed, or nothing changed.
    pub(crate) fn answer(self) {
        match self {
            Self::Open(_, reply) => reply.send(),
            Self::Apply(.., reply) => reply.send(),
            Self::Settle(.., reply) => reply.send(),
            Self::Claim(_, reply) => reply.send(),
        }
    }

    /// Hands an error out instead of an answer.
    pub(crate) fn fail(self, error: StoreError) {
        match self {
            Self::Open(_, reply) => reply.fail(error),
            Self::Apply(.., reply) => reply.fail(error),
            Self::Settle(.., reply) => reply.fail(error),
            Self::Claim(_, reply) => reply.fail(error),
        }
    }
}

/// The keys of the rows that jobs name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) sessions: BTreeSet<Vec<u8>>,
    /// Mails that change, or whose sessions are not named.
    pub(super) mails: BTreeSet<Vec<u8>>,
    pub(super) answers: BTreeSet<Vec<u8>>,
}

impl Names {
    pub(super) fn of(jobs: &[Job]) -> Self {
        let mut names = Self::default();
        for job in jobs {
            let once = match job {
                Job::Open(opening, _) => opening.once,
                Job::Apply(id, command, _) => {
                    names.sessions.insert(id.as_bytes().to_vec());
                    if let Action::Resend(_) = command.action {
                        names.mails.insert(id.as_bytes().to_vec());
                    }
                    command.once
                }
                Job::Settle(id, ..) => {
                    names.mails.insert(id.as_bytes().to_vec());
                    None
                }
                Job::Claim(..) => None,
            };
            names.answers.extend(once.map(|once| once.key.0.to_vec()));
        }
        names
    }
}

/// Where an answer goes, and the answer until it may go.
pub(crate) struct Reply<T> {
    to: oneshot::Sender<Result<T, StoreError>>,
    draft: Option<Result<T, StoreError>>,
}

/// Where an answer comes out.
pub(crate) type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

impl<T> Reply<T> {
    pub(crate) fn new() -> (Self, Answer<T>) {
        let (to, answer) = oneshot::channel();
        (Self { to, draft: None }, answer)
    }

    /// Keeps the answer until what it says is committed, in place of one whose commit failed.
    pub(super) fn draft(&mut self, answer: Result<T, StoreError>) {
        self.draft = Some(answer);
    }

    /// Without an answer the caller learns that nobody gave one. It may have gone meanwhile.
    fn send(self) {
        if let Some(answer) = self.draft {
            let _gone = self.to.send(answer);
        }
    }

    fn fail(self, error: StoreError) {
        let _gone = self.to.send(Err(error));
    }
}
