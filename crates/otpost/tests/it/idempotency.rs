//! A request that is to be carried out once: a hundred of it at the same time, and across a crash,
//! are one mail and one attempt, with equal answers.

use serde_json::{Value, json};

use crate::support::{Answer, Api, Otpost, Place, on_both, storm, wrong};

on_both! {
    a_hundred_duplicates_are_one_request_also_after_a_crash
    duplicates_that_a_crash_interrupts_are_one_request_too
    another_request_under_a_used_key_is_refused_and_does_nothing
    a_key_that_cannot_be_is_refused_and_does_nothing
}

const DUPLICATES: usize = 100;

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

/// Asks the same a hundred times at once: the one answer that all got, and how many of them said
/// that it was given before.
async fn duplicates(api: &Api, endpoint: &str, body: &Value) -> (Answer, usize) {
    let answers = storm(api, vec![(endpoint.to_owned(), body.clone()); DUPLICATES]).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (answers[0].status, &answers[0].body)
        );
        let is_counted = answer.header("ratelimit").is_some();
        assert!(
            !(is_replayed(answer) && is_counted),
            "a repeat is not charged: {answer:?}"
        );
    }
    let replayed = answers.iter().filter(|answer| is_replayed(answer)).count();
    (answers[0].clone(), replayed)
}

async fn a_hundred_duplicates_are_one_request_also_after_a_crash(place: Place) {
    place.write("otpost.toml", "policy.session_cooldown = 0");
    let (mut otpost, mut api) = place.dev();
    let body = json!({ "email": "ada@example.com" });
    let (sent, replayed) = duplicates(&api.once("send 1"), "send", &body).await;
    assert_eq!((sent.status, replayed), (200, DUPLICATES - 1), "{sent:?}");
    let session = sent.text("/data/session_id");
    let code = api.code(&session).await;
    api.wait_until_sent(&session).await;
    assert_eq!(api.mails().await, 1);

    let guess = json!({ "session_id": session, "code": wrong(&code) });
    let (missed, replayed) = duplicates(&api.once("guess"), "verify", &guess).await;
    assert_eq!(
        (missed.status, replayed),
        (400, DUPLICATES - 1),
        "{missed:?}"
    );
    assert_eq!(missed.json()["error"]["details"]["attempts_remaining"], 4);
    assert_eq!(api.attempts(&session).await, 1);

    let again = json!({ "session_id": session });
    let (resent, replayed) = duplicates(&api.once("resend"), "resend", &again).await;
    assert_eq!(
        (resent.status, replayed),
        (200, DUPLICATES - 1),
        "{resent:?}"
    );
    api.wait_until_sent(&session).await;
    assert_eq!(api.mails().await, 2);

    let right = json!({ "session_id": session, "code": code });
    let (verified, replayed) = duplicates(&api.once("right"), "verify", &right).await;
    assert_eq!(
        (verified.status, replayed),
        (200, DUPLICATES - 1),
        "{verified:?}"
    );
    assert_eq!(api.attempts(&session).await, 2);

    otpost.kill();
    (otpost, api) = place.dev();
    for (key, endpoint, body, first) in [
        ("send 1", "send", &body, &sent),
        ("guess", "verify", &guess, &missed),
        ("resend", "resend", &again, &resent),
        ("right", "verify", &right, &verified),
    ] {
        let (answer, replayed) = duplicates(&api.once(key), endpoint, body).await;
        assert_eq!(replayed, DUPLICATES, "{key}");
        assert_eq!(
            (answer.status, answer.body),
            (first.status, first.body.clone())
        );
    }
    assert_eq!((api.mails().await, api.attempts(&session).await), (2, 2));

    // Without a key nothing is said again.
    let second = api.verify(&session, &code).await;
    assert_eq!(second.text("/error/details/reason"), "already_verified");
    println!(
        "{}: {DUPLICATES} duplicates at once of send, wrong verify, resend and right verify: 1 mail, 1 \
         attempt, 1 mail, 1 attempt, {DUPLICATES} equal answers each; after kill -9 the same {} \
         answers again and no mail, no attempt",
        place.engine(),
        4 * DUPLICATES
    );
    drop(otpost);
}

async fn duplicates_that_a_crash_interrupts_are_one_request_too(place: Place) {
    for round in 1..=5 {
        let (otpost, api) = place.dev();
        let once = api.once(&format!("round {round}"));
        let email = format!("ada{round}@example.com");
        let mut under_way = tokio::task::JoinSet::new();
        for _ in 0..DUPLICATES {
            let (once, email) = (once.clone(), email.clone());
            under_way.spawn(async move { once.try_send(&email).await });
        }
        let first = under_way.join_next().await.unwrap().unwrap();
        assert_eq!(first, Some(200), "round {round}");
        otpost.kill();
        under_way.join_all().await;

        let (_otpost, api) = place.dev();
        let once = api.once(&format!("round {round}"));
        let (sent, replayed) = duplicates(&once, "send", &json!({ "email": email })).await;
        assert_eq!(
            (sent.status, replayed),
            (200, DUPLICATES),
            "round {round}: {sent:?}"
        );
        let counts = place.scan().await.counts().await;
        for table in ["sessions", "deliveries", "kept_answers"] {
            assert_eq!(counts[table], round, "{table}");
        }
    }
}

async fn another_request_under_a_used_key_is_refused_and_does_nothing(place: Place) {
    let (_otpost, api) = place.dev();
    let once = api.once("k");
    let sent = once
        .post("send", &json!({ "email": "ada@example.com" }))
        .await;
    let session = sent.text("/data/session_id");
    let code = api.code(&session).await;
    let other = once
        .post("send", &json!({ "email": "bob@example.com" }))
        .await;
    assert_eq!(
        (other.status, other.text("/error/code")),
        (422, "IDEMPOTENCY_KEY_REUSED".into())
    );

    let guess = json!({ "session_id": session, "code": wrong(&code) });
    let missed = once.post("verify", &guess).await;
    assert_eq!(
        missed.status, 400,
        "the same key is another one at another endpoint: {missed:?}"
    );
    let right = once
        .post("verify", &json!({ "session_id": session, "code": code }))
        .await;
    assert_eq!(
        (right.status, right.text("/error/code")),
        (422, "IDEMPOTENCY_KEY_REUSED".into())
    );
    assert_eq!(api.attempts(&session).await, 1);

    // Nor is it the same for a test key.
    let test = Otpost::dev_api_for(place.path(), "OTPOST_TEST_KEY").once("k");
    let sent = test
        .post("send", &json!({ "email": "bob@example.com" }))
        .await;
    assert_eq!((sent.status, is_replayed(&sent)), (200, false), "{sent:?}");
    test.captured(&sent.text("/data/session_id")).await;
    assert_eq!(
        api.mails().await,
        2,
        "that of the refused send is not there"
    );
}

async fn a_key_that_cannot_be_is_refused_and_does_nothing(place: Place) {
    let (_otpost, api) = place.dev();
    let body = json!({ "email": "ada@example.com" });
    let long = "k".repeat(256);
    for key in ["", &long, "schlüssel", "a\r\nIdempotency-Key: a"] {
        let refused = api.once(key).post("send", &body).await;
        assert_eq!(refused.status, 400, "{key:?}: {refused:?}");
        assert_eq!(refused.text("/error/code"), "MALFORMED_REQUEST", "{key:?}");
    }
    assert_eq!(api.mails().await, 0);
    let longest = api.once(&long[1..]).post("send", &body).await;
    assert_eq!(longest.status, 200, "{longest:?}");
    api.captured(&longest.text("/data/session_id")).await;
    assert_eq!(api.mails().await, 1);
}
