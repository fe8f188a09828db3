//! What a storage in memory forgets.

use otpost_domain::{Profile, Standing, Timestamp};
use otpost_ports::{AUDIT_RETENTION_SECS, FAILURES_RETENTION_SECS, Purged, Subject};

use super::{Tables, at_most};

/// After how long a limit owes nothing, in seconds: two days.
const OWING_SECS: u32 = 2 * 86_400;

impl Tables {
    /// Forgets what is over at `now`: of each kind at most `limit`.
    pub(super) fn purge(&mut self, now: Timestamp, limit: u32) -> Purged {
        let (closed, deleted) = (self.close(now, limit), self.delete(now, limit));
        let most = [
            closed,
            deleted,
            self.forget_answers(now, limit),
            self.forget_counters(now, limit),
            self.forget_entries(now, limit),
        ];
        Purged {
            closed,
            deleted,
            is_full: most.contains(&u64::from(limit)),
        }
    }

    fn close(&mut self, now: Timestamp, limit: u32) -> u64 {
        let rows = self.sessions.values_mut();
        let over = rows.filter(|row| {
            let session = &row.stored.session;
            session.pending().is_some() && now >= session.hard_end()
        });
        let mut closed = 0;
        for row in over.take(at_most(limit)) {
            row.stored.session = row.stored.session.clone().close_at_hard_end(now);
            row.stored.erase_if_ended();
            closed += 1;
        }
        closed
    }

    fn delete(&mut self, now: Timestamp, limit: u32) -> u64 {
        let rows = self.sessions.iter();
        let over = rows.filter(|(_, row)| !row.stored.is_retained(now));
        let ids: Vec<_> = over.map(|(id, _)| *id).take(at_most(limit)).collect();
        let mut deleted = 0;
        for id in ids {
            self.sessions.remove(&id);
            deleted += 1;
        }
        deleted
    }

    fn forget_answers(&mut self, now: Timestamp, limit: u32) -> u64 {
        let kept = self.kept_answers.iter();
        let over = kept.filter(|(_, answer)| now >= answer.once.until);
        let keys: Vec<_> = over.map(|(key, _)| *key).take(at_most(limit)).collect();
        let mut forgotten = 0;
        for key in keys {
            self.kept_answers.remove(&key);
            forgotten += 1;
        }
        forgotten
    }

    fn forget_counters(&mut self, now: Timestamp, limit: u32) -> u64 {
        let over = self.counters.iter().filter(|(subject, counters)| {
            let retention_secs = retention_secs(subject, counters.failures);
            let over_at = counters.used_at.zip(retention_secs);
            over_at.is_some_and(|(at, secs)| now >= at.plus_secs(secs))
        });
        let subjects = over.map(|(subject, _)| subject.clone());
        let subjects: Vec<_> = subjects.take(at_most(limit)).collect();
        let mut forgotten = 0;
        for subject in subjects {
            self.counters.remove(&subject);
            forgotten += 1;
        }
        forgotten
    }

    fn forget_entries(&mut self, now: Timestamp, limit: u32) -> u64 {
        let mut forgotten = 0;
        self.audit.retain(|entry| {
            let is_over = now >= entry.at.plus_secs(AUDIT_RETENTION_SECS);
            let is_forgotten = is_over && forgotten < u64::from(limit);
            forgotten += u64::from(is_forgotten);
            !is_forgotten
        });
        forgotten
    }
}

/// For how long counters are kept that nobody changes; `None` for ever.
fn retention_secs(subject: &Subject, failures: u32) -> Option<u32> {
    let is_address = Subject::recipients().contains(subject);
    let is_on_hold = Standing::new(failures, Profile::Strict).is_on_hold();
    if failures == 0 {
        Some(OWING_SECS)
    } else if is_address && is_on_hold {
        None
    } else {
        Some(FAILURES_RETENTION_SECS)
    }
}
