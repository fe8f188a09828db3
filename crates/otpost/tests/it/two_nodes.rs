//! Two nodes on one database: whatever one of them was told, the other knows.

use std::time::{Duration, Instant};

use otpost_testkit::relay::{Fault, Received, Verb};
use serde_json::json;

use crate::support::{Answer, Api, Place, Service, code_in, eventually, on_both, storm_on, wrong};

on_both! {
    a_database_of_a_newer_program_is_refused_in_one_line
}

const ADA: &str = "ada@customer.example";

/// What both nodes say of a session, which is the same.
async fn status_of_both(service: &Service, session: &str) -> Answer {
    let [one, two] = [&service.apis[0], &service.apis[1]].map(|api| api.status(session));
    let (one, two) = tokio::join!(one, two);
    assert_eq!((one.status, &one.body), (two.status, &two.body));
    one
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_opened_at_one_goes_on_at_the_other() {
    let cooldown = [("OTPOST_POLICY__SESSION_COOLDOWN", "2")];
    let Some(service) = Service::two_nodes(&cooldown).await else {
        return;
    };
    let [one, two] = [&service.apis[0], &service.apis[1]];
    let session = one.send(ADA).await;
    for api in [one, two] {
        let early = api.resend(&session).await;
        assert_eq!(early.status, 429, "{early:?}");
        let wait: u64 = early.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&wait), "{early:?}");
    }
    let code = service.code(&session, ADA).await;
    let pending = status_of_both(&service, &session).await;
    assert_eq!(pending.text("/data/status"), "pending");

    eventually("the end of the cooldown", async || {
        (two.resend(&session).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(one.resend(&session).await.status, 429);
    let again = eventually("the second mail", async || {
        let mails = service.mails_to(ADA);
        (mails.len() == 2).then(|| code_in(&mails[1].message(), 6))
    });
    assert_eq!(again.await, code, "the code is repeated");

    assert_eq!(two.verify(&session, &wrong(&code)).await.status, 400);
    let missed = status_of_both(&service, &session).await;
    assert_eq!(missed.json()["data"]["attempts"], 1);
    assert_eq!(two.verify(&session, &code).await.status, 200);
    let second = one.verify(&session, &code).await;
    assert_eq!(second.text("/error/details/reason"), "already_verified");
    let verified = status_of_both(&service, &session).await;
    assert_eq!(verified.text("/data/status"), "verified");
    for node in &service.nodes {
        assert!(
            !node.log().contains("the clock of this node"),
            "{}",
            node.log()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_at_both_at_once_are_one_request() {
    const DUPLICATES: usize = 100;
    let Some(service) = Service::two_nodes(&[]).await else {
        return;
    };
    for round in 1..=5 {
        let email = format!("ada{round}@customer.example");
        let once: Vec<_> = service.apis.iter().map(|api| api.once(&email)).collect();
        let send = ("send".to_owned(), json!({ "email": email }));
        let answers = storm_on(&once, vec![send; DUPLICATES]).await;
        let first = &answers[0];
        assert_eq!(first.status, 200, "{first:?}");
        assert!(answers.iter().all(|answer| answer.body == first.body));
        let is_new = |answer: &&Answer| answer.header("idempotent-replayed").is_none();
        assert_eq!(answers.iter().filter(is_new).count(), 1);
        service.code(&first.text("/data/session_id"), &email).await;
        assert_eq!(service.mails_to(&email).len(), 1);
    }
    println!(
        "{}: {DUPLICATES} sends at once under one idempotency key, 5 times: one session, one mail \
         and {DUPLICATES} equal answers each",
        service.name()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_is_refused_by_both() {
    let Some(service) = Service::two_nodes(&[]).await else {
        return;
    };
    for api in &service.apis {
        assert_eq!(api.status("x").await.status, 404);
    }
    let id = &service.apis[0].key["otp_live_".len()..][..8];
    service.place.output_of(&["key", "revoke", id]);
    let revoked = Instant::now();
    // Both are asked all the while, so that neither has forgotten the key.
    let refused = async |api: &Api| {
        eventually("the revocation", async || {
            (api.status("x").await.status == 401).then_some(())
        })
        .await;
        let took = revoked.elapsed();
        for _ in 0..20 {
            assert_eq!(api.status("x").await.status, 401, "once refused");
        }
        took
    };
    let (one, two) = tokio::join!(refused(&service.apis[0]), refused(&service.apis[1]));
    let took = one.max(two);
    assert!(took < Duration::from_secs(5), "{took:?}");
    println!(
        "{}: a revoked key is refused by both {} ms after the command",
        service.name(),
        took.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_made_while_they_run_is_known_to_both() {
    let Some(service) = Service::two_nodes(&[]).await else {
        return;
    };
    let bank = service.place.key_of("bank", &[]);
    for (number, api) in service.apis.iter().enumerate() {
        let email = format!("ada{number}@customer.example");
        let bank = api.with_key(&bank);
        let session = bank.send(&email).await;
        bank.wait_until_sent(&session).await;
        let mail = service.mails_to(&email).remove(0);
        let code = code_in(&mail.message(), 6);
        assert_eq!(api.status(&session).await.status, 404, "of another project");
        assert_eq!(bank.verify(&session, &code).await.status, 200);
    }
}

/// The `Message-ID` and the code.
fn mark(mail: &Received) -> (String, String) {
    let message = mail.message();
    let parsed = mail_parser::MessageParser::default().parse(&message);
    let id = parsed.unwrap().message_id().unwrap().to_owned();
    (id, code_in(&message, 6))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_of_a_killed_node_are_taken_over_by_the_other() {
    const MAILS: usize = 5;
    let Some(mut service) = Service::two_nodes(&[]).await else {
        return;
    };
    // The mails are with the first for certain: the second is not there yet.
    service.nodes.pop().unwrap().kill();
    service.relay().inject(Fault::Hang(Verb::EndOfData));
    let email = |number: usize| format!("ada{number}@customer.example");
    let mut sessions = Vec::new();
    for number in 0..MAILS {
        sessions.push(service.apis[0].send(&email(number)).await);
    }
    let first = service.relay().wait_for(MAILS).await;
    assert!(first.iter().all(|mail| !mail.is_acknowledged));
    let second = service.start(&[]);
    let api = Api::new(second.address(), &service.apis[0].key);
    service.nodes.pop().unwrap().kill();
    service.relay().heal();
    let start = Instant::now();
    // Nobody has to wait for the whole minute.
    let sooner = "UPDATE deliveries SET lease_until = lease_until - 55000";
    service.place.sql(sooner).await;

    for (number, session) in sessions.iter().enumerate() {
        api.wait_until_sent(session).await;
        let copies = service.mails_to(&email(number));
        let [before, after] = &copies[..] else {
            panic!("{} copies", copies.len());
        };
        assert_eq!(mark(before), mark(after));
        let between = after.received_at - before.received_at;
        assert!(between > Duration::from_secs(3), "leased: {between:?}");
        let verified = api.verify(session, &mark(after).1).await;
        assert_eq!(verified.status, 200, "{verified:?}");
    }
    println!(
        "PostgreSQL: {MAILS} mails were with a node that was killed: the other sent all, once their \
         leases (5 s here) were over, {} ms after the kill, with the same Message-ID and code",
        start.elapsed().as_millis()
    );
}

async fn a_database_of_a_newer_program_is_refused_in_one_line(place: Place) {
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    place.output_of(&["migrate"]);
    let newer =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_more', 0)";
    place.sql(newer).await;
    for words in [&["serve"][..], &["migrate"], &["key", "list"]] {
        let said = place.otpost(words).refusal();
        let errors: Vec<_> = said
            .lines()
            .filter(|line| !line.contains(" WARN "))
            .collect();
        assert_eq!(errors.len(), 1, "{words:?}: {said}");
        assert!(errors[0].contains("newer otpost"), "{words:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_not_the_servers_says_so() {
    let Some(place) = Place::server().await else {
        return;
    };
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    // The clock of the server cannot be set; its answer can.
    let five_seconds_later = "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz \
         LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + interval ''5 s'''; \
         DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET search_path = public, pg_catalog'', \
         current_database()); END'";
    place.sql(five_seconds_later).await;
    let otpost = place.serve();
    let line = eventually("the warning", async || {
        let log = otpost.log();
        let warning = log
            .lines()
            .find(|line| line.contains("the clock of this node"));
        warning.map(str::to_owned)
    });
    let line = line.await;
    assert!(line.contains("WARN"), "{line}");
    let (_, ahead) = line.split_once("clock.ahead_ms=-").unwrap();
    let ahead: u64 = ahead.split(' ').next().unwrap().parse().unwrap();
    assert!((4_500..=5_500).contains(&ahead), "{line}");
    println!("{line}");
}
