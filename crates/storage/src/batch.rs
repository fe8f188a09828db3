//! One commit for many commands: their rows are read together, they are judged one after the other
//! on what stands in memory, and what changed is written together.

mod held;
mod job;
mod mail;

pub(crate) use job::{Answer, Job, Reply};

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Decided, Decision, Found, Judged, Opening, StoreError,
    StoredSession, Subject, Vault, admit, decide,
};
use rusqlite::Transaction;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::connect::writer::FileWriter;
use crate::engine::{Patience, begin_on_server};
use crate::error::{Overtaken, TooSlow, is_in_use, is_undone, unavailable, without_connection};
use crate::storage::{end, undo};
use crate::tables::Tables;
use crate::tables::file::{FileTables, at_once};
use held::HeldRows;
use job::Names;
use mail::{mail_after, settle};

/// Carries out batches, and has what that needs.
pub(crate) struct Batches {
    place: Place,
    vault: Arc<dyn Vault>,
    /// With the last batch from its first lock on what sessions share until its commit has ended:
    /// the next would wait for those locks, and give up.
    last: Semaphore,
}

/// Where batches are committed.
#[derive(Clone)]
pub(crate) enum Place {
    File(Arc<FileWriter>),
    Server {
        connections: DatabaseConnection,
        has_pooler: bool,
    },
}

/// The turn of a batch: the next is not taken as long as this one has more to do than to wait for its
/// commit. It would only wait for rows, and be smaller than it could be.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Why none of the jobs of a batch was done.
pub(crate) enum Failure {
    /// Nothing is written. One of the jobs may be to blame, and the others not.
    Undone(StoreError),
    /// There was no transaction, or what became of its commit is unknown: no job is to blame.
    Broken(StoreError),
}

impl Failure {
    /// What happened.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Undone(error) | Self::Broken(error) => error,
        }
    }

    /// Of a transaction that did not begin, or did not end.
    pub(crate) fn of(error: StoreError) -> Self {
        if is_undone(&error) {
            Self::Undone(error)
        } else {
            Self::Broken(error)
        }
    }
}

impl Batches {
    pub(crate) fn new(place: Place, vault: Arc<dyn Vault>) -> Self {
        Self {
            place,
            vault,
            last: Semaphore::new(1),
        }
    }

    /// Carries these jobs out in one transaction, each on what those before it made of the rows, and
    /// commits it by `until`. The answers are drafted, and may be handed out where there is no
    /// failure.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        mut jobs: Vec<Job>,
        until: Instant,
        turn: &mut Option<Turn>,
        patience: Patience,
    ) -> (Vec<Job>, Result<(), Failure>) {
        match &self.place {
            Place::File(writer) => {
                let batches = Arc::clone(self);
                let work = move |transaction: &Transaction<'_>, jobs: &mut Vec<Job>| {
                    let tables = FileTables(transaction);
                    let carried_out = batches.carry_out(&tables, jobs, ready(()));
                    at_once(carried_out).map(|(is_any, ())| is_any)
                };
                writer.transaction(jobs, until, work).await
            }
            Place::Server {
                connections,
                has_pooler,
            } => {
                let begun = begin_on_server(connections, *has_pooler, patience);
                let committed = self.commit_to_server(begun, &mut jobs, turn);
                let committed = timeout_at(until, committed).await;
                let too_slow = |_| Err(Failure::Broken(unavailable(TooSlow)));
                (jobs, committed.unwrap_or_else(too_slow))
            }
        }
    }

    async fn commit_to_server(
        &self,
        begun: impl Future<Output = Result<DatabaseTransaction, DbErr>>,
        jobs: &mut [Job],
        turn: &mut Option<Turn>,
    ) -> Result<(), Failure> {
        // One that is tried again after its turn begins after the last, for that may wait for it with
        // rows in hand. A command that is tried alone may wait for somebody else's lock, and nobody
        // waits for it.
        let is_next = turn.is_some();
        let is_alone = jobs.len() == 1;
        let after_last = if is_next || is_alone {
            None
        } else {
            self.last.acquire().await.ok()
        };
        let is_early = is_next && self.last.available_permits() == 0;
        let after_last = async {
            if is_next {
                self.last.acquire().await.ok()
            } else {
                after_last
            }
        };

        let transaction = begun.await.map_err(|error| {
            let error = unavailable(without_connection(error));
            Failure::of(error)
        })?;
        let carried_out = self.carry_out(&transaction, jobs, after_last);
        match carried_out.await {
            Ok((true, last)) => {
                // While this one is brought to the disk, the next can read.
                *turn = None;
                let ended = end(transaction).await.map_err(Failure::of);
                drop(last);
                ended
            }
            Ok((false, _)) => {
                undo(transaction).await;
                Ok(())
            }
            Err(error) => {
                undo(transaction).await;
                // It may have been the last batch that held the rows.
                let is_overtaken = is_early && is_in_use(&error);
                Err(Failure::Undone(if is_overtaken {
                    unavailable(Overtaken)
                } else {
                    error
                }))
            }
        }
    }

    /// Says whether there is anything to commit. What sessions share is only read once `after_last`
    /// has ended, whose value is handed on.
    async fn carry_out<L>(
        &self,
        tables: &impl Tables,
        jobs: &mut [Job],
        after_last: impl Future<Output = L>,
    ) -> Result<(bool, L), StoreError> {
        let names = Names::of(jobs);
        let mut held = HeldRows::load(tables, &names).await?;
        let last = after_last.await;
        let subjects = held.load_shared(tables, &names, jobs).await?;
        for (job, subjects) in jobs.iter_mut().zip(&subjects) {
            match job {
                Job::Open(opening, reply) => reply.draft(self.open(&mut held, opening, subjects)),
                Job::Apply(id, command, reply) => {
                    reply.draft(self.apply(&mut held, id, command, subjects));
                }
                Job::Settle(id, token, settlement, reply) => {
                    reply.draft(Ok(settle(&mut held, id, *token, settlement)));
                }
                Job::Claim(..) => {}
            }
        }
        for job in jobs {
            if let Job::Claim(wanted, reply) = job {
                reply.draft(Ok(held.claim(tables, wanted).await?));
            }
        }
        Ok((held.save(tables).await?, last))
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
            held.open(&StoredSession::from(opening.clone()), opening.lease);
            held.count(ledger, answer.as_ref());
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
                held.count(ledger, kept.as_ref());
                Applied::KeyReused(counted)
            }
            Decided::NotFound {
                ledger,
                counted,
                kept,
            } => {
                held.count(ledger, kept.as_ref());
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
    held.count(ledger, kept.as_ref());
    Judged {
        stored,
        outcome,
        counted,
        used_up_failures,
    }
}
