//! What is asked through a connection that fails is asked of a storage in memory too: before and after, both
//! look alike; where nobody was told, the one looks as the other did before or does after.

use std::collections::BTreeSet;

use otpost_domain::{SessionId, Verdict};
use otpost_ports::{
    Admitted, Applied, Command, Context, Counters, Opening, Outcome, Quotas, RecipientDigest,
    SessionStore, StoreError, StoredSession, Subject,
};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use otpost_testkit::{FakeVault, MemoryStore};

use super::super::opening;
use super::wire::{Fault, Wire};
use crate::counted::counted;
use crate::support::{Place, find, value};

/// No limit is met, and each has its trace of every charge.
const QUOTA: u32 = 10_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Opening,
    RightCode,
    WrongCode,
    AnotherMail,
}

#[derive(Clone, Debug)]
enum Request {
    Open(Box<Opening>),
    To(SessionId, Box<Command>),
}

#[derive(Clone, Debug)]
enum Answer {
    Opened(Admitted),
    Applied(Applied),
}

impl Answer {
    fn is_success(&self) -> bool {
        let verified = Outcome::Submitted(Verdict::Verified);
        matches!(self, Self::Applied(Applied::Judged(judged)) if judged.outcome == verified)
    }

    /// Without what is left of the limits.
    fn uncounted(mut self) -> Self {
        match &mut self {
            Self::Opened(Admitted::Open(counted)) => counted.clear(),
            Self::Applied(Applied::Judged(judged)) => judged.counted.clear(),
            Self::Opened(_) | Self::Applied(_) => {}
        }
        self
    }
}

async fn ask(store: &dyn SessionStore, request: &Request) -> Result<Answer, StoreError> {
    Ok(match request.clone() {
        Request::Open(opening) => Answer::Opened(store.open(*opening).await?),
        Request::To(id, command) => Answer::Applied(store.apply(&id, *command).await?),
    })
}

/// A request, how its caller repeats it, and whom both concern.
struct Case {
    asked: Asked,
    request: Request,
    again: Request,
    sessions: Vec<SessionId>,
    recipient: RecipientDigest,
}

/// What a port shows of sessions and of what is counted.
type Look = (Vec<Option<StoredSession>>, Vec<Counters>);

async fn look(store: &dyn SessionStore, case: &Case, subjects: &BTreeSet<Subject>) -> Look {
    let mut sessions = Vec::new();
    for id in &case.sessions {
        sessions.push(store.find(&sample::owner(), id).await.unwrap());
    }
    let ledger = store.ledger(subjects).await.unwrap();
    let counters = subjects.iter().map(|subject| ledger.counters(subject));
    (sessions, counters.collect())
}

impl Case {
    /// Everybody who is charged, others' requests included.
    fn everybody(&self) -> BTreeSet<Subject> {
        mails().subjects(&sample::owner(), Some(&self.recipient))
    }

    /// Who is charged for this request alone.
    fn recipients(&self) -> BTreeSet<Subject> {
        let project = sample::owner().project;
        [
            Subject::recipient(&self.recipient),
            Subject::recipient_of(&project, &self.recipient),
        ]
        .into()
    }
}

/// What a failed call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It did not come: the command has fewer calls.
    Never,
    /// The command was carried out all the same.
    Told,
    /// Nobody was told, and nothing is committed.
    Nothing,
    /// Nobody was told, and all is committed.
    All,
}

/// A storage on a server, one in memory that is asked the same, and a way to the server that breaks.
pub(super) struct Trial {
    place: Place,
    /// Whose connections do not fail.
    direct: Storage,
    model: MemoryStore,
    wire: Wire,
    /// The number of the last session.
    number: u16,
}

impl Trial {
    pub(super) async fn new() -> Option<Self> {
        let place = Place::server().await?;
        let direct = place.storage().await;
        Some(Self {
            model: MemoryStore::new(place.vault.clone()),
            wire: Wire::to(&place),
            direct,
            place,
            number: 0,
        })
    }

    fn vault(&self) -> &FakeVault {
        &self.place.vault
    }

    /// A session of a recipient of its own.
    fn opening(&mut self, recipient: u16) -> Opening {
        self.number += 1;
        let opening = opening(&self.place, self.number);
        let mut digest = [0x5a; 32];
        digest[..2].copy_from_slice(&recipient.to_be_bytes());
        Opening {
            context: Context {
                recipient: RecipientDigest(digest),
                ..opening.context
            },
            quotas: Some(mails()),
            ..opening
        }
    }

    /// Asks both, undisturbed.
    async fn ask_both(&self, request: &Request) -> Answer {
        let expected = ask(&self.model, request).await.unwrap();
        let answer = ask(&self.direct, request).await.unwrap();
        assert_alike(&answer, &expected);
        answer
    }

    async fn look_at_both(&self, case: &Case) -> Look {
        let everybody = case.everybody();
        let here = look(&self.direct, case, &everybody).await;
        let expected = look(&self.model, case, &everybody).await;
        assert_eq!(here, expected);
        here
    }

    async fn case(&mut self, asked: Asked, has_key: bool) -> Case {
        let recipient = self.number;
        let first = self.opening(recipient);
        let until = NOON.plus_secs(86_400);
        let once = sample::once(self.vault(), &self.number.to_string(), "body", until);
        let once = has_key.then_some(once);
        let (id, at) = (*first.session.id(), first.at);
        let mut sessions = vec![id];
        let digest = first.context.recipient;
        let right = sample::code(self.vault(), &first, 0);
        let of_session = |command: Command, quotas: &Quotas| {
            let command = counted(command, quotas);
            Request::To(id, Box::new(Command { once, ..command }))
        };
        let opened = Request::Open(Box::new(first.clone()));
        let [request, again] = match asked {
            Asked::Opening => {
                let first = Opening { once, ..first };
                // Whoever asks again is given another session.
                let second = Opening {
                    once,
                    ..self.opening(recipient)
                };
                sessions.push(*second.session.id());
                [first, second].map(|opening| Request::Open(Box::new(opening)))
            }
            Asked::RightCode => {
                let right = of_session(sample::submit(&right, at), &guesses());
                [right.clone(), right]
            }
            Asked::WrongCode => {
                let wrong = sample::submit(&sample::wrong(&right), at);
                let wrong = of_session(wrong, &guesses());
                [wrong.clone(), wrong]
            }
            Asked::AnotherMail => {
                let later = at.plus_secs(2);
                [1, 2].map(|mail| of_session(sample::resend(mail, later), &mails()))
            }
        };
        if asked != Asked::Opening {
            self.ask_both(&opened).await;
        }
        Case {
            asked,
            request,
            again,
            sessions,
            recipient: digest,
        }
    }

    /// Asks for all of this at once through a new node, whose `nth` call fails, and then as callers do
    /// who were not told.
    pub(super) async fn fail(
        &mut self,
        asked: &[Asked],
        has_key: bool,
        nth: u32,
        fault: Fault,
    ) -> Vec<Came> {
        let mut cases = Vec::new();
        for asked in asked {
            cases.push(self.case(*asked, has_key).await);
        }
        let node = self.place.connect_with(self.wire.settings.clone()).await;

        self.wire.plan(nth, fault).await;
        let callers = cases.iter().map(|case| {
            let (node, request) = (node.clone(), case.request.clone());
            tokio::spawn(async move { ask(&node, &request).await })
        });
        let callers: Vec<_> = callers.collect();
        let mut answers = Vec::new();
        for caller in callers {
            answers.push(caller.await.unwrap());
        }
        let fault = self.wire.heal().then_some(fault);

        let mut told = Vec::new();
        for (case, answer) in cases.iter().zip(answers) {
            // Where each is tried alone they come in any order, and count for one project.
            let shown = if cases.len() == 1 {
                Shown::All
            } else {
                Shown::Uncounted
            };
            told.push(self.judge(case, answer, fault, shown).await);
        }
        for (case, (came, successes)) in cases.iter().zip(&told) {
            let again = match came {
                Came::Nothing => Some(&case.request),
                Came::All => Some(&case.again),
                Came::Told | Came::Never => has_key.then_some(&case.again),
            };
            let mut successes = *successes;
            if let Some(again) = again {
                let expected = ask(&self.model, again).await.unwrap();
                let answer = ask(&node, again).await.unwrap();
                assert_alike(&answer, &expected);
                successes += u32::from(answer.is_success());
            }
            let unseen = u32::from(*came == Came::All && case.asked == Asked::RightCode);
            let [sessions, verified] = self.verify_all(case).await;
            assert_eq!(successes + unseen + verified, sessions, "one each");
        }
        node.close().await;
        told.into_iter().map(|(came, _)| came).collect()
    }

    /// What came of a request, and how many successes were told. What is committed is done in memory
    /// too.
    async fn judge(
        &self,
        case: &Case,
        answer: Result<Answer, StoreError>,
        fault: Option<Fault>,
        shown: Shown,
    ) -> (Came, u32) {
        let recipients = case.recipients();
        let tables = self.model.edit(|tables| tables.clone());
        let before = look(&self.model, case, &recipients).await;
        let expected = ask(&self.model, &case.request).await.unwrap();
        let after = look(&self.model, case, &recipients).await;
        assert_ne!(before, after, "something is asked for");
        let now = look(&self.direct, case, &recipients).await;
        match (answer, fault) {
            (Ok(answer), _) => {
                match shown {
                    Shown::All => assert_alike(&answer, &expected),
                    Shown::Uncounted => {
                        assert_alike(&answer.clone().uncounted(), &expected.uncounted());
                    }
                }
                assert_eq!(now, after, "what was told is committed");
                let end = fault.map_or(Came::Never, |_| Came::Told);
                (end, u32::from(answer.is_success()))
            }
            (Err(StoreError::Unavailable(_)), Some(_)) if now == before => {
                self.model.edit(|kept| *kept = tables);
                (Came::Nothing, 0)
            }
            (Err(StoreError::Unavailable(_)), Some(fault)) => {
                assert_eq!(now, after, "nothing is left in parts");
                assert_eq!(fault, Fault::Unanswered, "the server was told to commit");
                (Came::All, 0)
            }
            (Err(other), _) => panic!("{fault:?}: {other:?}"),
        }
    }

    /// Submits the code in force to every session that there is, and says how many those are and how
    /// many succeed.
    async fn verify_all(&self, case: &Case) -> [u32; 2] {
        let (found, _) = self.look_at_both(case).await;
        let [mut sessions, mut verified] = [0; 2];
        for stored in found.into_iter().flatten() {
            sessions += 1;
            let Some(pending) = stored.session.pending() else {
                continue;
            };
            let right = stored.code(pending.generation(), self.vault()).unwrap();
            let right = sample::submit(&right, stored.session.opened_at().plus_secs(3));
            let id = *stored.session.id();
            let right = Request::To(id, Box::new(counted(right, &guesses())));
            verified += u32::from(self.ask_both(&right).await.is_success());
        }
        [sessions, verified]
    }

    /// In the end there are no other sessions and mails than those in memory.
    pub(super) async fn assert_whole(&self) {
        let expected = self.model.sessions();
        for stored in &expected {
            assert_eq!(find(&self.direct, stored.session.id()).await, *stored);
        }
        let other = self.place.other().await;
        let rows = "SELECT COUNT(*) FROM sessions FULL JOIN deliveries ON id = session_id";
        let rows: i64 = value(&other, rows).await;
        assert_eq!(usize::try_from(rows).unwrap(), expected.len());
    }
}

fn mails() -> Quotas {
    sample::mail_quotas(&[
        ("project_sends_per_minute", QUOTA),
        ("client_ip_per_day", QUOTA),
        ("recipient_per_hour", QUOTA),
        ("project_failures_per_day", QUOTA),
    ])
}

fn guesses() -> Quotas {
    sample::verify_quotas(&[
        ("project_verifies_per_minute", QUOTA),
        ("project_failures_per_day", QUOTA),
    ])
}

/// How much of an answer is to be as expected.
#[derive(Clone, Copy)]
enum Shown {
    All,
    /// All but what is left of the limits.
    Uncounted,
}

#[track_caller]
fn assert_alike(answer: &Answer, expected: &Answer) {
    match (answer, expected) {
        (Answer::Opened(answer), Answer::Opened(expected)) => assert_eq!(answer, expected),
        // They cannot be compared, and show all that there is of them.
        _ => assert_eq!(format!("{answer:?}"), format!("{expected:?}")),
    }
}
