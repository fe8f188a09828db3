//! Guessing in parallel on 100 connections: five guesses are judged, and one code succeeds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;

use crate::support::{Api, Client, Otpost, Place, wrong};

const CONNECTIONS: usize = 100;
const GUESSES: usize = 300;
const ROUNDS: usize = 50;

/// How many answers of which kind: a status, with the reason of a refusal.
type Tally = BTreeMap<String, usize>;

/// Submits `code` from every connection at once, three times each.
async fn storm(api: &Api, clients: Vec<Client>, session: &str, code: &str) -> (Vec<Client>, Tally) {
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (api, start) = (api.clone(), Arc::clone(&start));
            let body = serde_json::json!({ "session_id": session, "code": code });
            tokio::spawn(async move {
                start.wait().await;
                let mut kinds = Vec::new();
                for _ in 0..GUESSES / CONNECTIONS {
                    let answer = api.post_on(&mut client, "verify", &body).await;
                    let reason = answer.json()["error"]["details"]["reason"].clone();
                    kinds.push(format!(
                        "{} {}",
                        answer.status,
                        reason.as_str().unwrap_or("-")
                    ));
                }
                (client, kinds)
            })
        })
        .collect();
    let (mut clients, mut tally) = (Vec::new(), Tally::new());
    for task in tasks {
        let (client, kinds) = task.await.unwrap();
        clients.push(client);
        for kind in kinds {
            *tally.entry(kind).or_default() += 1;
        }
    }
    (clients, tally)
}

async fn connect(api: &Api) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(api.client().await);
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_wrong_guesses_exactly_5_are_judged() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let mut clients = connect(&api).await;
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    for round in 1..=ROUNDS {
        // Always another address: wrong codes of one would narrow its later sessions.
        let session = api.send(&format!("ada{round}@example.com")).await;
        let code = api.code(&session).await;
        let (began, tally);
        began = Instant::now();
        (clients, tally) = storm(&api, clients, &session, &wrong(&code)).await;
        slowest = slowest.max(began.elapsed());
        let expected = [("400 too_many_attempts", 295), ("400 wrong_code", 5)];
        let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
        assert_eq!(tally, Tally::from(expected), "round {round}");
        assert_eq!(api.attempts(&session).await, 5, "round {round}");
        let right = api.verify(&session, &code).await;
        assert_eq!(
            right.json()["error"]["details"]["reason"],
            "too_many_attempts"
        );
    }
    println!(
        "{ROUNDS} rounds of {GUESSES} wrong guesses on {CONNECTIONS} connections: 5 judged and 295 \
         refused in each, no 5xx; {:.1} s in all, the slowest round {} ms",
        start.elapsed().as_secs_f64(),
        slowest.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_right_codes_exactly_one_succeeds() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let mut clients = connect(&api).await;
    for round in 1..=5 {
        let session = api.send("ada@example.com").await;
        let code = api.code(&session).await;
        let tally;
        (clients, tally) = storm(&api, clients, &session, &code).await;
        let expected = [("200 -", 1), ("400 already_verified", 299)];
        let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
        assert_eq!(tally, Tally::from(expected), "round {round}");
    }
    println!("5 rounds of {GUESSES} right codes on {CONNECTIONS} connections: one 200 in each");
}
