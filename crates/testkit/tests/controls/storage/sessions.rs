//! The flaws in keeping sessions.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{ExpiryCause, Resend, Session, SessionId, State, Timestamp, Verdict};
use otpost_ports::{
    Action, Admitted, Applied, CodeSecret, Command, Decided, DeliveryState, Judged, Ledger,
    Opening, Outbox, OutboxQuery, Outcome, Owner, Purged, SessionStore, StoreError, StoredSession,
    Subject, decide,
};
use otpost_testkit::Row;

use super::{Flaw, Flawed};

#[async_trait]
impl SessionStore for Flawed {
    async fn open(&self, mut opening: Opening) -> Result<Admitted, StoreError> {
        if self.has(Flaw::LosesTheVariables) {
            opening.context.variables = None;
        }
        if self.has(Flaw::IgnoresClosedOpenings) && opening.session.pending().is_none() {
            return Ok(Admitted::Open(Vec::new()));
        }
        if self.has(Flaw::QueuesEveryOpening) {
            opening.delivery.state = DeliveryState::Queued;
        }
        if self.has(Flaw::OpeningForgetsItsLease) {
            opening.lease = None;
        }
        opening.once = self.spoil_wish(opening.once, Flaw::OpensUnasked);
        if self.has(Flaw::RacesOpens) {
            return self.race_to_open(opening).await;
        }
        let _lane = self.lane.lock().await;
        if let Some(refused) = self.refuse_opening(&opening).await {
            return Ok(refused);
        }
        let before = self.spoil_before_opening(&mut opening);
        let was_kept = self.kept(opening.once);
        let admitted = self.inner.open(opening.clone()).await?;
        self.spoil_answer_to_opening(was_kept, &opening, &admitted);
        Ok(self.spoil_admitted(before, &opening, admitted))
    }

    async fn apply(&self, id: &SessionId, mut command: Command) -> Result<Applied, StoreError> {
        command.once = self.spoil_wish(command.once, Flaw::CommandsUnasked);
        if self.has(Flaw::RacesCommands) {
            return self.race(id, command).await;
        }
        let _lane = self.lane.lock().await;
        if let Some(refused) = self.refuse_command(id, &command).await {
            return Ok(refused);
        }
        if let Some(row) = self.late.lock().unwrap().take() {
            self.put(row);
        }
        let before = self.row(id);
        if let Some(before) = &before {
            let owner = &before.stored.context.owner;
            if self.has(Flaw::ApplyIgnoresTheProject) {
                command.owner.project = owner.project.clone();
            }
            if self.has(Flaw::ApplyIgnoresTheMode) {
                command.owner.mode = owner.mode;
            }
            if self.has(Flaw::FindsTheForgotten) && !before.stored.is_retained(command.at) {
                command.at = before.stored.session.hard_end();
            }
        } else if self.has(Flaw::UnknownIsAnError) {
            return Err(corrupt());
        }
        let counted = self.spoil_before_command(&mut command);
        let was_kept = self.kept(command.once);
        let applied = self.inner.apply(id, command.clone()).await;
        self.spoil_answer_to_command(was_kept, id, &command, &applied);
        if let (Some(before), Err(StoreError::Vault(_))) = (&before, &applied)
            && self.has(Flaw::CountsWhatWasNotJudged)
        {
            self.put(with_attempts(before.clone(), 1));
        }
        self.spoil_counters(counted, id, &command, &applied).await;
        Ok(match (applied?, before) {
            (Applied::Judged(judged), Some(before)) => {
                Applied::Judged(Box::new(self.spoil(before, &command, *judged)))
            }
            (Applied::Limited(limited), _) => {
                Applied::Limited(self.spoil_refusal(&command, limited).await)
            }
            (Applied::NotFound(_), _) if self.has(Flaw::HidesUnknownVerifications) => {
                Applied::NotFound(Vec::new())
            }
            (applied, _) => applied,
        })
    }

    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError> {
        let ledger = self.inner.ledger(subjects).await?;
        Ok(self.spoil_ledger(subjects, ledger))
    }

    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        let mut owner = owner.clone();
        if let Some(row) = self.row(id) {
            if self.has(Flaw::FindIgnoresTheProject) {
                owner.project = row.stored.context.owner.project;
            }
            if self.has(Flaw::FindIgnoresTheMode) {
                owner.mode = row.stored.context.owner.mode;
            }
        }
        self.inner.find(&owner, id).await
    }

    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        let before = self.inner.list(OutboxQuery::any(u32::MAX)).await?;
        let were = self.inner.edit(|tables| tables.clone());
        let mut extra = 0;
        if self.has(Flaw::PurgeExpiresTheVerified) {
            extra = self.expire_verified(now);
        }
        let now = if self.has(Flaw::PurgesEarly) {
            Timestamp::from_millis(now.as_millis() + 1)
        } else {
            now
        };
        let limit = if self.has(Flaw::PurgeIgnoresItsLimit) {
            u32::MAX
        } else {
            limit
        };
        let mut purged = self.inner.purge(now, limit).await?;
        self.forget_holds(now);
        purged.closed += extra;
        purged.is_full &= !self.has(Flaw::PurgeSaysItIsDone);
        if self.has(Flaw::PurgeKeepsTheSecret) {
            self.inner.edit(|tables| {
                for row in tables.sessions.values_mut() {
                    row.stored.secret = Some(SECRET);
                }
            });
        }
        if self.has(Flaw::PurgeKeepsTheVariables) {
            self.inner.edit(|tables| {
                for (id, row) in &mut tables.sessions {
                    let was = were.sessions.get(id);
                    let variables = was.and_then(|was| was.stored.context.variables.clone());
                    row.stored.context.variables = variables;
                }
            });
        }
        if self.has(Flaw::PurgeLeavesTheMail) {
            let gone = before
                .into_iter()
                .filter(|mail| self.row(mail.session.id()).is_none());
            self.orphans.lock().unwrap().extend(gone);
        }
        self.spoil_after_purge(&were);
        self.spoil_answers_after_purge(were.kept_answers);
        self.spoil_log_after_purge(were.audit);
        Ok(purged)
    }
}

const SECRET: CodeSecret = CodeSecret {
    kid: 1,
    nonce: [1; 32],
};

impl Flawed {
    pub(super) fn row(&self, id: &SessionId) -> Option<Row> {
        self.inner.edit(|tables| tables.sessions.get(id).cloned())
    }

    pub(super) fn put(&self, row: Row) {
        let id = *row.stored.session.id();
        self.inner.edit(|tables| tables.sessions.insert(id, row));
    }

    /// Loads, lets everyone else do the same, and writes what was right before.
    async fn race(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError> {
        let row = self.row(id);
        let Some(mut row) = row.filter(|row| row.stored.context.owner == command.owner) else {
            return self.inner.apply(id, command).await;
        };
        let found = self.inner.edit(|tables| tables.find(id, &command));
        tokio::task::yield_now().await;
        let decision = match decide(found, &command, &*self.vault)? {
            Decided::Replayed(replayed) => return Ok(Applied::Replayed(replayed)),
            Decided::KeyReused {
                ledger,
                counted,
                kept,
            } => {
                self.inner.edit(|tables| {
                    tables.count(&ledger);
                    tables.keep(kept);
                });
                return Ok(Applied::KeyReused(counted));
            }
            Decided::Limited(limited) => return Ok(Applied::Limited(limited)),
            Decided::NotFound { counted, .. } => return Ok(Applied::NotFound(counted)),
            Decided::Judged(decision) => *decision,
        };
        let (outcome, counted) = (decision.outcome, decision.counted.clone());
        let used_up_failures = decision.used_up_failures;
        self.inner.edit(|tables| {
            tables.count(&decision.ledger);
            tables.keep(decision.kept.clone());
        });
        row.commit(decision, command.at);
        let stored = row.stored.clone();
        self.put(row);
        Ok(Applied::Judged(Box::new(Judged {
            stored,
            outcome,
            counted,
            used_up_failures,
        })))
    }

    /// Makes of a sound commit what the flaw would have made of it.
    fn spoil(&self, before: Row, command: &Command, judged: Judged) -> Judged {
        let sound = self.row(before.stored.session.id());
        let sound = sound.expect("a command leaves the session there");
        let outcome = judged.outcome;
        let (flaw, old) = (self.flaw, &before.stored);
        let mut row = sound.clone();
        let new = &mut row.stored;
        if self.has(Flaw::KeepsTheVariables) {
            new.context.variables.clone_from(&old.context.variables);
        }
        match (outcome, &command.action) {
            (Outcome::Submitted(verdict), _) => {
                if flaw == Some(secret_kept(new.session.state())) {
                    new.secret = old.secret;
                }
                let has_ended = new.session.pending().is_none();
                if self.has(Flaw::LeavesTheMailOfTheEnded) && has_ended {
                    new.delivery = old.delivery;
                }
                let is_counted = matches!(
                    verdict,
                    Verdict::WrongCode { attempts_remaining } if attempts_remaining > 0
                );
                if self.has(Flaw::AnswersBeforeItCounts) && is_counted {
                    *self.late.lock().unwrap() = Some(row);
                    self.put(before);
                    return judged;
                }
            }
            (Outcome::Resent(resent), Action::Resend(message)) => {
                self.spoil_resend(&before, &mut row, resent, *message);
            }
            (Outcome::Resent(_), Action::Submit(_)) => panic!("a submission was resent"),
        }
        let used_up_failures = match self.flaw {
            Some(Flaw::TellsOfNoLastFailure) => false,
            Some(Flaw::TellsOfEveryFailure) => {
                matches!(outcome, Outcome::Submitted(Verdict::WrongCode { .. }))
            }
            _ => judged.used_up_failures,
        };
        let stored = if self.has(Flaw::AnswersWithTheOldSession) {
            before.stored
        } else {
            row.stored.clone()
        };
        self.put(row);
        Judged {
            stored,
            used_up_failures,
            ..judged
        }
    }

    fn spoil_resend(
        &self,
        before: &Row,
        row: &mut Row,
        resent: Resend,
        message: otpost_ports::MessageId,
    ) {
        let was_queued = before.stored.delivery.state == DeliveryState::Queued;
        match resent {
            Resend::Repeat | Resend::Renew if self.has(Flaw::ResendGivesAttemptsBack) => {
                *row = with_attempts(row.clone(), 0);
            }
            Resend::Repeat if was_queued => {
                if self.has(Flaw::QueuesASecondMail) {
                    row.stored.delivery.message = message;
                }
                if self.has(Flaw::IgnoresHurry) {
                    row.stored.delivery.due_at = before.stored.delivery.due_at;
                }
                if self.has(Flaw::HurryEndsTheLease) {
                    row.lease = None;
                }
            }
            Resend::Repeat => {
                if self.has(Flaw::HurriesASentMail) {
                    row.stored.delivery = before.stored.delivery;
                }
            }
            Resend::Renew => {
                if self.has(Flaw::RenewKeepsTheGeneration) {
                    row.stored.delivery.generation = before.stored.delivery.generation;
                }
                if self.has(Flaw::ReplacedMailKeepsItsLease) {
                    row.lease = before.lease;
                }
            }
            Resend::Wait { .. } | Resend::Refuse(_) => {
                if self.has(Flaw::QueuesRefusedResends) {
                    row.stored.delivery.message = message;
                }
                if self.has(Flaw::LeavesTheMailOfTheRefused) {
                    row.stored.delivery = before.stored.delivery;
                }
            }
        }
    }

    fn expire_verified(&self, now: Timestamp) -> u64 {
        self.inner.edit(|tables| {
            let mut expired = 0;
            for row in tables.sessions.values_mut() {
                let session = &row.stored.session;
                let is_verified = matches!(session.state(), State::Verified { .. });
                if is_verified && now >= session.hard_end() {
                    let reopened =
                        Session::open(*session.id(), *session.terms(), session.opened_at());
                    row.stored.session = reopened.close_at_hard_end(now);
                    expired += 1;
                }
            }
            expired
        })
    }
}

/// The flaw that keeps the secret of a session in this state; one that keeps none for a pending
/// session, whose secret is to be kept.
fn secret_kept(state: &State) -> Flaw {
    match state {
        State::Verified { .. } => Flaw::KeepsTheSecretOfTheVerified,
        State::Expired {
            cause: ExpiryCause::AttemptsExhausted,
            ..
        } => Flaw::KeepsTheSecretOfTheExhausted,
        State::Expired {
            cause: ExpiryCause::HardEndReached,
            ..
        }
        | State::Pending(_) => Flaw::KeepsTheSecretOfTheOver,
    }
}

pub(super) fn with_attempts(mut row: Row, attempts: u8) -> Row {
    let mut record = row.stored.session.record();
    record.attempts = attempts;
    row.stored.session = Session::restore(&record).unwrap();
    row
}

fn corrupt() -> StoreError {
    StoreError::Corrupt {
        table: "sessions",
        reason: "no such row".to_owned(),
    }
}
