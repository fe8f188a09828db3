//! Sessions in memory: the decision is the domain's, the lock makes it atomic.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Decided, Decision, Delivery, DeliveryState, Found, Judged,
    KeptAnswer, Ledger, MailChange, Once, Opening, Owner, Purged, SessionStore, StoreError,
    StoredSession, Subject, admit, decide,
};

use super::{MemoryStore, Row, Tables};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open(&self, opening: Opening) -> Result<Admitted, StoreError> {
        self.work(|tables| {
            let kept = tables.kept(opening.once);
            let mut ledger = tables.ledger(&opening.subjects());
            let admitted = admit(&opening, kept.as_ref(), &mut ledger, &*self.vault)?;
            match &admitted {
                Admitted::Open(_) => {
                    let answer = opening.kept(&*self.vault)?;
                    tables.count(&ledger);
                    tables.keep(answer);
                    tables.insert(opening);
                }
                Admitted::Replayed(_)
                | Admitted::KeyReused
                | Admitted::Limited(_)
                | Admitted::OnHold => {}
            }
            Ok(admitted)
        })?
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError> {
        self.work(|tables| {
            let found = tables.find(id, &command);
            Ok(match decide(found, &command, &*self.vault)? {
                Decided::Replayed(replayed) => Applied::Replayed(replayed),
                Decided::Limited(limited) => Applied::Limited(limited),
                Decided::KeyReused {
                    ledger,
                    counted,
                    kept,
                } => {
                    tables.count(&ledger);
                    tables.keep(kept);
                    Applied::KeyReused(counted)
                }
                Decided::NotFound {
                    ledger,
                    counted,
                    kept,
                } => {
                    tables.count(&ledger);
                    tables.keep(kept);
                    Applied::NotFound(counted)
                }
                Decided::Judged(decision) => tables.commit(id, *decision, command.at),
            })
        })?
    }

    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError> {
        self.work(|tables| tables.ledger(subjects))
    }

    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.work(|tables| {
            let row = tables.sessions.get(id);
            row.filter(|row| row.stored.context.owner == *owner)
                .map(|row| row.stored.clone())
        })
    }

    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        self.work(|tables| tables.purge(now, limit))
    }
}

impl Tables {
    /// What is kept of these subjects, and of no other.
    #[must_use]
    pub fn ledger(&self, subjects: &BTreeSet<Subject>) -> Ledger {
        let rows = subjects.iter().filter_map(|subject| {
            let counters = self.counters.get(subject)?;
            Some((subject.clone(), *counters))
        });
        Ledger::new(rows)
    }

    /// What there is for a command.
    #[must_use]
    pub fn find(&self, id: &SessionId, command: &Command) -> Found {
        let row = self.sessions.get(id);
        let row = row.filter(|row| row.stored.context.owner == command.owner);
        let stored = row.map(|row| row.stored.clone());
        let recipient = stored.as_ref().map(|stored| &stored.context.recipient);
        Found {
            kept: self.kept(command.once),
            ledger: self.ledger(&command.subjects(recipient)),
            stored,
        }
    }

    /// The answer that is kept for this wish.
    #[must_use]
    pub fn kept(&self, once: Option<Once>) -> Option<KeptAnswer> {
        self.kept_answers.get(&once?.key).cloned()
    }

    /// Keeps an answer, in place of the one that is kept under its key.
    pub fn keep(&mut self, answer: Option<KeptAnswer>) {
        let answer = answer.map(|answer| (answer.once.key, answer));
        self.kept_answers.extend(answer);
    }

    /// Writes down what a decision counted.
    pub fn count(&mut self, ledger: &Ledger) {
        for (subject, counters) in ledger.changes() {
            self.counters.insert(subject.clone(), *counters);
        }
    }

    /// Keeps a session that was admitted.
    pub fn insert(&mut self, opening: Opening) {
        let row = Row {
            lease: opening.lease,
            stored: opening.into(),
            reply: None,
            dropped: None,
        };
        self.sessions.insert(*row.stored.session.id(), row);
    }

    /// Writes a decision on a session down, and what it counted.
    fn commit(&mut self, id: &SessionId, decision: Decision, at: Timestamp) -> Applied {
        self.count(&decision.ledger);
        self.keep(decision.kept.clone());
        let Some(row) = self.sessions.get_mut(id) else {
            return Applied::NotFound(decision.counted);
        };
        let (outcome, counted) = (decision.outcome, decision.counted.clone());
        let used_up_failures = decision.used_up_failures;
        row.commit(decision, at);
        Applied::Judged(Box::new(Judged {
            stored: row.stored.clone(),
            outcome,
            counted,
            used_up_failures,
        }))
    }
}

impl Row {
    /// Writes a decision down.
    pub fn commit(&mut self, decision: Decision, at: Timestamp) {
        self.stored.session = decision.session;
        let generation = self.stored.session.pending().map(Pending::generation);
        self.stored.erase_if_ended();
        match decision.mail {
            MailChange::Keep => {}
            MailChange::Hurry => {
                let is_held = self.lease.is_some_and(|lease| at < lease.until);
                let delivery = &mut self.stored.delivery;
                if delivery.state == DeliveryState::Queued && (is_held || at < delivery.due_at) {
                    delivery.due_at = at;
                }
            }
            MailChange::Queue(message) => {
                self.stored.delivery = Delivery {
                    message,
                    generation: generation.unwrap_or(self.stored.delivery.generation),
                    state: DeliveryState::Queued,
                    due_at: at,
                    tries: 0,
                };
                self.lease = None;
                self.reply = None;
            }
        }
    }
}
