//! SIGTERM: in time, with success, and without losing what was accepted.

mod visitors;

use std::net::SocketAddr;
use std::time::Duration;

use otpost_testkit::relay::{Fault, Relay, Security, Verb};

use tokio::task::JoinSet;

use self::visitors::{Visits, visit_until_it_leaves};
use crate::support::{Client, Otpost, Place, eventually};

const WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_idle_server_ends_at_once_with_success_although_a_connection_is_open() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let otpost = Otpost::serve(place.path());
    let mut client = Client::connect(otpost.address()).await;
    assert_eq!(client.get("/healthz").await.status, 200);
    let (status, elapsed) = otpost.terminate().await;
    assert!(status.success(), "{status}");
    assert!(elapsed < WITHIN, "{elapsed:?}");
}

#[tokio::test]
async fn a_mail_on_its_way_is_given_back_and_sent_after_the_next_start() {
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    let first = Otpost::serve(place.path());
    let key = place.key(&[]);
    relay.inject(Fault::Hang(Verb::Data));
    first.api(&key).send("ada@customer.example").await;
    relay.wait_for_connections(1).await;

    let (status, elapsed) = first.terminate().await;

    assert!(status.success(), "{status}");
    assert!(elapsed < WITHIN, "{elapsed:?}");
    assert!(relay.messages().is_empty());
    relay.heal();
    let _second = Otpost::serve(place.path());
    // Sooner than its lease of 60 s would have run out: it was given back.
    let received = relay.wait_for(1).await;
    assert_eq!(received[0].recipients, ["ada@customer.example"]);
}

#[tokio::test]
async fn every_mail_accepted_under_load_arrives_although_the_server_is_stopped() {
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    let first = Otpost::serve(place.path());
    let api = first.api(&place.key(&[]));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let api = api.clone();
            tokio::spawn(async move { send_until_refused(&api, sender).await })
        })
        .collect();
    relay.wait_for(20).await;

    let (status, elapsed) = first.terminate().await;

    assert!(status.success(), "{status}");
    assert!(elapsed < WITHIN, "{elapsed:?}");
    let mut accepted = Vec::new();
    for sender in senders {
        accepted.extend(sender.await.unwrap());
    }
    let _second = Otpost::serve(place.path());
    let arrived = || -> Vec<_> {
        relay
            .messages()
            .iter()
            .flat_map(|one| one.recipients.clone())
            .collect()
    };
    eventually("every accepted mail", async || {
        let arrived = arrived();
        accepted
            .iter()
            .all(|address| arrived.contains(address))
            .then_some(())
    })
    .await;
    let mut recipients = arrived();
    let count = recipients.len();
    recipients.sort_unstable();
    recipients.dedup();
    assert_eq!(recipients.len(), count, "a mail arrived twice");
}

/// A server that drains for so many seconds, and mails to nobody.
fn draining(place: &Place, secs: &str) -> Otpost {
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let mut program = place
        .otpost(&["serve"])
        .env("OTPOST_SERVER__DRAIN_SECS", secs);
    for name in ["SENDS", "VERIFIES", "READS"] {
        program = program.env(&format!("OTPOST_LIMITS__PROJECT_{name}_PER_MINUTE"), "0");
    }
    program.start()
}

/// On a connection for each question: one that was asked as the drain began may say 200 and close.
async fn wait_until_it_leaves(node: SocketAddr) {
    let answer = eventually("the drain", async || {
        let answer = Client::connect(node).await.get("/readyz").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text("/error/message"), "This node is stopping.");
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_drain_serves_old_and_new_connections_and_closes_them_before_it_ends() {
    let place = Place::new();
    let otpost = draining(&place, "2");
    let address = otpost.address();
    let mut old = Client::connect(address).await;
    assert_eq!(old.get("/healthz").await.header("connection"), None);

    let ended = tokio::spawn(otpost.terminate());
    wait_until_it_leaves(address).await;
    for client in [&mut old, &mut Client::connect(address).await] {
        let answer = client.get("/healthz").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(
            client
                .try_request("GET", "/healthz", "", "")
                .await
                .is_none()
        );
    }

    let (status, elapsed) = ended.await.unwrap();
    assert!(status.success(), "{status}");
    assert!(elapsed >= Duration::from_secs(2), "{elapsed:?}");
    assert!(elapsed < WITHIN, "{elapsed:?}");
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let place = Place::new();
    let otpost = draining(&place, "5");
    let address = otpost.address();
    otpost.ask_to_end();
    wait_until_it_leaves(address).await;

    let (status, elapsed) = otpost.terminate().await;

    assert!(status.success(), "{status}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
}

#[tokio::test]
async fn the_longest_drain_leaves_time_to_give_back_a_mail_on_its_way() {
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    let first = place
        .otpost(&["serve"])
        .env("OTPOST_SERVER__DRAIN_SECS", "5");
    let first = first.start();
    let key = place.key(&[]);
    relay.inject(Fault::Hang(Verb::Data));
    let api = first.api(&key);

    let ended = tokio::spawn(first.terminate());
    // So late that the relay is not given up before the drain ends.
    tokio::time::sleep(Duration::from_secs(4)).await;
    api.send("ada@customer.example").await;
    let (status, elapsed) = ended.await.unwrap();

    assert!(status.success(), "{status}");
    let mail_ends = Duration::from_secs(8);
    assert!((mail_ends..WITHIN).contains(&elapsed), "{elapsed:?}");
    relay.heal();
    let _second = Otpost::serve(place.path());
    // Sooner than its lease of 60 s would have run out: it was given back.
    relay.wait_for(1).await;
}

/// Six restarts, two nodes at a time.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_by_a_restart_whose_drain_the_proxy_sees() {
    let mut all = Visits::default();
    for _ in 0..3 {
        let mut nodes = JoinSet::new();
        for _ in 0..2 {
            nodes.spawn(restart_under_load());
        }
        for visits in nodes.join_all().await {
            all.add(visits);
        }
    }
    println!(
        "6 restarts: {} requests answered, {} of them while draining, {} failed: {:?}",
        all.answered,
        all.draining,
        all.failed.len(),
        all.failed
    );
    assert!(all.draining > 20, "no load");
    assert!(all.failed.is_empty());
}

async fn restart_under_load() -> Visits {
    let place = Place::new();
    let otpost = draining(&place, "1");
    let api = otpost.api(&place.key(&[]));
    let visitors = tokio::spawn(visit_until_it_leaves(api));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (status, elapsed) = otpost.terminate().await;
    assert!(status.success(), "{status}");
    assert!(elapsed < WITHIN, "{elapsed:?}");
    visitors.await.unwrap()
}

/// Sends until the server is gone, and tells which addresses it accepted.
async fn send_until_refused(api: &crate::support::Api, sender: usize) -> Vec<String> {
    let mut accepted = Vec::new();
    for count in 0.. {
        let address = format!("reader{count}of{sender}@customer.example");
        match api.try_send(&address).await {
            Some(200) => accepted.push(address),
            Some(_) | None => break,
        }
    }
    accepted
}
