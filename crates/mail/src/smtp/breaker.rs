//! When a relay that fails again and again is left alone, and when it is asked again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open the circuit. Fewer may be one bad moment; more would be so many
/// messages that waited for nothing.
const FAILURES_MAX: usize = 5;
/// How long a relay is left alone at first. Each probe that fails doubles it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// How long it is left alone at most: so long does a relay that works again wait for mail.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// After how long a message asks again at most while another one finds out.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(5);

/// What an exchange says about the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence<'a> {
    /// It answered, be it with a refusal of the one message.
    Works,
    /// It is in trouble.
    Fails,
    /// It is in trouble, or else this sender or this recipient's domain is: which of the two is
    /// known only when others fail as well.
    FailsFor(&'a str),
    /// Nothing: the exchange was given up from outside.
    Nothing,
}

/// The leave to ask a relay once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Regular,
    /// The circuit is open, and this message finds out whether it need be.
    Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Opened,
    Closed,
}

/// The circuit of one relay: without a clock, and without a log.
#[derive(Debug)]
struct Circuit(State);

#[derive(Debug)]
enum State {
    /// The relay is asked.
    Closed(Streak),
    /// It is not, until then.
    Open { until: Instant, pause: Duration },
    /// One message is on its way to find out; all others pass the relay over.
    Probing { pause: Duration },
}

/// The failures since the last success.
#[derive(Debug, Default)]
struct Streak {
    failures: usize,
    /// Whom they were for, where that may be the reason: each counts once. A domain that stalls,
    /// or a project's sender that is not wanted, must not close the way for all others.
    suspects: Vec<String>,
}

impl Circuit {
    /// How long the relay is left alone yet, as far as anyone can tell; `None` when it may be
    /// asked.
    fn left_alone(&self, now: Instant) -> Option<Duration> {
        match &self.0 {
            State::Closed(_) => None,
            State::Open { until, .. } => (now < *until).then(|| *until - now),
            // The probe may be back any moment, and need not be asked for each second.
            State::Probing { pause } => Some((*pause).min(PROBE_WAIT_MAX)),
        }
    }

    #[cfg(test)]
    fn is_open(&self, now: Instant) -> bool {
        self.left_alone(now).is_some()
    }

    fn admit(&mut self, now: Instant) -> Option<Pass> {
        match &self.0 {
            State::Closed(_) => Some(Pass::Regular),
            State::Open { until, pause } if *until <= now => {
                self.0 = State::Probing { pause: *pause };
                Some(Pass::Probe)
            }
            State::Open { .. } | State::Probing { .. } => None,
        }
    }

    fn report(&mut self, pass: Pass, evidence: Evidence<'_>, now: Instant) -> Option<Change> {
        match (&mut self.0, evidence) {
            (State::Closed(streak), Evidence::Works) => {
                *streak = Streak::default();
                None
            }
            // Also when it was sent before the circuit opened: it works now.
            (State::Open { .. } | State::Probing { .. }, Evidence::Works) => {
                self.0 = State::Closed(Streak::default());
                Some(Change::Closed)
            }
            (State::Closed(streak), Evidence::Fails | Evidence::FailsFor(_)) => {
                streak.count(evidence);
                (streak.failures >= FAILURES_MAX).then(|| {
                    self.open(PAUSE_MIN, now);
                    Change::Opened
                })
            }
            (State::Probing { pause }, Evidence::Fails) if pass == Pass::Probe => {
                let pause = (*pause * 2).min(PAUSE_MAX);
                self.open(pause, now);
                None
            }
            (State::Probing { pause }, Evidence::FailsFor(_)) if pass == Pass::Probe => {
                // Perhaps the recipient's domain alone: no reason to wait longer.
                let pause = *pause;
                self.open(pause, now);
                None
            }
            (State::Probing { pause }, Evidence::Nothing) if pass == Pass::Probe => {
                // The next message is the probe, and without another pause.
                let pause = *pause;
                self.0 = State::Open { until: now, pause };
                None
            }
            // What was sent before the circuit opened says nothing new.
            (
                State::Open { .. } | State::Probing { .. },
                Evidence::Fails | Evidence::FailsFor(_) | Evidence::Nothing,
            )
            | (State::Closed(_), Evidence::Nothing) => None,
        }
    }

    fn open(&mut self, pause: Duration, now: Instant) {
        let until = now + pause;
        self.0 = State::Open { until, pause };
    }
}

impl Streak {
    fn count(&mut self, evidence: Evidence<'_>) {
        if let Evidence::FailsFor(suspect) = evidence {
            if self.suspects.iter().any(|known| known == suspect) {
                return;
            }
            self.suspects.push(suspect.to_owned());
        }
        self.failures += 1;
    }
}

/// The circuit of the relay called `label`. It logs when it opens, and when it closes.
pub(super) struct Breaker {
    label: String,
    circuit: Mutex<Circuit>,
}

impl Breaker {
    pub(super) const fn new(label: String) -> Self {
        let streak = Streak {
            failures: 0,
            suspects: Vec::new(),
        };
        Self {
            label,
            circuit: Mutex::new(Circuit(State::Closed(streak))),
        }
    }

    /// How long the relay is left alone yet; `None` when it may be asked.
    pub(super) fn left_alone(&self) -> Option<Duration> {
        self.circuit().left_alone(Instant::now())
    }

    /// The leave to ask the relay; while it is left alone, how long yet.
    pub(super) fn admit(&self) -> Result<Admission<'_>, Duration> {
        let now = Instant::now();
        let mut circuit = self.circuit();
        let Some(pass) = circuit.admit(now) else {
            return Err(circuit.left_alone(now).unwrap_or_default());
        };
        Ok(Admission {
            breaker: self,
            pass: Some(pass),
        })
    }

    fn report(&self, pass: Pass, evidence: Evidence<'_>) {
        let change = self.circuit().report(pass, evidence, Instant::now());
        let relay = &self.label;
        match change {
            Some(Change::Opened) => tracing::warn!(relay, "the relay fails: it is left alone"),
            Some(Change::Closed) => tracing::info!(relay, "the relay works again"),
            None => {}
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One leave to ask a relay. Dropped unsaid, it says nothing about the relay.
pub(super) struct Admission<'a> {
    breaker: &'a Breaker,
    pass: Option<Pass>,
}

impl Admission<'_> {
    pub(super) fn report(mut self, evidence: Evidence<'_>) {
        if let Some(pass) = self.pass.take() {
            self.breaker.report(pass, evidence);
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.breaker.report(pass, Evidence::Nothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn closed() -> Circuit {
        Circuit(State::Closed(Streak::default()))
    }

    fn regular(circuit: &mut Circuit, evidence: Evidence<'_>, now: Instant) -> Option<Change> {
        circuit.report(Pass::Regular, evidence, now)
    }

    fn opened(now: Instant) -> Circuit {
        let mut circuit = closed();
        for _ in 1..FAILURES_MAX {
            assert_eq!(regular(&mut circuit, Evidence::Fails, now), None);
            assert!(!circuit.is_open(now));
        }
        let change = regular(&mut circuit, Evidence::Fails, now);
        assert_eq!(change, Some(Change::Opened));
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let now = Instant::now();
        let circuit = opened(now);
        assert!(circuit.is_open(now + PAUSE_MIN / 2));

        let mut circuit = closed();
        for _ in 0..3 * FAILURES_MAX {
            regular(&mut circuit, Evidence::Fails, now);
            regular(&mut circuit, Evidence::Works, now);
            regular(&mut circuit, Evidence::Nothing, now);
        }
        assert_eq!(circuit.admit(now), Some(Pass::Regular));
    }

    #[test]
    fn one_suspect_counts_once_and_five_of_them_are_the_relay() {
        let now = Instant::now();
        let mut circuit = closed();
        for _ in 0..3 * FAILURES_MAX {
            let stalled = Evidence::FailsFor("slow.example");
            assert_eq!(regular(&mut circuit, stalled, now), None);
        }
        for other in ["a.example", "b.example", "c.example"] {
            let stalled = Evidence::FailsFor(other);
            assert_eq!(regular(&mut circuit, stalled, now), None);
        }
        let change = regular(&mut circuit, Evidence::FailsFor("d.example"), now);
        assert_eq!(change, Some(Change::Opened));
    }

    #[test]
    fn one_probe_at_a_time_is_let_through_after_the_pause() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.admit(now + PAUSE_MIN / 2), None);

        let later = now + PAUSE_MIN;
        assert!(!circuit.is_open(later));
        assert_eq!(circuit.admit(later), Some(Pass::Probe));
        assert!(circuit.is_open(later));
        assert_eq!(circuit.admit(later), None);

        let change = circuit.report(Pass::Probe, Evidence::Works, later);
        assert_eq!(change, Some(Change::Closed));
        assert_eq!(circuit.admit(later), Some(Pass::Regular));
    }

    #[test]
    fn who_is_passed_over_is_told_how_long() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.left_alone(now), Some(PAUSE_MIN));
        assert_eq!(
            circuit.left_alone(now + PAUSE_MIN / 4),
            Some(PAUSE_MIN * 3 / 4)
        );
        let later = now + PAUSE_MIN;
        assert_eq!(circuit.left_alone(later), None);
        circuit.admit(later);
        assert_eq!(
            circuit.left_alone(later),
            Some(PAUSE_MIN),
            "the probe is on its way"
        );
    }

    #[test]
    fn pauses_double_up_to_their_bound_and_begin_small_again() {
        let mut now = Instant::now();
        let mut circuit = opened(now);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let since = now;
            while circuit.is_open(now) {
                now += SECOND / 2;
            }
            pauses.push((now - since).as_secs());
            assert_eq!(circuit.admit(now), Some(Pass::Probe));
            assert_eq!(circuit.report(Pass::Probe, Evidence::Fails, now), None);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);

        now += PAUSE_MAX;
        circuit.admit(now);
        circuit.report(Pass::Probe, Evidence::Works, now);
        for _ in 0..FAILURES_MAX {
            regular(&mut circuit, Evidence::Fails, now);
        }
        assert!(!circuit.is_open(now + PAUSE_MIN));
    }

    #[test]
    fn a_probe_that_is_given_up_makes_way_for_the_next() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let later = now + PAUSE_MIN;
        assert_eq!(circuit.admit(later), Some(Pass::Probe));
        assert_eq!(circuit.report(Pass::Probe, Evidence::Nothing, later), None);
        assert_eq!(circuit.admit(later), Some(Pass::Probe));
    }

    #[test]
    fn what_was_sent_before_it_opened_can_close_it_and_not_prolong_it() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(regular(&mut circuit, Evidence::Fails, now + SECOND), None);
        assert_eq!(circuit.admit(now + PAUSE_MIN), Some(Pass::Probe));
        assert_eq!(regular(&mut circuit, Evidence::Fails, now + SECOND), None);
        assert_eq!(
            circuit.admit(now + PAUSE_MAX),
            None,
            "the probe is on its way"
        );

        let change = regular(&mut circuit, Evidence::Works, now + SECOND);
        assert_eq!(change, Some(Change::Closed));
        // Its late failure is one like any other now.
        assert_eq!(
            circuit.report(Pass::Probe, Evidence::Fails, now + SECOND),
            None
        );
        assert!(!circuit.is_open(now + SECOND));
    }

    #[test]
    fn a_dropped_admission_leaves_the_way_free() {
        let breaker = Breaker::new("relay:25".to_owned());
        for _ in 0..2 * FAILURES_MAX {
            drop(breaker.admit().unwrap());
        }
        assert_eq!(breaker.left_alone(), None);
        for _ in 0..FAILURES_MAX {
            breaker.admit().unwrap().report(Evidence::Fails);
        }
        assert!(breaker.left_alone().is_some_and(|wait| wait <= PAUSE_MIN));
        assert!(breaker.admit().is_err_and(|wait| wait <= PAUSE_MIN));
    }
}
