//! How much of a relay one recipient domain may have: a slow one must not hold up the others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// An exchange that takes so long is stuck, and its domain a suspect.
const STUCK_AFTER: Duration = Duration::from_secs(1);
/// How long a domain remains a suspect after an exchange for it stalled, unless one succeeds.
const SUSPECT_FOR: Duration = Duration::from_mins(1);
/// How long a domain counts as one that works after a message for it was taken.
const PROVEN_FOR: Duration = Duration::from_mins(10);
/// How often those that wait look whether the domain that they wait for got stuck.
const GLANCE: Duration = Duration::from_millis(250);
/// Who may have no place for a stuck domain is to come back after as long as it is stuck already,
/// and at most so long.
const STUCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// Domains are forgotten once there are twice as many as last time, and at least so many.
const FORGET_MIN: usize = 64;

/// How an exchange for a domain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The relay took the message.
    Taken,
    /// There was no answer, from RCPT on: the domain may be the reason.
    Stalled,
    /// In a way that says nothing about the domain.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Granted(Visit),
    /// Others have what this domain may have, and are quick: a place will be free soon.
    Full,
    /// The domain is a suspect, for so long already, and enough of the connections are stuck.
    Stuck(Duration),
}

/// One exchange, from the moment it has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Visit {
    is_proven: bool,
    began: Option<Instant>,
}

/// Who has how many of a relay's connections: without a clock.
///
/// A quarter of them is for domains for which messages were taken lately: however many others
/// begin to stall at a time, those that work go on. No single domain has that quarter as well,
/// should it begin to stall itself. And a domain that is a suspect gets no further connection
/// while half of all are stuck. A relay that is slow for everybody still has three quarters of its
/// connections in use.
struct Ledger {
    connections: usize,
    /// Places of domains that were not proven when they got them.
    unproven: usize,
    domains: HashMap<String, Domain>,
    forget_at: usize,
}

#[derive(Default)]
struct Domain {
    /// Those with a place: some of them still wait for a connection.
    places: usize,
    /// When each exchange under way began.
    running: Vec<Instant>,
    taken_at: Option<Instant>,
    stalled_at: Option<Instant>,
}

impl Domain {
    fn stuck(&self, now: Instant) -> usize {
        if self.has_stalled(now) {
            return self.places;
        }
        let is_stuck = |since: &&Instant| now.duration_since(**since) >= STUCK_AFTER;
        self.running.iter().filter(is_stuck).count()
    }

    fn is_suspect(&self, now: Instant) -> bool {
        self.has_stalled(now) || self.stuck(now) > 0
    }

    /// Since when it gave reason to suspect it.
    fn suspect_since(&self, now: Instant) -> Option<Instant> {
        let stalled = self.stalled_at.filter(|_| self.has_stalled(now));
        self.running.iter().copied().chain(stalled).min()
    }

    fn has_stalled(&self, now: Instant) -> bool {
        self.stalled_at
            .is_some_and(|at| now.duration_since(at) < SUSPECT_FOR)
    }

    fn is_proven(&self, now: Instant) -> bool {
        self.taken_at
            .is_some_and(|at| now.duration_since(at) < PROVEN_FOR)
    }
}

impl Ledger {
    fn new(connections: usize) -> Self {
        Self {
            connections,
            unproven: 0,
            domains: HashMap::new(),
            forget_at: FORGET_MIN,
        }
    }

    fn enter(&mut self, name: &str, now: Instant) -> Entry {
        let share = self.connections - self.connections / 4;
        let stuck_max = (self.connections / 2).max(1);
        let domain = self.domains.get(name);
        let is_suspect = domain.is_some_and(|domain| domain.is_suspect(now));
        let is_proven = domain.is_some_and(|domain| domain.is_proven(now));
        let places = domain.map_or(0, |domain| domain.places);
        let stuck = || -> usize { self.domains.values().map(|each| each.stuck(now)).sum() };
        let is_full = places >= share || (!is_proven && self.unproven >= share);
        if is_suspect && (is_full || stuck() >= stuck_max) {
            let since = domain.and_then(|domain| domain.suspect_since(now));
            return Entry::Stuck(since.map_or(Duration::ZERO, |since| now - since));
        }
        if is_full {
            return Entry::Full;
        }
        self.domains.entry(name.to_owned()).or_default().places += 1;
        self.unproven += usize::from(!is_proven);
        Entry::Granted(Visit {
            is_proven,
            began: None,
        })
    }

    /// What an exchange waited for until it begins is not its domain's fault.
    fn begin(&mut self, name: &str, visit: &mut Visit, now: Instant) {
        if let Some(domain) = self.domains.get_mut(name) {
            domain.running.push(now);
            visit.began = Some(now);
        }
    }

    fn leave(&mut self, name: &str, visit: Visit, ending: Ending, now: Instant) {
        self.unproven -= usize::from(!visit.is_proven);
        if let Some(domain) = self.domains.get_mut(name) {
            domain.places -= 1;
            let running = &mut domain.running;
            if let Some(at) = running.iter().position(|since| Some(*since) == visit.began) {
                running.swap_remove(at);
            }
            let (taken_at, stalled_at) = match ending {
                Ending::Taken => (Some(now), None),
                Ending::Stalled => (None, Some(now)),
                Ending::Other => (domain.taken_at, domain.stalled_at),
            };
            domain.taken_at = taken_at;
            domain.stalled_at = stalled_at;
        }
        if self.domains.len() >= self.forget_at {
            let is_known = |domain: &Domain| domain.has_stalled(now) || domain.is_proven(now);
            self.domains
                .retain(|_, domain| domain.places > 0 || is_known(domain));
            self.forget_at = FORGET_MIN.max(2 * self.domains.len());
        }
    }
}

/// The domains that a relay's messages are for.
pub(super) struct Domains {
    ledger: Mutex<Ledger>,
    freed: Notify,
}

impl Domains {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            ledger: Mutex::new(Ledger::new(connections)),
            freed: Notify::new(),
        }
    }

    /// A place for a message to `name`. When there is none until `by`, or when nobody should wait
    /// for one: after which time to ask again.
    pub(super) async fn enter<'a>(
        &'a self,
        name: &'a str,
        by: Instant,
    ) -> Result<Place<'a>, Duration> {
        loop {
            let freed = self.freed.notified();
            let now = Instant::now();
            let entry = self.ledger().enter(name, now);
            match entry {
                Entry::Granted(visit) => {
                    return Ok(Place {
                        domains: self,
                        name,
                        visit,
                        ending: Ending::Other,
                    });
                }
                Entry::Full if now < by => {
                    // Woken or not, it looks again.
                    let _ = timeout_at(by.min(now + GLANCE), freed).await;
                }
                // Others waited as long and were served.
                Entry::Full => return Err(Duration::ZERO),
                Entry::Stuck(since) => return Err(since.min(STUCK_WAIT_MAX)),
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One message's place among those of its domain, until it is dropped.
pub(super) struct Place<'a> {
    domains: &'a Domains,
    name: &'a str,
    visit: Visit,
    ending: Ending,
}

impl Place<'_> {
    /// The exchange begins.
    pub(super) fn begin(&mut self) {
        let mut ledger = self.domains.ledger();
        ledger.begin(self.name, &mut self.visit, Instant::now());
    }

    pub(super) fn end(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut ledger = self.domains.ledger();
        ledger.leave(self.name, self.visit, self.ending, Instant::now());
        drop(ledger);
        self.domains.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(ledger: &mut Ledger, name: &str, now: Instant) -> Result<Visit, Entry> {
        match ledger.enter(name, now) {
            Entry::Granted(mut visit) => {
                ledger.begin(name, &mut visit, now);
                Ok(visit)
            }
            refused @ (Entry::Full | Entry::Stuck(_)) => Err(refused),
        }
    }

    fn visit(ledger: &mut Ledger, name: &str, ending: Ending, now: Instant) {
        let visit = begin(ledger, name, now).unwrap();
        ledger.leave(name, visit, ending, now);
    }

    /// Begins exchanges for `name` until it gets no further one.
    fn fill(ledger: &mut Ledger, name: &str, now: Instant) -> (usize, Entry) {
        let mut granted = 0;
        loop {
            match begin(ledger, name, now) {
                Ok(_) => granted += 1,
                Err(refused) => return (granted, refused),
            }
        }
    }

    #[test]
    fn one_domain_leaves_a_quarter_to_those_that_work() {
        let now = Instant::now();
        for (connections, share) in [(1, 1), (2, 2), (3, 3), (4, 3), (10, 8), (100, 75)] {
            let mut ledger = Ledger::new(connections);
            visit(&mut ledger, "works.example", Ending::Taken, now);
            let found = fill(&mut ledger, "a.example", now);
            assert_eq!(found, (share, Entry::Full), "of {connections}");
            assert_eq!(fill(&mut ledger, "b.example", now), (0, Entry::Full));
            let found = fill(&mut ledger, "works.example", now);
            assert_eq!(found, (share, Entry::Full), "of {connections}");
        }
    }

    #[test]
    fn domains_that_work_do_not_keep_out_a_new_one() {
        let now = Instant::now();
        let mut ledger = Ledger::new(10);
        visit(&mut ledger, "works.example", Ending::Taken, now);
        assert_eq!(fill(&mut ledger, "works.example", now), (8, Entry::Full));
        assert_eq!(fill(&mut ledger, "new.example", now), (8, Entry::Full));
    }

    #[test]
    fn a_stuck_domain_gets_nothing_while_half_of_all_are_stuck() {
        let start = Instant::now();
        let mut ledger = Ledger::new(10);
        visit(&mut ledger, "works.example", Ending::Taken, start);
        for _ in 0..4 {
            begin(&mut ledger, "slow.example", start).unwrap();
        }
        let later = start + STUCK_AFTER;
        // Four are stuck: others may try up to their share, and none once a fifth is stuck too.
        let stuck = Entry::Stuck(STUCK_AFTER);
        assert_eq!(fill(&mut ledger, "slow.example", later), (4, stuck));
        let began = Some(later);
        let is_proven = false;
        let last = Visit { is_proven, began };
        ledger.leave("slow.example", last, Ending::Other, later);
        assert!(begin(&mut ledger, "slow.example", later).is_ok());
        ledger.leave("slow.example", last, Ending::Other, later);

        let later = later + STUCK_AFTER;
        let stuck = Entry::Stuck(2 * STUCK_AFTER);
        assert_eq!(fill(&mut ledger, "slow.example", later), (0, stuck));
        assert_eq!(fill(&mut ledger, "works.example", later), (8, Entry::Full));
    }

    #[test]
    fn waiting_for_a_connection_does_not_make_a_domain_stuck() {
        let start = Instant::now();
        let mut ledger = Ledger::new(4);
        for _ in 0..3 {
            ledger.enter("a.example", start);
        }
        let later = start + 2 * STUCK_AFTER;
        assert_eq!(ledger.enter("a.example", later), Entry::Full);
    }

    #[test]
    fn a_stall_is_remembered_until_a_success_or_for_a_minute() {
        let start = Instant::now();
        let mut ledger = Ledger::new(10);
        visit(&mut ledger, "slow.example", Ending::Stalled, start);
        let first = begin(&mut ledger, "slow.example", start).unwrap();
        let stuck = Entry::Stuck(Duration::ZERO);
        assert_eq!(fill(&mut ledger, "slow.example", start), (4, stuck));
        ledger.leave("slow.example", first, Ending::Taken, start);
        assert_eq!(fill(&mut ledger, "slow.example", start), (4, Entry::Full));

        let mut ledger = Ledger::new(10);
        visit(&mut ledger, "slow.example", Ending::Stalled, start);
        let later = start + SUSPECT_FOR;
        assert_eq!(fill(&mut ledger, "slow.example", later), (8, Entry::Full));
    }

    #[test]
    fn domains_are_forgotten_in_time() {
        let mut now = Instant::now();
        let mut ledger = Ledger::new(4);
        for round in 0..10 {
            for number in 0..100 {
                let name = format!("{round}-{number}.example");
                visit(&mut ledger, &name, Ending::Other, now);
                assert!(ledger.domains.len() < FORGET_MIN);
            }
        }
        for number in 0..100 {
            visit(
                &mut ledger,
                &format!("{number}.example"),
                Ending::Taken,
                now,
            );
        }
        assert!(ledger.domains.len() >= 100);
        now += PROVEN_FOR;
        for number in 0..200 {
            visit(&mut ledger, &format!("{number}.test"), Ending::Other, now);
        }
        assert!(ledger.domains.len() < FORGET_MIN);
        assert_eq!(ledger.unproven, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_domain_is_told_when_it_gets_stuck() {
        let domains = Domains::new(4);
        let start = Instant::now();
        let by = start + Duration::from_secs(5);
        let works = domains.enter("works.example", by).await.unwrap();
        works.end(Ending::Taken);
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut place = domains.enter("slow.example", by).await.unwrap();
            place.begin();
            held.push(place);
        }
        let told = domains.enter("slow.example", by).await.err();
        assert!(told.is_some_and(|wait| wait >= STUCK_AFTER), "{told:?}");
        let waited = start.elapsed();
        assert!(
            waited >= STUCK_AFTER && waited < STUCK_AFTER + GLANCE,
            "{waited:?}"
        );
        assert!(domains.enter("works.example", by).await.is_ok());

        let place = held.pop().unwrap();
        tokio::join!(
            async {
                let entered = domains.enter("other.example", by).await;
                assert!(entered.is_ok());
            },
            async { place.end(Ending::Taken) },
        );
        assert!(start.elapsed() < STUCK_AFTER + GLANCE);
    }
}
