//! SIGTERM: in time, with success, and without losing what was accepted.

use std::time::Duration;

use otpost_testkit::relay::{Fault, Relay, Security, Verb};

use crate::support::{Client, Otpost, Place};

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
    crate::support::eventually("every accepted mail", async || {
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
