//! Against which limits something is counted, and what refuses.

use std::collections::BTreeSet;
use std::time::Duration;

use otpost_domain::{Admission, Allowance, Bucket, Limit, Profile, Standing, Timestamp};

use crate::{Ledger, Owner, RecipientDigest, Subject};

/// One more of something, for one subject, against one limit.
#[derive(Clone, Debug)]
pub struct Charge {
    /// For whom.
    pub subject: Subject,
    /// Which of the subject's buckets: 0 to 2.
    pub bucket: usize,
    /// The limit's name, as configurations and answers write it.
    pub name: &'static str,
    /// The limit.
    pub limit: Limit,
}

/// Limits of mails to a recipient.
#[derive(Clone, Copy, Debug)]
pub struct RecipientLimits {
    /// `recipient_per_10_minutes`.
    pub per_10_minutes: Limit,
    /// `recipient_per_hour`.
    pub per_hour: Limit,
    /// `recipient_per_day`.
    pub per_day: Limit,
}

impl RecipientLimits {
    /// These limits, as they hold over all projects together: threefold.
    #[must_use]
    pub const fn over_installation(self) -> Self {
        Self {
            per_10_minutes: self.per_10_minutes.times(INSTALLATION_TIMES),
            per_hour: self.per_hour.times(INSTALLATION_TIMES),
            per_day: self.per_day.times(INSTALLATION_TIMES),
        }
    }

    fn charges(self, subject: &Subject) -> [Charge; 3] {
        let named = [
            (0, "recipient_per_10_minutes", self.per_10_minutes),
            (1, "recipient_per_hour", self.per_hour),
            (2, "recipient_per_day", self.per_day),
        ];
        named.map(|(bucket, name, limit)| Charge {
            subject: subject.clone(),
            bucket,
            name,
            limit,
        })
    }
}

/// What a command of a live key is counted against.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// Charges to the caller: its project, its network, the installation. Judged first.
    pub caller: Vec<Charge>,
    /// Limits of the recipient in this project, charged where a mail is queued. Judged last.
    pub recipient: RecipientLimits,
    /// Limits of the recipient over all projects, the same for each of them: they share a row.
    pub everywhere: RecipientLimits,
    /// `project_failures_per_day`.
    pub failures: Limit,
    /// What becomes of an address with many failures.
    pub profile: Profile,
}

/// Times that a recipient's limits are granted over all projects together.
const INSTALLATION_TIMES: u32 = 3;
/// The bucket of a project in which its failures are counted.
const FAILURES_BUCKET: usize = 2;
/// Tenths of a failure that a success gives back to its project.
const SUCCESS_TENTHS: u32 = 2;

impl Quotas {
    /// Every subject that is read or written where `recipient` is known, and without it those of
    /// the caller. What a limit that is off would count is nobody's business: a row that many share
    /// makes them wait for one another.
    #[must_use]
    pub fn subjects(
        &self,
        owner: &Owner,
        recipient: Option<&RecipientDigest>,
    ) -> BTreeSet<Subject> {
        let charged = self.caller.iter().filter(|charge| !charge.limit.is_off());
        let caller = charged.map(|charge| charge.subject.clone());
        let recipient = recipient.into_iter().flat_map(|recipient| {
            [
                Subject::recipient(recipient),
                Subject::recipient_of(&owner.project, recipient),
            ]
        });
        let project = (!self.failures.is_off()).then(|| Subject::project(&owner.project));
        caller.chain(project).chain(recipient).collect()
    }

    /// Charges for one more mail to a recipient.
    pub(crate) fn of_recipient(&self, owner: &Owner, recipient: &RecipientDigest) -> Vec<Charge> {
        let of_project = Subject::recipient_of(&owner.project, recipient);
        let everywhere = Subject::recipient(recipient);
        let in_project = self.recipient.charges(&of_project);
        in_project
            .into_iter()
            .chain(self.everywhere.charges(&everywhere))
            .collect()
    }

    /// How a recipient stands at `now`.
    #[must_use]
    pub fn standing(
        &self,
        owner: &Owner,
        recipient: &RecipientDigest,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Standing {
        let failures = ledger.failures(&owner.project, recipient);
        let standing = Standing::new(failures, self.profile);
        match self.one_more_failure(owner, ledger, now) {
            Admission::Wait(_) => standing.with_single_guess(),
            Admission::Admitted(next) => {
                match self.failures.admit(next, instant(owner, ledger, now)) {
                    Admission::Wait(_) => standing.with_last_failure(),
                    Admission::Admitted(_) => standing,
                }
            }
        }
    }

    /// The limit of failures where it refuses: only under the strict profile.
    pub(crate) fn refusal(
        &self,
        owner: &Owner,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Option<Limited> {
        match (self.profile, self.one_more_failure(owner, ledger, now)) {
            (Profile::Strict, Admission::Wait(wait)) => {
                let (name, limit) = ("project_failures_per_day", self.failures);
                Some(Limited { name, limit, wait })
            }
            (Profile::Standard | Profile::Strict, _) => None,
        }
    }

    /// Whether the project's failures of the day leave room for one more.
    fn one_more_failure(&self, owner: &Owner, ledger: &Ledger, now: Timestamp) -> Admission {
        let project = ledger.counters(&Subject::project(&owner.project));
        let now = instant(owner, ledger, now);
        self.failures.admit(project.buckets[FAILURES_BUCKET], now)
    }

    /// Writes a wrong guess down: for its address, and for its project.
    pub(crate) fn note_failure(
        &self,
        owner: &Owner,
        recipient: &RecipientDigest,
        ledger: &mut Ledger,
        now: Timestamp,
    ) {
        let address = Subject::recipient(recipient);
        let before = ledger.counters(&address);
        let since = match before.failures {
            0 => Some(now),
            _ => before.failing_since,
        };
        ledger.put_failures(&address, before.failures.saturating_add(1), since, now);
        self.change_failures(owner, ledger, now, |limit, bucket, now| {
            match limit.admit(bucket, now) {
                Admission::Admitted(next) => next,
                Admission::Wait(_) => bucket,
            }
        });
    }

    /// Writes a success down: the address starts anew, and its project has a little back.
    pub(crate) fn note_success(
        &self,
        owner: &Owner,
        recipient: &RecipientDigest,
        ledger: &mut Ledger,
        now: Timestamp,
    ) {
        ledger.put_failures(&Subject::recipient(recipient), 0, None, now);
        ledger.put_failures(
            &Subject::recipient_of(&owner.project, recipient),
            0,
            None,
            now,
        );
        self.change_failures(owner, ledger, now, |limit, bucket, now| {
            limit.give_back(bucket, SUCCESS_TENTHS, now)
        });
    }

    fn change_failures(
        &self,
        owner: &Owner,
        ledger: &mut Ledger,
        now: Timestamp,
        change: impl FnOnce(Limit, Bucket, Timestamp) -> Bucket,
    ) {
        if self.failures.is_off() {
            return;
        }
        let project = Subject::project(&owner.project);
        let mut counters = ledger.counters(&project);
        let bucket = &mut counters.buckets[FAILURES_BUCKET];
        *bucket = change(self.failures, *bucket, ledger.instant(&project, now));
        ledger.put(&project, counters, now);
    }
}

/// The instant at which something is counted for the project.
fn instant(owner: &Owner, ledger: &Ledger, now: Timestamp) -> Timestamp {
    ledger.instant(&Subject::project(&owner.project), now)
}

/// A limit that refuses; the one that waits longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Its name.
    pub name: &'static str,
    /// The limit.
    pub limit: Limit,
    /// How long it waits.
    pub wait: Duration,
}

/// A limit that was charged, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Its name.
    pub name: &'static str,
    /// The limit.
    pub limit: Limit,
    /// What is left.
    pub allowance: Allowance,
}

/// The one of two refusals that waits longer.
pub(crate) fn longest(one: Option<Limited>, other: Option<Limited>) -> Option<Limited> {
    one.into_iter()
        .chain(other)
        .max_by_key(|limited| limited.wait)
}

/// Makes every charge, or none.
pub(crate) fn charge(
    charges: &[Charge],
    ledger: &mut Ledger,
    now: Timestamp,
) -> Result<Vec<Counted>, Limited> {
    let mut longest: Option<Limited> = None;
    let mut admitted = Vec::new();
    for charge in charges.iter().filter(|charge| !charge.limit.is_off()) {
        let &Charge {
            ref subject,
            bucket,
            name,
            limit,
        } = charge;
        let now = ledger.instant(subject, now);
        match limit.admit(ledger.counters(subject).buckets[bucket], now) {
            Admission::Admitted(next) => admitted.push((charge, next)),
            Admission::Wait(wait) => {
                if longest.is_none_or(|limited| limited.wait < wait) {
                    longest = Some(Limited { name, limit, wait });
                }
            }
        }
    }
    if let Some(limited) = longest {
        return Err(limited);
    }
    let counted = admitted.into_iter().map(|(charge, next)| {
        let mut counters = ledger.counters(&charge.subject);
        counters.buckets[charge.bucket] = next;
        ledger.put(&charge.subject, counters, now);
        let Charge { name, limit, .. } = *charge;
        Counted {
            name,
            limit,
            allowance: limit.allowance(next, ledger.instant(&charge.subject, now)),
        }
    });
    Ok(counted.collect())
}
