//! One commit for many commands: their rows are read together, they are judged one after the other
//! on what stands in memory, and what changed is written together.

mod held;
mod job;
mod mail;

pub(crate) use job::{Answer, Job, Reply};

use std::collections::BTreeSet;
use std::sync::Arc;

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Decided, Decision, Found, Judged, Opening, StoreError,
    StoredSession, Subject, Vault, admit, decide,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction};

use crate::engine::Engine;
use crate::error::{is_undone, unavailable};
use crate::storage::{end, undo};
use held::HeldRows;
use mail::{mail_after, settle};

/// What a batch needs.
pub(crate) struct Batches {
    pub(crate) engine: Engine,
    pub(crate) writer: DatabaseConnection,
    pub(crate) vault: Arc<dyn Vault>,
}

/// Why none of the jobs of a batch was done.
pub(crate) enum Failure {
    /// Nothing is written. One of the jobs may be to blame, and the others not.
    Undone(StoreError),
    /// There was no transaction, or what became of its commit is unknown: no job is to blame.
    Broken(StoreError),
}

impl Failure {
    /// Of a transaction that did not begin, or did not end.
    fn of(error: StoreError) -> Self {
        if is_undone(&error) {
            Self::Undone(error)
        } else {
            Self::Broken(error)
        }
    }
}

/// What a batch says first where rows are locked one by one: a row that somebody holds is waited for
/// by those who ask for it, each alone, and not by all.
const LOCK_TOGETHER: &str = "SET LOCAL lock_timeout = 300";

impl Batches {
    /// Carries these jobs out in one transaction, each on what those before it made of the rows, and
    /// commits it. The answers are drafted, and may be handed out where there is no failure.
    pub(crate) async fn commit(&self, jobs: &mut [Job]) -> Result<(), Failure> {
        let transaction = self.engine.begin(&self.writer).await;
        let transaction = transaction.map_err(Failure::of)?;
        match self.carry_out(&transaction, jobs).await {
            Ok(true) => end(transaction).await.map_err(Failure::of),
            Ok(false) => {
                undo(transaction).await;
                Ok(())
            }
            Err(error) => {
                undo(transaction).await;
                Err(Failure::Undone(error))
            }
        }
    }

    /// Says whether there is anything to commit.
    async fn carry_out(
        &self,
        transaction: &DatabaseTransaction,
        jobs: &mut [Job],
    ) -> Result<bool, StoreError> {
        if self.engine.locks_rows() && jobs.len() > 1 {
            let locks = transaction.execute_unprepared(LOCK_TOGETHER).await;
            locks.map_err(unavailable)?;
        }
        let (mut held, subjects) = HeldRows::load(self.engine, transaction, jobs).await?;
        for (job, subjects) in jobs.iter_mut().zip(&subjects) {
            match job {
                Job::Open(opening, reply) => reply.draft(self.open(&mut held, opening, subjects)),
                Job::Apply(id, command, reply) => {
                    reply.draft(self.apply(&mut held, id, command, subjects));
                }
                Job::Settle(id, token, settlement, reply) => {
                    reply.draft(Ok(settle(&mut held, id, *token, settlement)));
                }
            }
        }
        held.save(self.engine, transaction).await
    }

    fn open(
        &self,
        held: &mut HeldRows,
        opening: &Opening,
        subjects: &BTreeSet<Subject>,
    ) -> Result<Admitted, StoreError> {
        let kept = held.kept(opening.once)?;
        let mut ledger = held.ledger(subjects);
        let admitted = admit(opening, kept.as_ref(), &mut ledger, &*self.vault)?;
        if let Admitted::Open(_) = &admitted {
            let answer = opening.kept(&*self.vault)?;
            held.open(&StoredSession::from(opening.clone()));
            held.count(ledger);
            held.keep(answer.as_ref());
        }
        Ok(admitted)
    }

    fn apply(
        &self,
        held: &mut HeldRows,
        id: &SessionId,
        command: &Command,
        subjects: &BTreeSet<Subject>,
    ) -> Result<Applied, StoreError> {
        let found = Found {
            stored: held.stored(&command.owner, id)?,
            kept: held.kept(command.once)?,
            ledger: held.ledger(subjects),
        };
        Ok(match decide(found, command, &*self.vault)? {
            Decided::Replayed(replayed) => Applied::Replayed(replayed),
            Decided::Limited(limited) => Applied::Limited(limited),
            Decided::KeyReused {
                ledger,
                counted,
                kept,
            } => {
                held.count(ledger);
                held.keep(kept.as_ref());
                Applied::KeyReused(counted)
            }
            Decided::NotFound {
                ledger,
                counted,
                kept,
            } => {
                held.count(ledger);
                held.keep(kept.as_ref());
                Applied::NotFound(counted)
            }
            Decided::Judged(decision) => {
                Applied::Judged(Box::new(judged(held, *decision, command.at)))
            }
        })
    }
}

/// Writes a decision down, and gives the session as it is stored then.
fn judged(held: &mut HeldRows, decision: Decision, at: Timestamp) -> Judged {
    let last = held.mail(decision.session.id());
    let mail = last.and_then(|last| mail_after(last, &decision, at));
    let is_changed = decision.session != decision.before.session;
    let Decision {
        before,
        session,
        outcome,
        mail: _,
        ledger,
        counted,
        used_up_failures,
        kept,
    } = decision;
    let mut stored = StoredSession { session, ..before };
    stored.erase_if_ended();
    if is_changed {
        held.put_session(&stored);
    }
    if let Some((delivery, row)) = mail {
        stored.delivery = delivery;
        held.put_mail(row);
    }
    held.count(ledger);
    held.keep(kept.as_ref());
    Judged {
        stored,
        outcome,
        counted,
        used_up_failures,
    }
}
