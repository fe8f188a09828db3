//! When a mail is tried again, and when it is of use no more.

use std::time::Duration;

use otpost_domain::{Session, Standing, Status, Timestamp};

/// Seconds before each further try; the last one repeats.
const BACKOFF_SECS: [u32; 4] = [1, 4, 15, 60];
/// A repeat is of use only while the reader has so many seconds left to answer, or a third of the
/// lifetime where that is less.
const REMAINING_SECS_MIN: u32 = 30;

/// How much earlier the last repeat is due, in seconds: it is taken up a moment after it is due.
const LATE_SECS_MAX: u32 = 2;

/// How soon a mail that found no turn asks for one again, whatever it was told.
const TURN_MIN: Duration = Duration::from_secs(1);
/// And how late: things change.
const TURN_MAX: Duration = Duration::from_secs(30);

/// When the mail of `session` is due again after `tries` failed tries. The last time at which a
/// repeat is of use is not passed over, unless it is past.
pub(super) fn next_try(session: &Session, tries: u32, now: Timestamp) -> Timestamp {
    let step = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = BACKOFF_SECS[step.min(BACKOFF_SECS.len() - 1)];
    in_time(session, now.plus_secs(wait), now)
}

/// `due`, or the last repeat where that is sooner; once that is past, when the mail is of no use
/// any more, so that it is given up then and no later.
fn in_time(session: &Session, due: Timestamp, now: Timestamp) -> Timestamp {
    let end = last_repeat(session);
    let last = end.minus_secs(LATE_SECS_MAX);
    if now < last {
        due.min(last)
    } else {
        Timestamp::from_millis(end.as_millis() + 1).max(now)
    }
}

/// When a mail that found no turn is due again, told to come back after `wait`. The last time at
/// which a repeat is of use is not passed over, unless it is past.
pub(super) fn next_turn(session: &Session, wait: Duration, now: Timestamp) -> Timestamp {
    let after = |wait: Duration| {
        let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(now.as_millis().saturating_add(millis))
    };
    let soonest = after(TURN_MIN);
    in_time(session, after(wait.min(TURN_MAX)), now).max(soonest)
}

/// Whether the reader can still answer a mail that is tried at `now`, after `tries` failed tries.
pub(crate) fn is_of_use(session: &Session, tries: u32, now: Timestamp) -> bool {
    session.status(Standing::default(), now) == Status::Pending
        && (tries == 0 || now <= last_repeat(session))
}

fn last_repeat(session: &Session) -> Timestamp {
    let remaining = REMAINING_SECS_MIN.min(session.terms().lifetime_secs() / 3);
    session.expires_at().minus_secs(remaining)
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
        let waits = [1, 2, 3, 4, 5].map(|tries| NOON.secs_until(next_try(&session, tries, NOON)));
        assert_eq!(waits, [1, 4, 15, 60, 60]);
    }

    #[test]
    fn the_last_try_is_when_half_a_minute_is_left_to_answer() {
        let session = session(300);
        let last = next_try(&session, 4, NOON.plus_secs(250));
        assert_eq!(last, NOON.plus_secs(268));
        // A mailer looks every half second.
        let taken_up = Timestamp::from_millis(last.as_millis() + 500);
        assert!(is_of_use(&session, 4, taken_up));

        for (late, next) in [(268, 270_001), (270, 270_001), (271, 271_000)] {
            let due = next_try(&session, 4, NOON.plus_secs(late));
            assert_eq!(NOON.until(due).as_millis(), next, "given up and not tried");
            assert!(!is_of_use(&session, 4, due));
        }
    }

    #[test]
    fn the_last_try_of_the_shortest_session_is_of_use_when_it_is_taken_up() {
        let session = session(30);
        let last = next_try(&session, 3, NOON.plus_secs(6));
        assert_eq!(last, NOON.plus_secs(18));
        let taken_up = Timestamp::from_millis(last.as_millis() + 500);
        assert!(is_of_use(&session, 3, taken_up));
    }

    #[test]
    fn a_short_lifetime_keeps_a_third_for_the_reader() {
        let session = session(30);
        assert!(is_of_use(&session, 1, NOON.plus_secs(20)));
        assert!(!is_of_use(&session, 1, NOON.plus_secs(21)));
    }

    #[test]
    fn a_mail_without_a_turn_comes_back_when_it_was_told_and_before_it_is_of_no_use() {
        let session = session(300);
        let waits = |now| {
            [0, 1_500, 29_000, 3_600_000].map(|millis| {
                let due = next_turn(&session, Duration::from_millis(millis), now);
                now.until(due).as_millis()
            })
        };
        assert_eq!(waits(NOON), [1_000, 1_500, 29_000, 30_000]);
        assert_eq!(waits(NOON.plus_secs(265)), [1_000, 1_500, 3_000, 3_000]);
        assert_eq!(waits(NOON.plus_secs(280)), [1_000; 4]);
    }

    #[test]
    fn a_first_try_is_of_use_until_the_code_is_too_late() {
        let session = session(300);
        assert!(is_of_use(&session, 0, NOON.plus_secs(299)));
        assert!(!is_of_use(&session, 0, NOON.plus_secs(300)));
    }
}
