//! Slow recipient domains do not hold up the others.

use std::collections::VecDeque;
use std::sync::Arc;
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
/// Pauses of the retry schedule, and of a mail that found no turn.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
const TURN_PAUSE: Duration = Duration::from_secs(1);
/// What 99 % of those may wait at most whose mail is not for a slow domain.
const P99_MAX: Duration = Duration::from_secs(2);
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

/// What those saw whose mail is not for a slow domain.
struct Waits(Vec<Duration>);

impl Waits {
    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
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

/// Sends as the mailer does: so many at a time, first come first served, again when due.
async fn send(courier: Arc<SmtpCourier>, scenario: Scenario) -> Waits {
    let slots = Arc::new(Semaphore::new(scenario.slots));
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..scenario.letters {
        let (courier, slots) = (courier.clone(), slots.clone());
        let pause = scenario.rate.map(|rate| Duration::from_secs(1) / rate);
        let queued = start + pause.unwrap_or_default() * u32::try_from(number).unwrap();
        tasks.spawn(async move {
            let letter = letter(number, scenario.slow_domains);
            sleep_until(queued).await;
            let mut retries = VecDeque::from(RETRIES);
            loop {
                let slot = slots.acquire().await.unwrap();
                let delivered = courier.deliver(&letter).await;
                drop(slot);
                match delivered {
                    Ok(()) => return Some(queued.elapsed()),
                    Err(DeliveryError::Busy { .. }) => sleep(TURN_PAUSE).await,
                    Err(DeliveryError::Transient { .. }) => sleep(retries.pop_front()?).await,
                    Err(error @ DeliveryError::Permanent { .. }) => panic!("{error}"),
                }
            }
        });
    }
    let quick = scenario.letters - scenario.letters / SLOW_EVERY;
    let mut waits = Vec::new();
    while waits.len() < quick {
        waits.extend(tasks.join_next().await.unwrap().unwrap());
    }
    waits.sort_unstable();
    Waits(waits)
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
        slots: 16,
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
        slots: 64,
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
        assert!(most < P99_MAX, "{name}: {most:?}");
    }
}
