//! Killed again and again under load: every mail that was accepted arrives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use otpost_testkit::relay::{Relay, Security};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{Api, Place, code_in};

/// How many kills are wanted, where the run is to be longer than [`SHORT`].
const KILLS: &str = "OTPOST_CRASH_KILLS";
/// How long it is killed again and again otherwise.
const SHORT: Duration = Duration::from_secs(20);
/// Callers at a time.
const CALLERS: usize = 4;
/// Between two mails of a caller.
const PAUSE: Duration = Duration::from_millis(20);
/// Mails on their way at a time.
const IN_FLIGHT_MAX: usize = 64;
/// A mail on its way at a kill is anyone's once its lease of 60 s is over; a mail that was on its
/// way at several kills, after as many leases.
const LEASES: Duration = Duration::from_secs(200);

#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants a longer run says so"
)]
fn kills_wanted() -> Option<usize> {
    let value = std::env::var(KILLS).ok()?;
    Some(value.parse().unwrap())
}

/// Who was promised a mail.
async fn call(api: watch::Receiver<Option<Api>>, count: Arc<AtomicUsize>) -> Vec<String> {
    let mut api = api;
    let mut promised = Vec::new();
    loop {
        let Ok(current) = api.wait_for(Option::is_some).await.map(|api| api.clone()) else {
            // The sender is gone: the last kill was done.
            return promised;
        };
        let number = count.fetch_add(1, Ordering::Relaxed);
        let address = format!("reader{number}@customer{}.example", number % 7);
        let answer = match current {
            Some(api) => api.try_send(&address).await,
            None => None,
        };
        if answer == Some(200) {
            promised.push(address);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The `Message-ID` and the code of each message that came for each address.
fn received(relay: &Relay) -> BTreeMap<String, Vec<(String, String)>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for received in relay.messages() {
        let message = received.message();
        let parsed = mail_parser::MessageParser::default().parse(&message);
        let id = parsed.unwrap().message_id().unwrap().to_owned();
        let copy = (id, code_in(&message, 6));
        for recipient in received.recipients {
            all.entry(recipient).or_default().push(copy.clone());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_accepted_mail_is_lost_by_kills_under_load() {
    let wanted = kills_wanted();
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    let key = place.key(&[]);
    let serve = || {
        let program = place.otpost(&["serve"]);
        program
            .env("OTPOST_LIMITS__PROJECT_SENDS_PER_MINUTE", "0")
            .start()
    };
    let (address, current) = watch::channel(None);
    let count = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call(current.clone(), count.clone()));
    }

    let start = Instant::now();
    let mut kills = 0;
    while wanted.map_or(start.elapsed() < SHORT, |wanted| kills < wanted) {
        let otpost = serve();
        otpost.address();
        address.send_replace(Some(otpost.api(&key)));
        // Never twice after the same time, so that every step is hit.
        let millis = 50 + u64::try_from(kills * 37 % 500).unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        otpost.kill();
        address.send_replace(None);
        kills += 1;
    }
    let killing = start.elapsed();
    drop(address);
    let promised: Vec<_> = callers.join_all().await.concat();
    let _last = serve();

    let by = Instant::now() + LEASES;
    let missing = |received: &BTreeMap<_, _>| {
        let lost = promised
            .iter()
            .filter(|address| !received.contains_key(*address));
        lost.count()
    };
    let mut seen = 0;
    while Instant::now() < by {
        let messages = relay.messages().len();
        if messages != seen && missing(&received(&relay)) == 0 {
            break;
        }
        seen = messages;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let received = received(&relay);
    let lost = missing(&received);
    let copies: Vec<_> = received
        .values()
        .filter(|copies| copies.len() > 1)
        .collect();
    let duplicates: usize = copies.iter().map(|copies| copies.len() - 1).sum();
    println!(
        "{kills} kills in {} s: {} mails accepted, {lost} lost, {duplicates} sent again, each with \
         the same Message-ID and code; all there {} s after the first",
        killing.as_secs(),
        promised.len(),
        start.elapsed().as_secs()
    );
    assert!(kills > 0 && promised.len() > kills, "no load");
    assert_eq!(lost, 0);
    for copies in copies {
        assert!(copies.iter().all(|copy| *copy == copies[0]), "{copies:?}");
    }
    assert!(
        duplicates <= kills * IN_FLIGHT_MAX,
        "{duplicates} of {kills} kills"
    );
}
