//! Slow recipient domains do not hold up the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otpost_domain::Address;
use otpost_mail::{Patience, RelaySettings, SmtpCourier};
use otpost_ports::{Courier, DeliveryError, Letter};
use otpost_testkit::relay::{Fault, Relay, Security, Verb};
use otpost_testkit::sample;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{renderer, settings};

/// What is below this domain is slow.
const SLOW: &str = "slow.example";
/// A tenth of all letters is for a slow domain.
const SLOW_EVERY: usize = 10;
/// Pauses of the retry schedule, and the shortest of a mail that found no turn.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
const TURN_MIN: Duration = Duration::from_secs(1);
/// More would measure the machine.
const SCENARIOS_AT_ONCE: usize = 2;

/// What is sent, and what stands in its way.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    /// Where each relay stalls for slow domains.
    stalls: Option<Verb>,
    /// How many domains are slow.
    slow_domains: usize,
    relays: usize,
    /// How many letters the mailer tries at a time.
    slots: usize,
    letters: usize,
    /// Letters per second; otherwise all are there at once.
    rate: Option<u32>,
}

/// How a scenario went.
struct Waits {
    /// What those saw whose mail is not for a slow domain, the shortest first.
    quick: Vec<Duration>,
    /// The shortest of the tries that were given up, if any was before the others were through.
    stalled: Option<Duration>,
}

impl Waits {
    fn percentile(&self, percent: usize) -> Duration {
        self.quick[(self.quick.len() * percent / 100).min(self.quick.len() - 1)]
    }
}

fn letter(number: usize, slow_domains: usize) -> Letter {
    let domain = match number % SLOW_EVERY {
        0 => format!("{}.{SLOW}", number / SLOW_EVERY % slow_domains),
        other => format!("quick-{}.example", other % 3),
    };
    Letter {
        to: Address::parse(&format!("person@{domain}")).unwrap(),
        ..sample::letter(0, "482913")
    }
}

fn note_shortest(shortest: &Mutex<Option<Duration>>, took: Duration) {
    let mut shortest = shortest.lock().unwrap();
    *shortest = Some(shortest.map_or(took, |other| other.min(took)));
}

/// Sends as the mailer does: so many at a time, first come first served, again when due.
async fn send(courier: Arc<SmtpCourier>, scenario: Scenario) -> Waits {
    let slots = Arc::new(Semaphore::new(scenario.slots));
    let start = Instant::now();
    let stalled = Arc::new(Mutex::new(None));
    let mut tasks = JoinSet::new();
    for number in 0..scenario.letters {
        let (courier, slots, stalled) = (courier.clone(), slots.clone(), stalled.clone());
        let pause = scenario.rate.map(|rate| Duration::from_secs(1) / rate);
        let queued = start + pause.unwrap_or_default() * u32::try_from(number).unwrap();
        tasks.spawn(async move {
            let letter = letter(number, scenario.slow_domains);
            sleep_until(queued).await;
            let mut retries = VecDeque::from(RETRIES);
            loop {
                let slot = slots.acquire().await.unwrap();
                let began = Instant::now();
                let delivered = courier.deliver(&letter).await;
                drop(slot);
                match delivered {
                    Ok(()) => return (number, Some(queued.elapsed())),
                    Err(DeliveryError::Busy { wait, .. }) => sleep(wait.max(TURN_MIN)).await,
                    Err(DeliveryError::Transient { .. }) => {
                        note_shortest(&stalled, began.elapsed());
                        let Some(pause) = retries.pop_front() else {
                            return (number, None);
                        };
                        sleep(pause).await;
                    }
                    Err(error @ DeliveryError::Permanent { .. }) => panic!("{error}"),
                }
            }
        });
    }
    let quick = scenario.letters - scenario.letters / SLOW_EVERY;
    let mut waits = Vec::new();
    while waits.len() < quick {
        let (number, wait) = tasks.join_next().await.unwrap().unwrap();
        if number % SLOW_EVERY != 0 {
            waits.push(wait.unwrap());
        } else if scenario.stalls.is_some() {
            assert_eq!(wait, None, "what stalls is never sent");
        }
    }
    waits.sort_unstable();
    let stalled = *stalled.lock().unwrap();
    Waits {
        quick: waits,
        stalled,
    }
}

/// The waits of a scenario, over relays with the limits of production.
async fn play(scenario: Scenario) -> Waits {
    let mut relays = Vec::new();
    let mut all_settings = Vec::new();
    for _ in 0..scenario.relays {
        let relay = Relay::start(Security::Plain).await;
        if let Some(verb) = scenario.stalls {
            relay.inject(Fault::Hang(verb).only_for(SLOW));
        }
        all_settings.push(RelaySettings {
            patience: Patience::default(),
            ..settings(&relay)
        });
        relays.push(relay);
    }
    let courier = SmtpCourier::new(renderer(), all_settings).unwrap();
    send(Arc::new(courier), scenario).await
}

fn scenarios() -> [Scenario; 7] {
    let healthy = Scenario {
        name: "healthy, 100 in a second",
        stalls: None,
        slow_domains: 1,
        relays: 1,
        slots: 64,
        letters: 300,
        rate: Some(100),
    };
    let rcpt = Scenario {
        name: "RCPT stalls, 100 in a second",
        stalls: Some(Verb::Rcpt),
        letters: 600,
        ..healthy
    };
    let message = Scenario {
        name: "the message stalls, 100 in a second",
        stalls: Some(Verb::EndOfData),
        ..rcpt
    };
    let burst = Scenario {
        name: "RCPT stalls, all at once",
        letters: 300,
        rate: None,
        ..rcpt
    };
    let two = Scenario {
        name: "RCPT stalls at two relays",
        relays: 2,
        ..rcpt
    };
    let many = Scenario {
        name: "RCPT stalls for eight domains",
        slow_domains: 8,
        ..rcpt
    };
    let many_messages = Scenario {
        name: "the message stalls for eight domains",
        slow_domains: 8,
        ..message
    };
    [healthy, rcpt, message, burst, two, many, many_messages]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_that_stalls_does_not_hold_up_the_others() {
    let at_once = Arc::new(Semaphore::new(SCENARIOS_AT_ONCE));
    let mut plays = JoinSet::new();
    for scenario in scenarios() {
        let at_once = at_once.clone();
        plays.spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            (scenario, play(scenario).await)
        });
    }
    println!("{:38} slots    p50    p99    max of the others, in ms", "");
    for (scenario, waits) in plays.join_all().await {
        let [half, most, all] = [50, 99, 100].map(|percent| waits.percentile(percent));
        let [half_ms, most_ms, all_ms] = [half, most, all].map(|wait| wait.as_millis());
        let Scenario { name, slots, .. } = scenario;
        println!("{name:38} {slots:5} {half_ms:6} {most_ms:6} {all_ms:6}");
        // Whoever waits for a stalled try waits until it is given up, on any machine.
        let stalled = waits.stalled;
        assert!(
            stalled.is_none_or(|took| most < took),
            "{name}: {most:?}, {stalled:?}"
        );
    }
}
