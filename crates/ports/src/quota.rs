//! What is counted, for whom, and against which limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use otpost_domain::{
    Admission, Allowance, Bucket, Limit, Profile, ProjectName, Standing, Timestamp,
};

use crate::{NetworkDigest, Owner, RecipientDigest};

/// Whom something is counted for. All that is counted for one subject is one row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Vec<u8>);

impl Subject {
    /// All projects together.
    #[must_use]
    pub fn installation() -> Self {
        Self(vec![0])
    }

    /// A project.
    #[must_use]
    pub fn project(project: &ProjectName) -> Self {
        Self::joined(1, &[], project)
    }

    /// A recipient, over all projects. Its failures are counted here.
    #[must_use]
    pub fn recipient(recipient: &RecipientDigest) -> Self {
        Self([&[2], &recipient.0[..]].concat())
    }

    /// A recipient, as one project knows it.
    #[must_use]
    pub fn recipient_of(project: &ProjectName, recipient: &RecipientDigest) -> Self {
        Self::joined(3, &recipient.0, project)
    }

    /// A network from which people reach a project.
    #[must_use]
    pub fn network_of(project: &ProjectName, network: &NetworkDigest) -> Self {
        Self::joined(4, &network.0, project)
    }

    fn joined(kind: u8, digest: &[u8], project: &ProjectName) -> Self {
        Self([&[kind], digest, project.as_str().as_bytes()].concat())
    }

    /// The subject that was kept as these bytes.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to keep: no address and no network, only their digests.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Subject(kind {})",
            self.0.first().copied().unwrap_or_default()
        )
    }
}

/// What is kept of one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What it has used of its limits.
    pub buckets: [Bucket; 3],
    /// Wrong guesses since the last success; of recipients only.
    pub failures: u32,
}

/// The counters that a decision reads and writes.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    rows: BTreeMap<Subject, Counters>,
    changed: BTreeSet<Subject>,
}

impl Ledger {
    /// A ledger of these rows. What has no row was never counted.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = (Subject, Counters)>) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            changed: BTreeSet::new(),
        }
    }

    /// What is kept of `subject`.
    #[must_use]
    pub fn counters(&self, subject: &Subject) -> Counters {
        self.rows.get(subject).copied().unwrap_or_default()
    }

    /// The rows to write.
    pub fn changes(&self) -> impl Iterator<Item = (&Subject, &Counters)> {
        self.changed
            .iter()
            .filter_map(|subject| self.rows.get_key_value(subject))
    }

    pub(crate) fn put(&mut self, subject: &Subject, counters: Counters) {
        if self.counters(subject) != counters {
            self.rows.insert(subject.clone(), counters);
            self.changed.insert(subject.clone());
        }
    }
}

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
    /// the caller.
    #[must_use]
    pub fn subjects(
        &self,
        owner: &Owner,
        recipient: Option<&RecipientDigest>,
    ) -> BTreeSet<Subject> {
        let caller = self.caller.iter().map(|charge| charge.subject.clone());
        let recipient = recipient.into_iter().flat_map(|recipient| {
            [
                Subject::recipient(recipient),
                Subject::recipient_of(&owner.project, recipient),
            ]
        });
        let project = Subject::project(&owner.project);
        caller.chain([project]).chain(recipient).collect()
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
        let failures = ledger.counters(&Subject::recipient(recipient)).failures;
        let is_past = matches!(
            self.one_more_failure(owner, ledger, now),
            Admission::Wait(_)
        );
        Standing::new(failures, self.profile).with_single_guess(is_past)
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
        let counters = ledger.counters(&address);
        let failures = counters.failures.saturating_add(1);
        ledger.put(
            &address,
            Counters {
                failures,
                ..counters
            },
        );
        self.change_failures(owner, ledger, |limit, bucket| {
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
        let address = Subject::recipient(recipient);
        let counters = ledger.counters(&address);
        ledger.put(
            &address,
            Counters {
                failures: 0,
                ..counters
            },
        );
        self.change_failures(owner, ledger, |limit, bucket| {
            limit.give_back(bucket, SUCCESS_TENTHS, now)
        });
    }

    fn change_failures(
        &self,
        owner: &Owner,
        ledger: &mut Ledger,
        change: impl FnOnce(Limit, Bucket) -> Bucket,
    ) {
        let project = Subject::project(&owner.project);
        let mut counters = ledger.counters(&project);
        let bucket = &mut counters.buckets[FAILURES_BUCKET];
        *bucket = change(self.failures, *bucket);
        ledger.put(&project, counters);
    }
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
        ledger.put(&charge.subject, counters);
        let Charge { name, limit, .. } = *charge;
        Counted {
            name,
            limit,
            allowance: limit.allowance(next, now),
        }
    });
    Ok(counted.collect())
}
