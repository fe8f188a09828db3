//! The rows that a batch holds: read and locked once, changed in memory, written once.

use std::collections::{BTreeMap, BTreeSet};

use otpost_domain::SessionId;
use otpost_ports::{
    KeptAnswer, Ledger, Once, Owner, RecipientDigest, StoreError, StoredSession, Subject,
};
use sea_orm::DatabaseTransaction;

use super::job::Job;
use crate::convert::delivery::DELIVERIES;
use crate::convert::session::{CHANGING, SESSIONS};
use crate::convert::{self, mode_number};
use crate::engine::Engine;
use crate::entity::{delivery, kept_answer, session};
use crate::rows::Rows;
use crate::{answers, counters, many};

/// The key of a session.
const ID: session::Column = session::Column::Id;

/// A table of rows by their keys, with those that changed.
struct Held<M> {
    rows: BTreeMap<Vec<u8>, M>,
    changed: BTreeSet<Vec<u8>>,
}

impl<M> Held<M> {
    fn new(rows: Vec<M>, key: impl Fn(&M) -> &Vec<u8>) -> Self {
        Self {
            rows: rows
                .into_iter()
                .map(|row| (key(&row).clone(), row))
                .collect(),
            changed: BTreeSet::new(),
        }
    }

    fn put(&mut self, key: Vec<u8>, row: M) {
        self.rows.insert(key.clone(), row);
        self.changed.insert(key);
    }

    /// The rows to write, in the order of their keys.
    fn changes(&mut self) -> Vec<M> {
        let changed = std::mem::take(&mut self.changed);
        let changed = changed.iter();
        changed.filter_map(|key| self.rows.remove(key)).collect()
    }
}

/// Everything that a batch reads and writes. Rows are locked in one order by all: sessions, mails,
/// kept answers, counters, each by its key.
pub(super) struct HeldRows {
    sessions: Held<session::Model>,
    mails: Held<delivery::Model>,
    answers: Held<kept_answer::Model>,
    ledger: Ledger,
    new_sessions: Vec<session::Model>,
    new_mails: Vec<delivery::Model>,
}

impl HeldRows {
    /// Reads and locks what these jobs name, and says whose counters each of them reads or writes.
    pub(super) async fn load(
        engine: Engine,
        transaction: &DatabaseTransaction,
        jobs: &[Job],
    ) -> Result<(Self, Vec<BTreeSet<Subject>>), StoreError> {
        let (mut sessions, mut mails) = (BTreeSet::new(), BTreeSet::new());
        for job in jobs {
            job.read(&mut sessions, &mut mails);
        }
        let onces = jobs.iter().filter_map(Job::once);
        let keys = onces.map(|once| once.key.0.to_vec()).collect();

        let of = delivery::Column::SessionId;
        let sessions =
            many::load_to_change::<session::Entity>(engine, transaction, ID, &sessions, SESSIONS)
                .await?;
        // After their sessions: whoever waits for one of those then reads the mail as it was left.
        let mails =
            many::load_to_change::<delivery::Entity>(engine, transaction, of, &mails, DELIVERIES)
                .await?;
        let mut held = Self {
            sessions: Held::new(sessions, |row| &row.id),
            mails: Held::new(mails, |row| &row.session_id),
            answers: Held::new(
                answers::load_to_change(engine, transaction, &keys).await?,
                |row| &row.key,
            ),
            ledger: Ledger::default(),
            new_sessions: Vec::new(),
            new_mails: Vec::new(),
        };
        let subjects: Vec<_> = jobs.iter().map(|job| held.subjects(job)).collect();
        let all = subjects.iter().flatten().cloned().collect();
        held.ledger = counters::load_to_change(engine, transaction, &all).await?;
        Ok((held, subjects))
    }

    /// Whose counters a job reads or writes.
    fn subjects(&self, job: &Job) -> BTreeSet<Subject> {
        match job {
            Job::Open(opening, _) => opening.subjects(),
            Job::Apply(id, command, _) => {
                command.subjects(self.recipient(&command.owner, id).as_ref())
            }
            Job::Settle(..) => BTreeSet::new(),
        }
    }

    fn session(&self, owner: &Owner, id: &SessionId) -> Option<&session::Model> {
        let found = self.sessions.rows.get(&id.as_bytes()[..]);
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
        self.mails.rows.get(&session.as_bytes()[..])
    }

    /// The answer that is kept under the key of a wish.
    pub(super) fn kept(&self, once: Option<Once>) -> Result<Option<KeptAnswer>, StoreError> {
        let row = once.and_then(|once| self.answers.rows.get(&once.key.0[..]));
        row.cloned().map(convert::kept_answer::read).transpose()
    }

    /// What is counted of these subjects.
    pub(super) fn ledger(&self, subjects: &BTreeSet<Subject>) -> Ledger {
        self.ledger.of(subjects)
    }

    pub(super) fn put_session(&mut self, stored: &StoredSession) {
        let row = convert::session::row(stored);
        self.sessions.put(row.id.clone(), row);
    }

    pub(super) fn put_mail(&mut self, mail: delivery::Model) {
        self.mails.put(mail.session_id.clone(), mail);
    }

    pub(super) fn keep(&mut self, answer: Option<&KeptAnswer>) {
        if let Some(answer) = answer {
            let row = convert::kept_answer::row(answer);
            self.answers.put(row.key.clone(), row);
        }
    }

    pub(super) fn count(&mut self, decided: Ledger) {
        self.ledger.take_over(decided);
    }

    /// A session that is new, with its mail.
    pub(super) fn open(&mut self, stored: &StoredSession) {
        let mail = convert::delivery::row(stored.session.id(), &stored.delivery);
        self.new_sessions.push(convert::session::row(stored));
        self.new_mails.push(mail);
    }

    /// Writes what changed, one statement a table, and says whether anything did.
    pub(super) async fn save(
        mut self,
        engine: Engine,
        transaction: &DatabaseTransaction,
    ) -> Result<bool, StoreError> {
        let sessions = self.sessions.changes();
        let mails = self.mails.changes();
        let answers = self.answers.changes();
        let is_any = [
            sessions.len(),
            mails.len(),
            answers.len(),
            self.new_sessions.len(),
        ] != [0; 4];
        many::update::<session::Entity>(engine, transaction, &sessions, ID, &CHANGING).await?;
        many::insert::<session::Entity>(engine, transaction, &self.new_sessions).await?;
        let of = delivery::Column::SessionId;
        many::update::<delivery::Entity>(
            engine,
            transaction,
            &mails,
            of,
            &convert::delivery::CHANGING,
        )
        .await?;
        many::insert::<delivery::Entity>(engine, transaction, &self.new_mails).await?;
        answers::save(engine, transaction, &answers).await?;
        let is_counted = counters::save(engine, transaction, &self.ledger).await?;
        Ok(is_any || is_counted)
    }
}
