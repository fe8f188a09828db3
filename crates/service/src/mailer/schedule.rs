//! When a mail is tried again, and when it is of use no more.

use otpost_domain::{Session, Status, Timestamp};

/// Seconds before each further try; the last one repeats.
const BACKOFF_SECS: [u32; 4] = [1, 4, 15, 60];
/// A repeat is of use only while the reader has so many seconds left to answer, or a third of the
/// lifetime where that is less.
const REMAINING_SECS_MIN: u32 = 30;

/// When the mail of `session` is tried again after `tries` failed tries; `None` when its code
/// would then be of use no more.
pub(super) fn next_try(session: &Session, tries: u32, now: Timestamp) -> Option<Timestamp> {
    let step = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = BACKOFF_SECS[step.min(BACKOFF_SECS.len() - 1)];
    let remaining = REMAINING_SECS_MIN.min(session.terms().lifetime_secs() / 3);
    let due_at = now.plus_secs(wait);
    let last = session.expires_at().minus_secs(remaining);
    (session.status(now) == Status::Pending && due_at <= last).then_some(due_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::{Terms, TermsRecord};
    use otpost_testkit::sample::{NOON, session_id, terms};

    fn session(lifetime_secs: u32) -> Session {
        let terms = TermsRecord {
            lifetime_secs,
            ..terms()
        };
        Session::open(session_id(1, NOON), Terms::new(terms).unwrap(), NOON)
    }

    #[test]
    fn tries_are_spaced_by_1_4_15_and_then_60_seconds() {
        let session = session(300);
        let waits = [1, 2, 3, 4, 5]
            .map(|tries| next_try(&session, tries, NOON).map(|due_at| NOON.secs_until(due_at)));
        assert_eq!(waits, [Some(1), Some(4), Some(15), Some(60), Some(60)]);
    }

    #[test]
    fn nothing_is_tried_in_the_last_half_minute() {
        let session = session(300);
        assert!(next_try(&session, 1, NOON.plus_secs(269)).is_some());
        assert!(next_try(&session, 1, NOON.plus_secs(270)).is_none());
        assert!(next_try(&session, 4, NOON.plus_secs(211)).is_none());
    }

    #[test]
    fn a_short_lifetime_keeps_a_third_for_the_reader() {
        let session = session(30);
        assert!(next_try(&session, 1, NOON.plus_secs(19)).is_some());
        assert!(next_try(&session, 1, NOON.plus_secs(20)).is_none());
    }
}
