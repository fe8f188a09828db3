//! The flaws in keeping answers.

mod controls;

pub(super) use controls::CONTROLS;

use std::collections::BTreeMap;

use otpost_domain::{Refusal, Resend, SessionId, Timestamp, Verdict};
use otpost_ports::{
    Action, Admitted, Applied, Command, DeliveryState, IdempotencyDigest, KeptAnswer, MessageId,
    Once, Opening, Outcome, Said, SessionStore, StoreError, Subject,
};

use super::{Flaw, Flawed};

impl Flawed {
    pub(super) fn kept(&self, once: Option<Once>) -> Option<KeptAnswer> {
        self.inner.edit(|tables| tables.kept(once))
    }

    /// What becomes of a wish before it is looked up; nothing, if it has the flaw `unasked`.
    pub(super) fn spoil_wish(&self, once: Option<Once>, unasked: Flaw) -> Option<Once> {
        let mut once = once.filter(|_| !self.has(unasked))?;
        if let (true, Some(kept)) = (self.has(Flaw::RepeatsAnyRequest), self.kept(Some(once))) {
            once.request = kept.once.request;
        }
        if self.has(Flaw::KeepsAnswersForEver) {
            once.until = Timestamp::from_millis(i64::MAX);
        }
        Some(once)
    }

    /// The refusal of a limit, where limits are asked before answers are.
    pub(super) async fn refuse_opening(&self, opening: &Opening) -> Option<Admitted> {
        if !self.has(Flaw::LimitsRepetitions) {
            return None;
        }
        let tables = self.inner.edit(|tables| tables.clone());
        let mut opening = opening.clone();
        opening.once = None;
        let admitted = self.inner.open(opening).await.unwrap();
        self.inner.edit(|now| *now = tables);
        matches!(admitted, Admitted::Limited(_)).then_some(admitted)
    }

    /// The same for a command.
    pub(super) async fn refuse_command(
        &self,
        id: &SessionId,
        command: &Command,
    ) -> Option<Applied> {
        if !self.has(Flaw::LimitsRepetitions) {
            return None;
        }
        let tables = self.inner.edit(|tables| tables.clone());
        let mut command = command.clone();
        command.once = None;
        let applied = self.inner.apply(id, command).await.ok()?;
        self.inner.edit(|now| *now = tables);
        matches!(applied, Applied::Limited(_)).then_some(applied)
    }

    /// Makes of what a sound opening kept what the flaw would have made of it.
    pub(super) fn spoil_answer_to_opening(
        &self,
        was_kept: Option<KeptAnswer>,
        opening: &Opening,
        admitted: &Admitted,
    ) {
        let Some(once) = opening.once else {
            return;
        };
        match admitted {
            Admitted::Open(_) => self.keep_first(was_kept),
            Admitted::Replayed(_) => {
                if self.has(Flaw::ChargesRepetitions) {
                    self.charge_a_little(&Subject::project(&opening.context.owner.project));
                }
                if self.has(Flaw::OpensRepetitions) && self.row(opening.session.id()).is_none() {
                    self.inner.edit(|tables| tables.insert(opening.clone()));
                }
            }
            Admitted::KeyReused => {}
            Admitted::Limited(_) => self.keep_if(Flaw::KeepsTheLimited, once),
            Admitted::OnHold => self.keep_if(Flaw::KeepsTheHeld, once),
        }
    }

    /// Makes of what a sound command kept what the flaw would have made of it.
    pub(super) fn spoil_answer_to_command(
        &self,
        was_kept: Option<KeptAnswer>,
        id: &SessionId,
        command: &Command,
        applied: &Result<Applied, StoreError>,
    ) {
        let Some(once) = command.once else {
            return;
        };
        match applied {
            Ok(Applied::Replayed(_)) => self.spoil_repeated(id, command),
            Ok(Applied::KeyReused(_)) => {
                if self.has(Flaw::ForgetsConflicts) {
                    self.inner.edit(|tables| tables.keep(was_kept));
                }
            }
            Ok(Applied::Limited(_)) => self.keep_if(Flaw::KeepsTheLimited, once),
            Ok(Applied::NotFound(_)) => match command.action {
                Action::Submit(_) => self.forget_if(Flaw::ForgetsTheUnknown, once),
                Action::Resend(_) => self.keep_if(Flaw::KeepsTheEarly, once),
            },
            Ok(Applied::Judged(judged)) => {
                self.keep_first(was_kept);
                self.spoil_kept(once, id, judged.outcome);
            }
            Err(_) => self.keep_if(Flaw::KeepsTheUnjudged, once),
        }
    }

    fn spoil_repeated(&self, id: &SessionId, command: &Command) {
        if self.has(Flaw::ChargesRepetitions) {
            self.charge_a_little(&Subject::project(&command.owner.project));
        }
        let Some(mut row) = self.row(id) else {
            return;
        };
        match &command.action {
            Action::Submit(_) => {
                if self.has(Flaw::CountsRepetitions) {
                    let attempts = row.stored.session.attempts() + 1;
                    row = super::sessions::with_attempts(row, attempts);
                }
            }
            Action::Resend(MessageId(message)) => {
                if self.has(Flaw::MailsRepetitions) {
                    row.stored.delivery.message = MessageId(*message);
                    row.stored.delivery.state = DeliveryState::Queued;
                }
            }
        }
        self.put(row);
    }

    fn spoil_kept(&self, once: Once, id: &SessionId, outcome: Outcome) {
        match outcome {
            Outcome::Submitted(Verdict::Verified) if self.has(Flaw::ForgetsTheVerified) => {
                self.keep(once, id, &Said::Refused(Verdict::AlreadyVerified));
            }
            Outcome::Submitted(Verdict::WrongCode { .. }) if self.has(Flaw::ForgetsNumbers) => {
                let attempts_remaining = 0;
                let verdict = Verdict::WrongCode { attempts_remaining };
                self.keep(once, id, &Said::Refused(verdict));
            }
            Outcome::Submitted(Verdict::OnHold)
            | Outcome::Resent(Resend::Refuse(Refusal::OnHold)) => {
                self.keep_if(Flaw::KeepsTheHeld, once);
            }
            Outcome::Resent(Resend::Wait { .. }) => self.keep_if(Flaw::KeepsTheEarly, once),
            Outcome::Submitted(_) | Outcome::Resent(_) => {}
        }
    }

    fn keep_if(&self, flaw: Flaw, once: Once) {
        if self.has(flaw) {
            self.keep(once, &SessionId::NONE, &Said::NotFound);
        }
    }

    fn forget_if(&self, flaw: Flaw, once: Once) {
        if self.has(flaw) {
            self.inner
                .edit(|tables| tables.kept_answers.remove(&once.key));
        }
    }

    fn keep_first(&self, was_kept: Option<KeptAnswer>) {
        if self.has(Flaw::KeepsTheFirstAnswer) && was_kept.is_some() {
            self.inner.edit(|tables| tables.keep(was_kept));
        }
    }

    fn keep(&self, once: Once, id: &SessionId, said: &Said) {
        let answer = once.keep(id, said, &*self.vault).unwrap();
        self.inner.edit(|tables| tables.keep(Some(answer)));
    }

    pub(super) fn spoil_answers_after_purge(&self, were: BTreeMap<IdempotencyDigest, KeptAnswer>) {
        self.inner.edit(|tables| match self.flaw {
            Some(Flaw::PurgeKeepsAnswers) => tables.kept_answers = were,
            Some(Flaw::PurgeForgetsAnswers) => tables.kept_answers.clear(),
            _ => {}
        });
    }
}
