//! A mail that was accepted is sent while it is of use, whatever happens in between.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use otpost_testkit::relay::{Relay, Security};

use crate::support::{Otpost, Place, eventually};

async fn relay_and_place() -> (Relay, Place) {
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    (relay, place)
}

#[tokio::test]
async fn a_dead_relay_delays_the_mail_and_not_the_answer() {
    let (mut relay, place) = relay_and_place().await;
    let otpost = Otpost::serve(place.path());
    let api = otpost.api(&place.key(&[]));
    relay.stop().await;

    let start = Instant::now();
    let session = api.send("ada@customer.example").await;
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        api.status(&session).await.header("otpost-delivery"),
        Some("queued")
    );
    eventually("a try in vain", async || {
        otpost.log().contains("mail not sent yet").then_some(())
    })
    .await;
    relay.restart().await;

    let received = relay.wait_for(1).await;
    assert_eq!(received[0].recipients, ["ada@customer.example"]);
    api.wait_until_sent(&session).await;
    assert_eq!(relay.messages().len(), 1);
}

#[tokio::test]
async fn a_mail_whose_session_ended_is_failed_and_never_sent() {
    let (mut relay, place) = relay_and_place().await;
    let otpost = Otpost::serve(place.path());
    let api = otpost.api(&place.key(&[]));
    relay.stop().await;
    // Nobody knows the code: the guess below is right once in 100 million runs.
    let body = serde_json::json!({ "email": "ada@customer.example", "code_length": 8 });
    let session = api.post("send", &body).await.text("/data/session_id");
    let delivery = async || {
        let status = api.status(&session).await;
        status.header("otpost-delivery").map(str::to_owned)
    };
    assert_eq!(delivery().await.as_deref(), Some("queued"));

    for guess in 1..=5 {
        let refused = api.verify(&session, "00000000").await;
        assert_eq!(refused.status, 400, "guess {guess}: {refused:?}");
    }

    eventually("the mail to be given up", async || {
        (delivery().await.as_deref() == Some("failed")).then_some(())
    })
    .await;
    let status = api.status(&session).await.json();
    assert_eq!(status["data"]["status"], "expired");
    relay.restart().await;
    // What would still be queued would come before this one, or with it.
    let later = api.send("bob@customer.example").await;
    api.wait_until_sent(&later).await;
    let received = relay.messages();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].recipients, ["bob@customer.example"]);
    assert_eq!(delivery().await.as_deref(), Some("failed"));
}

/// The session that a line of the log is about.
fn session_in(line: &str) -> Option<&str> {
    line.split_once("session=")?.1.split_whitespace().next()
}

#[tokio::test]
async fn no_accepted_mail_is_lost_by_a_crash() {
    const MAILS: usize = 20;
    let (mut relay, place) = relay_and_place().await;
    let level = ("OTPOST_LOG__LEVEL", "info,otpost_service=debug");
    let first = place.otpost(&["serve"]).env(level.0, level.1).start();
    first.address();
    let key = place.key(&[]);
    relay.stop().await;
    let mut expected = Vec::new();
    for count in 0..MAILS {
        let address = format!("reader{count}@customer.example");
        first.api(&key).send(&address).await;
        expected.push(address);
    }
    // A mail that is on its way when the program dies is free again only after its lease of 60 s.
    // After the first failures the relay is left alone, and other mails are told to wait.
    eventually("every mail to have been taken up in vain", async || {
        let log = first.log();
        let in_vain = log.lines().filter(|line| {
            line.contains("mail not sent yet") || line.contains("mail waits for its turn")
        });
        let sessions: BTreeSet<_> = in_vain.filter_map(session_in).collect();
        (sessions.len() == MAILS).then_some(())
    })
    .await;
    first.kill();
    relay.restart().await;
    assert!(relay.messages().is_empty());

    let _second = Otpost::serve(place.path());

    let received = tokio::time::timeout(Duration::from_secs(100), async {
        loop {
            let received = relay.messages();
            if received.len() >= MAILS {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{} of {MAILS} mails arrived", relay.messages().len()));
    let mut recipients: Vec<_> = received
        .iter()
        .flat_map(|one| one.recipients.clone())
        .collect();
    recipients.sort_unstable();
    expected.sort_unstable();
    assert_eq!(recipients, expected);
}
