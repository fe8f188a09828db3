//! The flaws in counting.

mod controls;

pub(super) use controls::CONTROLS;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use otpost_domain::{Admission, Bucket, Profile, Resend, SessionId, Timestamp, Verdict};
use otpost_ports::{
    Action, Admitted, Applied, Command, Counters, FAILURES_RETENTION_SECS, Ledger, Limited,
    Opening, Outcome, Quotas, SessionStore, StoreError, Subject, admit,
};
use otpost_testkit::{MemoryStore, Tables, sample};

use super::{Flaw, Flawed};

/// What is counted, of whom something was ever counted.
pub(super) type Book = BTreeMap<Subject, Counters>;

impl Flawed {
    /// What an opening is made of before it is judged. Says what was counted until then.
    pub(super) fn spoil_before_opening(&self, opening: &mut Opening) -> Book {
        if let Some(book) = self.uncounted.lock().unwrap().take() {
            self.set_book(book);
        }
        if self.has(Flaw::IgnoresTheExemption) {
            opening.context.is_exempt = false;
        }
        if let (true, Some(quotas)) = (self.has(Flaw::OpensTheHeld), &mut opening.quotas) {
            quotas.profile = Profile::Standard;
        }
        self.book()
    }

    /// Makes of a sound answer and commit what the flaw would have made of it.
    pub(super) fn spoil_admitted(
        &self,
        before: Book,
        opening: &Opening,
        admitted: Admitted,
    ) -> Admitted {
        let owner = &opening.context.owner;
        let Some(quotas) = &opening.quotas else {
            return admitted;
        };
        match admitted {
            Admitted::Open(counted) => {
                self.spoil_open(before, opening);
                Admitted::Open(counted)
            }
            Admitted::Limited(limited) => {
                Admitted::Limited(self.spoil_refused(&before, opening, quotas, limited))
            }
            Admitted::OnHold => {
                if self.has(Flaw::ChargesTheHeld) {
                    self.charge_a_little(&Subject::project(&owner.project));
                }
                Admitted::OnHold
            }
            Admitted::Replayed(replayed) => Admitted::Replayed(replayed),
            Admitted::KeyReused => Admitted::KeyReused,
        }
    }

    fn spoil_open(&self, before: Book, opening: &Opening) {
        let project = &opening.context.owner.project;
        let forgotten = match self.flaw {
            Some(Flaw::ForgetsTheInstallation) => Some(Subject::installation()),
            Some(Flaw::ForgetsTheNetwork) => Some(Subject::network_of(project, &sample::NETWORK)),
            Some(Flaw::CountsRecipientsPerProject) => {
                Some(Subject::recipient(&opening.context.recipient))
            }
            _ => None,
        };
        if let Some(subject) = forgotten {
            let was = before.get(&subject).copied().unwrap_or_default();
            self.change(&subject, |counters| *counters = was);
        }
        if self.has(Flaw::ChargesLate) {
            *self.uncounted.lock().unwrap() = Some(self.book());
            self.set_book(before);
        }
        if self.has(Flaw::LosesTheExemption) {
            let mut row = self.row(opening.session.id()).expect("it was opened");
            row.stored.context.is_exempt = false;
            self.put(row);
        }
        self.keep_less();
    }

    fn spoil_refused(
        &self,
        before: &Book,
        opening: &Opening,
        quotas: &Quotas,
        mut limited: Limited,
    ) -> Limited {
        if self.has(Flaw::OpensTheLimited) {
            self.inner.edit(|tables| tables.insert(opening.clone()));
        }
        if self.has(Flaw::ChargesTheLimited) {
            self.charge_a_little(&Subject::project(&opening.context.owner.project));
        }
        if self.has(Flaw::WaitsWholeSeconds) {
            let secs = limited.wait.as_millis().div_ceil(1_000);
            limited.wait = Duration::from_secs(u64::try_from(secs).unwrap());
        }
        if self.has(Flaw::NamesTheShortestWait) {
            limited = shortest(before, opening, quotas).unwrap_or(limited);
        }
        limited
    }

    /// Reads, lets everyone else do the same, and writes what was right before.
    pub(super) async fn race_to_open(&self, opening: Opening) -> Result<Admitted, StoreError> {
        let kept = self.kept(opening.once);
        let mut ledger = self.inner.ledger(&opening.subjects()).await?;
        tokio::task::yield_now().await;
        let admitted = admit(&opening, kept.as_ref(), &mut ledger, &*self.vault)?;
        if let Admitted::Open(_) = admitted {
            let answer = opening.kept(&*self.vault)?;
            self.inner.edit(|tables| {
                tables.count(&ledger);
                tables.keep(answer);
                tables.insert(opening);
            });
        }
        Ok(admitted)
    }

    /// What a command is made of before it is judged. Says what was counted until then.
    pub(super) fn spoil_before_command(&self, command: &mut Command) -> Book {
        let before = self.book();
        let held = match &command.action {
            Action::Submit(_) => Flaw::JudgesTheHeld,
            Action::Resend(_) => Flaw::MailsTheHeld,
        };
        if let (true, Some(quotas)) = (self.has(held), &mut command.quotas) {
            quotas.profile = Profile::Standard;
        }
        if self.has(Flaw::IgnoresTheLadder) {
            self.change_all(|counters| counters.failures = 0);
        }
        before
    }

    /// Makes of sound counters what the flaw would have made of them.
    pub(super) async fn spoil_counters(
        &self,
        before: Book,
        id: &SessionId,
        command: &Command,
        applied: &Result<Applied, StoreError>,
    ) {
        let project = Subject::project(&command.owner.project);
        let is_judged = command.quotas.is_some() && matches!(applied, Ok(Applied::Judged(_)));
        if self.has(Flaw::IgnoresTheLadder) && !is_judged {
            for (subject, was) in &before {
                self.change(subject, |counters| counters.failures = was.failures);
            }
        }
        if command.quotas.is_none() {
            if self.has(Flaw::CountsTests) {
                self.charge_a_little(&project);
            }
            return;
        }
        match applied {
            Ok(Applied::Judged(judged)) => {
                let recipient = Subject::recipient(&judged.stored.context.recipient);
                self.spoil_judged(&before, &project, &recipient, judged.outcome);
            }
            Ok(Applied::Limited(_)) => {
                if self.has(Flaw::ChargesTheLimited) {
                    self.charge_a_little(&project);
                }
                let judged = match command.action {
                    Action::Submit(_) => Flaw::JudgesTheLimited,
                    Action::Resend(_) => Flaw::MailsTheLimited,
                };
                if self.has(judged) {
                    let mut command = command.clone();
                    command.quotas = None;
                    let applied = self.inner.apply(id, command).await;
                    assert!(matches!(applied, Ok(Applied::Judged(_))), "{applied:?}");
                }
            }
            Ok(Applied::Replayed(_)) => {}
            Ok(Applied::KeyReused(_)) => {
                if self.has(Flaw::ConflictsAreFree) {
                    self.set_book(before);
                }
            }
            Ok(Applied::NotFound(_)) => {
                if self.has(Flaw::ForgetsUnknownVerifications) {
                    self.set_book(before);
                }
            }
            Err(_) => {
                if self.has(Flaw::ChargesWhatWasNotJudged) {
                    self.charge_a_little(&project);
                }
            }
        }
        self.keep_less();
    }

    fn spoil_judged(
        &self,
        before: &Book,
        project: &Subject,
        recipient: &Subject,
        outcome: Outcome,
    ) {
        let was = before.get(recipient).copied().unwrap_or_default().failures;
        let was_failed = before.get(project).copied().unwrap_or_default().buckets[2];
        let is_verified = matches!(outcome, Outcome::Submitted(Verdict::Verified));
        let is_malformed = matches!(outcome, Outcome::Submitted(Verdict::Malformed { .. }));
        let is_elsewhere = *project != Subject::project(&sample::owner().project);
        let is_mailed = matches!(outcome, Outcome::Resent(Resend::Repeat | Resend::Renew));
        let is_refused = matches!(
            outcome,
            Outcome::Resent(Resend::Wait { .. } | Resend::Refuse(_))
        );

        if self.has(Flaw::IgnoresTheLadder) && !is_verified {
            self.change(recipient, |counters| counters.failures += was);
        }
        if self.has(Flaw::CountsTheMalformed) && is_malformed {
            self.change(recipient, |counters| counters.failures += 1);
        }
        let forgets = self.has(Flaw::ForgetsFailures)
            || self.has(Flaw::ForgetsFailuresElsewhere) && is_elsewhere
            || self.has(Flaw::KeepsFailuresOfTheVerified) && is_verified;
        if forgets {
            self.change(recipient, |counters| counters.failures = was);
        }
        let forgets = self.has(Flaw::ForgetsFailuresOfProjects) && !is_verified
            || self.has(Flaw::GivesNothingBack) && is_verified;
        if forgets {
            self.change(project, |counters| counters.buckets[2] = was_failed);
        }
        if self.has(Flaw::ForgivesForEver) {
            let since = self.book().get(recipient).and_then(|now| now.failing_since);
            for (subject, was) in before {
                if is_forgiven(subject, was) {
                    self.change(subject, |counters| {
                        counters.failures = was.failures;
                        counters.failing_since = since;
                    });
                }
            }
        }
        if self.has(Flaw::ForgetsResends) && is_mailed {
            self.set_book(before.clone());
        }
        if self.has(Flaw::ChargesRefusedResends) && is_refused {
            self.charge_a_little(project);
        }
    }

    /// What is shown where the ledger has this.
    pub(super) fn spoil_ledger(&self, subjects: &BTreeSet<Subject>, ledger: Ledger) -> Ledger {
        if self.has(Flaw::LedgerForgetsWhatItShowed) && subjects.len() > 1 {
            self.set_book(Book::new());
        }
        if self.has(Flaw::LedgerShowsOneSubject) {
            let first = subjects.first().into_iter();
            let rows = first.map(|subject| (subject.clone(), ledger.counters(subject)));
            return Ledger::new(rows);
        }
        ledger
    }

    /// What refuses where this limit does.
    pub(super) async fn spoil_refusal(&self, command: &Command, limited: Limited) -> Limited {
        let mut command = command.clone();
        let Some(quotas) = &mut command.quotas else {
            return limited;
        };
        match self.flaw {
            Some(Flaw::NamesFailuresFirst) => quotas.caller.clear(),
            Some(Flaw::NamesFailuresLast) => quotas.profile = Profile::Standard,
            _ => return limited,
        }
        let unknown = sample::session_id(0, command.at);
        let subjects = command.subjects(None);
        let kept = self.inner.ledger(&subjects).await.unwrap();
        let scratch = MemoryStore::new(self.vault.clone());
        scratch.edit(|tables| {
            let rows = subjects.iter();
            let rows = rows.map(|subject| (subject.clone(), kept.counters(subject)));
            tables.counters.extend(rows);
        });
        match scratch.apply(&unknown, command).await {
            Ok(Applied::Limited(other)) => other,
            _ => limited,
        }
    }

    pub(super) fn spoil_after_purge(&self, were: &Tables) {
        if self.has(Flaw::PurgeForgetsFailures) {
            self.change_all(|counters| counters.failures = 0);
        }
        let is_kept = |subject: &Subject, was: &Counters| match self.flaw {
            Some(Flaw::PurgeKeepsFailures) => Subject::recipients().contains(subject),
            Some(Flaw::PurgeKeepsTheForgiven) => is_forgiven(subject, was),
            _ => false,
        };
        let counters = were.counters.iter();
        let gone = counters.filter(|(subject, was)| is_kept(subject, was));
        for (subject, was) in gone {
            self.change(subject, |counters| *counters = *was);
        }
    }

    /// Forgets holds after a year, as other failures are.
    pub(super) fn forget_holds(&self, now: Timestamp) {
        if !self.has(Flaw::PurgeForgetsHolds) {
            return;
        }
        self.inner.edit(|tables| {
            tables.counters.retain(|_, counters| {
                let at = counters.used_at;
                at.is_none_or(|at| now < at.plus_secs(FAILURES_RETENTION_SECS))
            });
        });
    }

    pub(super) fn book(&self) -> Book {
        self.inner.edit(|tables| tables.counters.clone())
    }

    pub(super) fn set_book(&self, book: Book) {
        self.inner.edit(|tables| tables.counters = book);
    }

    pub(super) fn change(&self, subject: &Subject, change: impl FnOnce(&mut Counters)) {
        self.inner
            .edit(|tables| change(tables.counters.entry(subject.clone()).or_default()));
    }

    fn change_all(&self, change: impl Fn(&mut Counters)) {
        self.inner
            .edit(|tables| tables.counters.values_mut().for_each(&change));
    }

    /// A charge that no limit notices.
    pub(super) fn charge_a_little(&self, subject: &Subject) {
        self.change(subject, |counters| {
            let [first, ..] = &mut counters.buckets;
            *first = Bucket::from_micros(first.as_micros() + 1);
        });
    }

    fn keep_less(&self) {
        if self.has(Flaw::ForgetsWhenItCounted) {
            self.change_all(|counters| counters.used_at = None);
        }
        if self.has(Flaw::KeepsWholeSeconds) {
            self.change_all(|counters| {
                counters.buckets = counters.buckets.map(|bucket| {
                    let micros = bucket.as_micros();
                    Bucket::from_micros(micros - micros % 1_000_000)
                });
            });
        }
    }
}

/// Whether these failures are those that a project forgave, and not those of a recipient.
fn is_forgiven(subject: &Subject, counters: &Counters) -> bool {
    counters.failures > 0 && !Subject::recipients().contains(subject)
}

/// Of the caller's limits that refuse the one that waits for the shortest time.
fn shortest(before: &Book, opening: &Opening, quotas: &Quotas) -> Option<Limited> {
    let refusing = quotas.caller.iter().filter_map(|charge| {
        let counters = before.get(&charge.subject).copied().unwrap_or_default();
        match charge
            .limit
            .admit(counters.buckets[charge.bucket], opening.at)
        {
            Admission::Admitted(_) => None,
            Admission::Wait(wait) => Some(Limited {
                name: charge.name,
                limit: charge.limit,
                wait,
            }),
        }
    });
    refusing.min_by_key(|limited| limited.wait)
}
