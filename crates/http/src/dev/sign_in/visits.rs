//! Who is signing in: what an application keeps in its own sessions.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use otpost_domain::{SessionId, Timestamp};

/// Far more people than ever try the form at once.
const COUNT_MAX: usize = 200;

/// One person on the way through the form.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) session_id: SessionId,
    pub(super) email: String,
    /// When the mail can be asked for again.
    pub(super) resend_at: Timestamp,
    pub(super) is_verified: bool,
}

/// Everyone, by the value of their cookie; the newest last.
#[derive(Default)]
pub(super) struct Visits(Mutex<VecDeque<(String, Visit)>>);

impl Visits {
    pub(super) fn find(&self, id: &str) -> Option<Visit> {
        let visits = self.locked();
        let found = visits.iter().find(|(known, _)| known == id);
        found.map(|(_, visit)| visit.clone())
    }

    pub(super) fn begin(&self, id: &str, visit: Visit) {
        let mut visits = self.locked();
        if visits.len() == COUNT_MAX {
            visits.pop_front();
        }
        visits.push_back((id.to_owned(), visit));
    }

    pub(super) fn wait_until(&self, id: &str, resend_at: Timestamp) {
        let mut visits = self.locked();
        let found = visits.iter_mut().find(|(known, _)| known == id);
        if let Some((_, visit)) = found {
            visit.resend_at = resend_at;
        }
    }

    /// The person has signed in, and has another cookie.
    pub(super) fn verified(&self, id: &str, new: &str, email: &str) {
        let mut visits = self.locked();
        let found = visits.iter_mut().find(|(known, _)| known == id);
        if let Some((known, visit)) = found {
            new.clone_into(known);
            email.clone_into(&mut visit.email);
            visit.is_verified = true;
        }
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(String, Visit)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit() -> Visit {
        Visit {
            session_id: SessionId::NONE,
            email: "a@b.example".to_owned(),
            resend_at: Timestamp::from_millis(0),
            is_verified: false,
        }
    }

    #[test]
    fn whoever_signed_in_is_known_by_another_cookie() {
        let visits = Visits::default();
        visits.begin("before", visit());
        visits.verified("before", "after", "a@b.example");
        assert!(visits.find("before").is_none());
        assert!(visits.find("after").unwrap().is_verified);
    }

    #[test]
    fn many_people_take_bounded_room_and_the_oldest_goes() {
        let visits = Visits::default();
        for number in 0..=COUNT_MAX {
            visits.begin(&number.to_string(), visit());
        }
        assert!(visits.find("0").is_none());
        assert!(visits.find("1").is_some());
        assert_eq!(visits.locked().len(), COUNT_MAX);
    }
}
