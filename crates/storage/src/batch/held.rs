//! The rows that a batch holds: read and locked once, changed in memory, written once.

use std::collections::{BTreeMap, BTreeSet};

use otpost_domain::SessionId;
use otpost_ports::{
    Claim, KeptAnswer, Lease, Ledger, Once, Owner, RecipientDigest, StoreError, StoredSession,
    Subject,
};

use super::job::{Job, Names};
use crate::convert::delivery::{DELIVERIES, QUEUED};
use crate::convert::{self, mode_number};
use crate::entity::{counters, delivery, kept_answer, session};
use crate::error::{Overtaken, unavailable};
use crate::outbox::{is_due, readable};
use crate::rows::Rows;
use crate::tables::{Changed, Changes, Keyed, Tables};

/// A table's rows by their keys.
struct Held<E: Keyed> {
    rows: BTreeMap<Vec<u8>, E::Model>,
    /// Those that are stored already.
    stored: BTreeSet<Vec<u8>>,
    changed: BTreeSet<Vec<u8>>,
}

impl<E: Keyed> Held<E> {
    fn new(rows: Vec<E::Model>) -> Self {
        Self {
            stored: rows.iter().map(|row| E::key(row).clone()).collect(),
            rows: rows
                .into_iter()
                .map(|row| (E::key(&row).clone(), row))
                .collect(),
            changed: BTreeSet::new(),
        }
    }

    /// Reads and locks those of these rows that it does not have.
    async fn find(
        &mut self,
        tables: &impl Tables,
        keys: &BTreeSet<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let missing = keys.difference(&self.stored).cloned().collect();
        for row in tables.lock::<E>(&missing).await? {
            self.add(row);
        }
        Ok(())
    }

    /// A row that is stored as it is here.
    fn add(&mut self, row: E::Model) {
        self.stored.insert(E::key(&row).clone());
        self.rows.insert(E::key(&row).clone(), row);
    }

    /// Whether any of these rows is there that was not when they were asked for.
    async fn are_there_more(
        &self,
        tables: &impl Tables,
        keys: &BTreeSet<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let missing = keys.difference(&self.stored).cloned().collect();
        Ok(!tables.read::<E>(&missing).await?.is_empty())
    }

    fn get(&self, key: &[u8]) -> Option<&E::Model> {
        self.rows.get(key)
    }

    fn put(&mut self, row: E::Model) {
        self.changed.insert(E::key(&row).clone());
        self.rows.insert(E::key(&row).clone(), row);
    }

    /// What changed, in the order of the keys.
    fn changed(mut self) -> Changed<E> {
        let mut changed = Changed::default();
        for key in &self.changed {
            let Some(row) = self.rows.remove(key) else {
                continue;
            };
            if self.stored.contains(key) {
                changed.old.push(row);
            } else {
                changed.new.push(row);
            }
        }
        changed
    }
}

/// Everything that a batch reads and writes. Rows are locked in one order by all: sessions, mails,
/// kept answers, counters, each by its key; and at last the mails to hand out, of which those that others hold are left out. What is not there cannot be locked: of two who insert the
/// same row, the second is undone, and then finds it.
pub(super) struct HeldRows {
    sessions: Held<session::Entity>,
    mails: Held<delivery::Entity>,
    answers: Held<kept_answer::Entity>,
    counters: Held<counters::Entity>,
    ledger: Ledger,
    /// So many mails this batch hands out.
    handed_out: u32,
}

impl HeldRows {
    /// Reads and locks the sessions and mails that jobs name.
    pub(super) async fn load(tables: &impl Tables, names: &Names) -> Result<Self, StoreError> {
        Ok(Self {
            sessions: Held::new(tables.lock::<session::Entity>(&names.sessions).await?),
            mails: mails(tables, names).await?,
            answers: Held::new(Vec::new()),
            counters: Held::new(Vec::new()),
            ledger: Ledger::default(),
            handed_out: 0,
        })
    }

    /// Reads and locks what sessions share, and says whose counters each of the jobs reads or writes.
    ///
    /// A statement does not see what was inserted while it waited. So the rows of projects, which come
    /// first in the order, are locked by a statement of their own: whoever waits for a batch of the
    /// same project then sees all that it left.
    pub(super) async fn load_shared(
        &mut self,
        tables: &impl Tables,
        names: &Names,
        jobs: &[Job],
    ) -> Result<Vec<BTreeSet<Subject>>, StoreError> {
        let subjects: Vec<_> = jobs.iter().map(|job| self.subjects(job)).collect();
        let all = subjects.iter().flatten();
        let mut projects: BTreeSet<_> = all.map(|subject| subject.as_bytes().to_vec()).collect();
        let others = projects.split_off(Subject::recipients().start.as_bytes());
        self.answers.find(tables, &names.answers).await?;
        self.counters.find(tables, &projects).await?;
        if tables.may_wait() && self.answers.are_there_more(tables, &names.answers).await? {
            return Err(unavailable(Overtaken));
        }
        self.counters.find(tables, &others).await?;
        let rows = self.counters.rows.values().cloned();
        let rows: Result<Vec<_>, _> = rows.map(convert::counters::read).collect();
        self.ledger = Ledger::new(rows?);
        Ok(subjects)
    }

    /// Whose counters a job reads or writes.
    fn subjects(&self, job: &Job) -> BTreeSet<Subject> {
        match job {
            Job::Open(opening, _) => opening.subjects(),
            Job::Apply(id, command, _) => {
                command.subjects(self.recipient(&command.owner, id).as_ref())
            }
            Job::Settle(..) | Job::Claim(..) => BTreeSet::new(),
        }
    }

    fn session(&self, owner: &Owner, id: &SessionId) -> Option<&session::Model> {
        let found = self.sessions.get(id.as_bytes());
        found.filter(|session| {
            session.project == owner.project.as_str() && session.mode == mode_number(owner.mode)
        })
    }

    /// Of a session for its owner; what cannot be read is judged, and reported, later.
    fn recipient(&self, owner: &Owner, id: &SessionId) -> Option<RecipientDigest> {
        let digest = &self.session(owner, id)?.recipient;
        <[u8; 32]>::try_from(&digest[..]).ok().map(RecipientDigest)
    }

    /// A session as it stands now, for its owner only.
    pub(super) fn stored(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        let Some(session) = self.session(owner, id) else {
            return Ok(None);
        };
        let delivery = self
            .mail(id)
            .ok_or_else(|| DELIVERIES.corrupt("a session has no mail"))?;
        let rows = Rows {
            session: session.clone(),
            delivery: delivery.clone(),
        };
        rows.read().map(Some)
    }

    /// The mail of a session as it stands now.
    pub(super) fn mail(&self, session: &SessionId) -> Option<&delivery::Model> {
        self.mails.get(session.as_bytes())
    }

    /// The answer that is kept under the key of a wish.
    pub(super) fn kept(&self, once: Option<Once>) -> Result<Option<KeptAnswer>, StoreError> {
        let row = once.and_then(|once| self.answers.get(&once.key.0));
        row.cloned().map(convert::kept_answer::read).transpose()
    }

    /// What is counted of these subjects.
    pub(super) fn ledger(&self, subjects: &BTreeSet<Subject>) -> Ledger {
        self.ledger.of(subjects)
    }

    pub(super) fn put_session(&mut self, stored: &StoredSession) {
        self.sessions.put(convert::session::row(stored));
    }

    pub(super) fn put_mail(&mut self, mail: delivery::Model) {
        self.mails.put(mail);
    }

    /// What a decision counted, and the answer that it keeps.
    pub(super) fn count(&mut self, decided: Ledger, kept: Option<&KeptAnswer>) {
        self.ledger.take_over(decided);
        if let Some(kept) = kept {
            self.answers.put(convert::kept_answer::row(kept));
        }
    }

    /// A session that is new, with its mail.
    pub(super) fn open(&mut self, stored: &StoredSession, lease: Option<Lease>) {
        self.put_session(stored);
        let mut mail = convert::delivery::row(stored.session.id(), &stored.delivery);
        if let Some(lease) = lease {
            hold(&mut mail, lease);
        }
        self.put_mail(mail);
    }

    /// Hands out mails that are due, as this batch leaves them: one that was queued in it may be among them.
    /// One that cannot be read is leased too, or it would hold up the others.
    pub(super) async fn claim(
        &mut self,
        tables: &impl Tables,
        claim: &Claim,
    ) -> Result<Vec<StoredSession>, StoreError> {
        // Those that this batch handed out before are still due in the table. So is one whose lease ran
        // out and that is settled here, which is rare: it takes a place, and one fewer is handed out.
        let limit = claim.limit.saturating_add(self.handed_out);
        let mut candidates = self.mails.changed.clone();
        for mail in tables.due_mails(&Claim { limit, ..*claim }).await? {
            if candidates.insert(mail.session_id.clone()) {
                self.mails.add(mail);
            }
        }
        let mails = candidates.iter().filter_map(|id| self.mails.get(id));
        let due = mails.filter(|mail| is_due(mail, claim.now)).cloned();
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|mail| mail.due_at);
        due.truncate(usize::try_from(claim.limit).unwrap_or(usize::MAX));
        self.handed_out += u32::try_from(due.len()).unwrap_or(claim.limit);

        let ids = due.iter().map(|mail| mail.session_id.clone());
        let others = ids.filter(|id| self.sessions.get(id).is_none()).collect();
        // Read when nobody changes the mails any more: a mail and its session are of one moment.
        let others = Held::<session::Entity>::new(tables.read::<session::Entity>(&others).await?);
        let claimed = due.into_iter().filter_map(|mut mail| {
            hold(&mut mail, claim.lease);
            self.mails.put(mail.clone());
            let session = self.sessions.get(&mail.session_id);
            let session = session.or_else(|| others.get(&mail.session_id));
            readable((mail, session.cloned()))
        });
        Ok(claimed.collect())
    }

    /// Writes what changed, and says whether anything did.
    pub(super) async fn save(mut self, tables: &impl Tables) -> Result<bool, StoreError> {
        for (subject, counters) in self.ledger.changes() {
            self.counters.put(convert::counters::row(subject, counters));
        }
        let changes = Changes {
            sessions: self.sessions.changed(),
            mails: self.mails.changed(),
            answers: self.answers.changed(),
            counters: self.counters.changed(),
        };
        if changes.is_empty() {
            return Ok(false);
        }
        tables.write(&changes).await?;
        Ok(true)
    }
}

/// The mails of these sessions, and these other mails. Who changes a mail that waits, such as one who
/// just tried to send it, need not hold its session; one that does not wait only changes with that.
async fn mails(tables: &impl Tables, names: &Names) -> Result<Held<delivery::Entity>, StoreError> {
    let mut to_lock = names.mails.clone();
    let rest = names.sessions.difference(&to_lock).cloned().collect();
    let mut mails = tables.read::<delivery::Entity>(&rest).await?;
    mails.retain(|mail| {
        let is_waiting = mail.state == QUEUED;
        if is_waiting {
            to_lock.insert(mail.session_id.clone());
        }
        !is_waiting
    });
    mails.extend(tables.lock::<delivery::Entity>(&to_lock).await?);
    Ok(Held::new(mails))
}

/// From now on the mail is somebody's.
fn hold(mail: &mut delivery::Model, lease: Lease) {
    mail.lease_token = Some(lease.token.0.to_vec());
    mail.lease_until = Some(lease.until.as_millis());
}
