//! What is counted: for whom, and how much of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use otpost_domain::{Bucket, ProjectName, Timestamp};

use crate::{NetworkDigest, RecipientDigest};

/// Whom something is counted for; a clone shares the bytes. All that is counted for one subject is one row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Arc<[u8]>);

impl Subject {
    /// All projects together.
    #[must_use]
    pub fn installation() -> Self {
        Self(Arc::new([0]))
    }

    /// A project.
    #[must_use]
    pub fn project(project: &ProjectName) -> Self {
        Self::joined(1, &[], project)
    }

    /// A recipient, over all projects. Its failures are counted here.
    #[must_use]
    pub fn recipient(recipient: &RecipientDigest) -> Self {
        Self([&[2], &recipient.0[..]].concat().into())
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

    /// Every recipient, over all projects.
    #[must_use]
    pub fn recipients() -> Range<Self> {
        Self(Arc::new([2]))..Self(Arc::new([3]))
    }

    /// A recipient, as any project knows it.
    #[must_use]
    pub fn recipient_in_projects(recipient: &RecipientDigest) -> RangeInclusive<Self> {
        let first = [&[3], &recipient.0[..]].concat();
        // A project's name follows, which is ASCII: every subject is below this one.
        let last = [&first[..], &[u8::MAX]].concat();
        Self(first.into())..=Self(last.into())
    }

    fn joined(kind: u8, digest: &[u8], project: &ProjectName) -> Self {
        Self(
            [&[kind], digest, project.as_str().as_bytes()]
                .concat()
                .into(),
        )
    }

    /// The subject that was kept as these bytes.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
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
    /// Of a recipient: wrong guesses since its last success. Of a recipient as one project knows
    /// it: how many of those the project has forgiven.
    pub failures: u32,
    /// When the first of these failures was: those after a success are others.
    pub failing_since: Option<Timestamp>,
    /// The latest instant at which any of this was counted.
    pub used_at: Option<Timestamp>,
}

/// How much earlier than what was counted last a request may say it came, in seconds: longer than
/// any waits for its row, and than clocks of nodes differ. What is earlier still comes from a clock
/// that was set back, and is believed.
const OUT_OF_ORDER_SECS: u32 = 5;

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

    /// What is kept of these subjects alone, for one of the decisions that share a ledger.
    #[must_use]
    pub fn of(&self, subjects: &BTreeSet<Subject>) -> Self {
        let rows = subjects.iter();
        Self::new(rows.filter_map(|subject| Some((subject.clone(), *self.rows.get(subject)?))))
    }

    /// Takes over what such a decision changed.
    pub fn take_over(&mut self, decided: Self) {
        let Self { mut rows, changed } = decided;
        for subject in changed {
            if let Some(counters) = rows.remove(&subject) {
                self.rows.insert(subject.clone(), counters);
                self.changed.insert(subject);
            }
        }
    }

    /// The rows to write.
    pub fn changes(&self) -> impl Iterator<Item = (&Subject, &Counters)> {
        self.changed
            .iter()
            .filter_map(|subject| self.rows.get_key_value(subject))
    }

    /// Whether there is anything to write.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Wrong guesses at a recipient since its last success, as `project` counts them: what it has
    /// forgiven of these is left out.
    #[must_use]
    pub fn failures(&self, project: &ProjectName, recipient: &RecipientDigest) -> u32 {
        let all = self.counters(&Subject::recipient(recipient));
        let forgiven = self.counters(&Subject::recipient_of(project, recipient));
        if forgiven.failing_since == all.failing_since {
            all.failures.saturating_sub(forgiven.failures)
        } else {
            all.failures
        }
    }

    /// The instant at which what comes at `now` is counted for `subject`: requests that waited for
    /// one another are counted in the order in which they had their turn, and time never runs back
    /// between them. A burst would otherwise be one short when the first of it came last.
    #[must_use]
    pub fn instant(&self, subject: &Subject, now: Timestamp) -> Timestamp {
        let last = self.counters(subject).used_at;
        last.filter(|last| *last <= now.plus_secs(OUT_OF_ORDER_SECS))
            .map_or(now, |last| last.max(now))
    }

    /// Writes failures down, the first of which was at `failing_since`.
    pub(crate) fn put_failures(
        &mut self,
        subject: &Subject,
        failures: u32,
        failing_since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let counters = self.counters(subject);
        let counters = Counters {
            failures,
            failing_since,
            ..counters
        };
        self.put(subject, counters, now);
    }

    pub(crate) fn put(&mut self, subject: &Subject, counters: Counters, now: Timestamp) {
        if self.counters(subject) != counters {
            let used_at = Some(self.instant(subject, now));
            let counters = Counters {
                used_at,
                ..counters
            };
            self.rows.insert(subject.clone(), counters);
            self.changed.insert(subject.clone());
        }
    }
}
