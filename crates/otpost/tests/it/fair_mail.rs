//! A tenth of the readers is behind a relay that stalls: the others have their mails.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use otpost_testkit::relay::{Fault, Received, Relay, Security, Verb};
use serde_json::json;
use tokio::time::sleep_until;

use crate::support::{PATIENCE, Place};

const MAILS: usize = 400;
/// Mails in a second.
const RATE: u32 = 40;
const SLOW_EVERY: usize = 10;
const SLOW: &str = "slow.example";

fn address(number: usize) -> String {
    match number % SLOW_EVERY {
        0 => format!("reader{number}@{SLOW}"),
        other => format!("reader{number}@quick-{}.example", other % 3),
    }
}

/// Who was mailed, and when first.
fn received_by(messages: &[Received]) -> BTreeMap<String, Instant> {
    let mut received = BTreeMap::new();
    for message in messages {
        for recipient in &message.recipients {
            let again = received.insert(recipient.clone(), message.received_at);
            assert_eq!(again, None, "{recipient} was mailed twice");
        }
    }
    received
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_that_stalls_at_the_first_relay_does_not_hold_up_the_others() {
    let first = Relay::start(Security::Plain).await;
    let second = Relay::start(Security::Plain).await;
    first.inject(Fault::Tarpit(Verb::Rcpt, Duration::from_mins(1)).only_for(SLOW));
    let place = Place::new();
    place.init(&format!("[\"{}\", \"{}\"]", first.url(), second.url()));
    let program = place.otpost(&["serve"]);
    let otpost = program
        .env("OTPOST_LIMITS__PROJECT_SENDS_PER_MINUTE", "0")
        .start();
    otpost.address();
    let api = otpost.api(&place.key(&[]));

    let start = tokio::time::Instant::now();
    let mut answered = BTreeMap::new();
    let mut client = api.client().await;
    for number in 0..MAILS {
        sleep_until(start + Duration::from_secs(1) / RATE * u32::try_from(number).unwrap()).await;
        let email = address(number);
        let answer = api
            .post_on(&mut client, "send", &json!({ "email": email }))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answered.insert(email, Instant::now());
    }
    let by = Instant::now() + PATIENCE;
    while first.messages().len() + second.messages().len() < MAILS && Instant::now() < by {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let (by_first, by_second) = (first.messages(), second.messages());
    let all: Vec<_> = by_first.iter().chain(&by_second).cloned().collect();
    let received = received_by(&all);
    let expected: BTreeSet<_> = answered.keys().collect();
    assert_eq!(received.keys().collect::<BTreeSet<_>>(), expected);
    let is_slow = |address: &String| address.ends_with(SLOW);
    assert!(!received_by(&by_first).keys().any(is_slow));
    let mut waits: Vec<_> = received
        .iter()
        .filter(|(address, _)| !is_slow(address))
        .map(|(address, at)| at.saturating_duration_since(answered[address]))
        .collect();
    waits.sort_unstable();
    let percentile = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)];
    let [half, most, all] = [50, 99, 100].map(|percent| percentile(percent).as_millis());
    println!(
        "{MAILS} mails, {RATE} a second, a tenth of them tarpitted at the first of two relays; the \
         others waited: p50 {half} ms, p99 {most} ms, max {all} ms; {} mails by the second relay",
        by_second.len()
    );
}
