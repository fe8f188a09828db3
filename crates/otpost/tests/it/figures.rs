//! Guessing in parallel on 100 connections: five guesses are judged, and one code succeeds, on one
//! node with SQLite and over two nodes with PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;

use crate::support::{Api, Client, Place, Service, wrong};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_wrong_guesses_exactly_5_are_judged() {
    wrong_guesses(&Service::dev(Place::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_right_codes_exactly_one_succeeds() {
    right_codes(&Service::dev(Place::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_wrong_guesses_over_two_nodes_exactly_5_are_judged() {
    if let Some(service) = Service::two_nodes(&[]).await {
        wrong_guesses(&service).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_300_parallel_right_codes_over_two_nodes_exactly_one_succeeds() {
    if let Some(service) = Service::two_nodes(&[]).await {
        right_codes(&service).await;
    }
}

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

/// Connections that are shared out over the nodes.
async fn connect(service: &Service) -> Vec<Client> {
    let mut clients = Vec::new();
    for api in service.apis.iter().cycle().take(CONNECTIONS) {
        clients.push(api.client().await);
    }
    clients
}

async fn wrong_guesses(service: &Service) {
    let api = &service.apis[0];
    let mut clients = connect(service).await;
    let (start, mut slowest) = (Instant::now(), Duration::ZERO);
    for round in 1..=ROUNDS {
        // Always another address: wrong codes of one would narrow its later sessions.
        let email = format!("ada{round}@customer.example");
        let session = api.send(&email).await;
        let code = service.code(&session, &email).await;
        let (began, tally);
        began = Instant::now();
        (clients, tally) = storm(api, clients, &session, &wrong(&code)).await;
        slowest = slowest.max(began.elapsed());
        let expected = [("400 too_many_attempts", 295), ("400 wrong_code", 5)];
        let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
        assert_eq!(tally, Tally::from(expected), "round {round}");
        for api in &service.apis {
            assert_eq!(api.attempts(&session).await, 5, "round {round}");
            let right = api.verify(&session, &code).await;
            let reason = right.text("/error/details/reason");
            assert_eq!(reason, "too_many_attempts");
        }
    }
    println!(
        "{}: {ROUNDS} rounds of {GUESSES} wrong guesses on {CONNECTIONS} connections: 5 judged and \
         295 refused in each, no 5xx; {:.1} s in all, the slowest round {} ms",
        service.name(),
        start.elapsed().as_secs_f64(),
        slowest.as_millis()
    );
}

async fn right_codes(service: &Service) {
    let api = &service.apis[0];
    let mut clients = connect(service).await;
    for round in 1..=5 {
        let email = format!("ada{round}@customer.example");
        let session = api.send(&email).await;
        let code = service.code(&session, &email).await;
        let tally;
        (clients, tally) = storm(api, clients, &session, &code).await;
        let expected = [("200 -", 1), ("400 already_verified", 299)];
        let expected = expected.map(|(kind, count)| (kind.to_owned(), count));
        assert_eq!(tally, Tally::from(expected), "round {round}");
    }
    println!(
        "{}: 5 rounds of {GUESSES} right codes on {CONNECTIONS} connections: one 200 in each",
        service.name()
    );
}
