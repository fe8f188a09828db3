//! `Idempotency-Key`: what came before is answered as it was, and happens once.

use otpost_domain::Mode;
use otpost_service::{DeliveryState, Policy};

use crate::support::{Answer, LOOKUP, Options, RELEASE, RESEND, Request, SEND, VERIFY, Wire};

const BODY: &str = r#"{"email":"user@example.com"}"#;

/// With the documented limits, so that whoever is charged twice shows.
pub(crate) fn start() -> Wire {
    Wire::start_with(Options {
        policy: Policy::default(),
        workers: 4,
        ..Options::default()
    })
}

/// Asks for what came before: everything stays as it is, and the answer is `before`.
pub(crate) fn replayed(wire: &Wire, request: &Request, before: &Answer) -> Answer {
    let answer = wire.ask_in_vain(request);
    assert!(answer.is_replayed(), "{}", answer.text());
    assert_eq!(
        (answer.status, answer.text()),
        (before.status, before.text())
    );
    answer
}

/// Asks for what did not come before.
pub(crate) fn fresh(wire: &Wire, request: &Request, status: u16) -> Answer {
    let answer = wire.ask(request);
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(!answer.is_replayed(), "{}", answer.text());
    answer
}

fn reused(wire: &Wire, request: &Request) -> Answer {
    let answer = wire.ask_in_vain(request);
    let told = (answer.status, &*answer.code());
    assert_eq!(told, (422, "IDEMPOTENCY_KEY_REUSED"));
    assert!(!answer.is_replayed());
    answer
}

/// The same where it might be a guess: nothing is judged, and it counts as a verification.
fn reused_and_counted(wire: &Wire, request: &Request) -> Answer {
    let charged = || wire.store.edit(|tables| tables.counters.clone());
    let (sessions, before) = (wire.store.sessions(), charged());
    let answer = wire.ask(request);
    let told = (answer.status, &*answer.code());
    assert_eq!(told, (422, "IDEMPOTENCY_KEY_REUSED"));
    assert!(!answer.is_replayed());
    assert_eq!(wire.store.sessions(), sessions, "something was judged");
    assert_ne!(charged(), before, "nothing was counted");
    answer
}

/// A hundred times the same request at once: one is carried out and charged, all are answered alike.
fn ask_a_hundred_times(wire: &Wire, request: &Request, status: u16) -> Answer {
    let mut answers = wire.ask_at_once(&request.once("a"), 100);
    for answer in &answers {
        let told = (answer.status, answer.text());
        assert_eq!(told, (status, answers[0].text()));
        assert_eq!(answer.header("ratelimit").is_none(), answer.is_replayed());
    }
    let replays = answers.iter().filter(|answer| answer.is_replayed()).count();
    assert_eq!(replays, 99);
    answers.swap_remove(0)
}

/// Lets the last mail of a session be sent, and its cooldown pass.
fn let_pass(wire: &Wire, session_id: &str) {
    wire.store.edit(|tables| {
        for row in tables.sessions.values_mut() {
            if row.stored.session.id().to_string() == session_id {
                row.stored.delivery.state = DeliveryState::Sent;
            }
        }
    });
    wire.clock.advance(30);
}

#[test]
fn a_hundred_sends_at_once_are_one_mail() {
    let wire = start();
    let answer = ask_a_hundred_times(&wire, &wire.post(SEND, BODY), 200);
    let sessions = wire.store.sessions();
    assert_eq!(sessions.len(), 1);
    let session_id = sessions[0].session.id().to_string();
    assert_eq!(answer.member("session_id"), session_id);
    // One was charged: of sixty a minute, the next leaves 58.
    let next = fresh(&wire, &wire.post(SEND, BODY), 200);
    let stands = next.header("ratelimit").unwrap();
    assert!(stands.contains("minute\";r=58;"), "{stands}");
}

#[test]
fn a_hundred_wrong_codes_at_once_are_one_attempt() {
    let wire = start();
    let session_id = wire.open();
    let wrong = wire.verification(&session_id, &wire.wrong_code(&session_id));
    let answer = ask_a_hundred_times(&wire, &wrong, 400);
    let details = r#"{"reason":"wrong_code","attempts_remaining":4}"#;
    assert!(answer.text().contains(details), "{}", answer.text());
    assert_eq!(wire.attempts(&session_id), 1);
    let failures = wire.store.edit(|tables| {
        let counters = tables.counters.values().map(|counters| counters.failures);
        counters.sum::<u32>()
    });
    assert_eq!(failures, 1);
}

#[test]
fn a_hundred_right_codes_at_once_are_one_verification() {
    let wire = start();
    let session_id = wire.open();
    let right = wire.verification(&session_id, &wire.code(&session_id));
    let answer = ask_a_hundred_times(&wire, &right, 200);
    assert!(answer.text().contains(r#""verified":true"#));
    assert_eq!(wire.attempts(&session_id), 1);
    // Under another key it is another request.
    let again = fresh(&wire, &right.once("b"), 400);
    assert!(again.text().contains("already_verified"));
}

#[test]
fn a_hundred_resends_at_once_are_one_mail() {
    let wire = start();
    let session_id = wire.open();
    let first_mail = wire.row(&session_id).stored.delivery.message;
    let_pass(&wire, &session_id);
    ask_a_hundred_times(&wire, &wire.resend(&session_id), 200);
    let delivery = wire.row(&session_id).stored.delivery;
    assert_eq!(delivery.state, DeliveryState::Queued);
    assert_ne!(delivery.message, first_mail);
    // One of four resends was used.
    for _ in 0..3 {
        let_pass(&wire, &session_id);
        fresh(&wire, &wire.resend(&session_id), 200);
    }
    let_pass(&wire, &session_id);
    assert_eq!(wire.ask_in_vain(&wire.resend(&session_id)).status, 409);
}

#[test]
fn every_answer_is_said_again_as_it_was_and_marked() {
    let wire = start();
    let send = wire.post(SEND, BODY).once("a key");
    let first = fresh(&wire, &send, 200);
    let session_id = first.member("session_id");
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    let wrong = wire.verification(&session_id, &wrong).once("w");
    let refused = fresh(&wire, &wrong, 400);
    fresh(
        &wire,
        &wire.verification(&session_id, "malformed though"),
        400,
    );
    wire.verify(&session_id, &wire.wrong_code(&session_id));
    wire.clock.advance(30);
    let resend = wire.resend(&session_id).once("r");
    let mailed = fresh(&wire, &resend, 200);
    let right = wire.verification(&session_id, &right).once("v");
    let verified = fresh(&wire, &right, 200);
    let late = wire.resend(&session_id).once("late");
    assert_eq!(wire.ask_in_vain(&late).status, 409);
    wire.clock.advance(10);

    // By now the session is verified, and every answer is as it was all the same.
    for (name, request, before) in [
        ("send", &send, &first),
        ("wrong_code", &wrong, &refused),
        ("resend", &resend, &mailed),
        ("verify", &right, &verified),
    ] {
        let answer = replayed(&wire, request, before);
        insta::assert_snapshot!(format!("idempotency_{name}"), answer.snapshot());
    }
    assert_eq!(wire.attempts(&session_id), 3);
}

#[test]
fn an_unknown_session_that_was_counted_is_counted_once() {
    let wire = start();
    for id in ["nobody", &"0".repeat(30)] {
        let lost = wire.verification(id, "123456").once(format!("k {id}"));
        let before = fresh(&wire, &lost, 404);
        assert!(before.header("ratelimit").is_some(), "{id}");
        replayed(&wire, &lost, &before);
    }
}

#[test]
fn another_body_under_a_key_is_refused() {
    let wire = start();
    let send = wire.post(SEND, BODY).once("k");
    let first = fresh(&wire, &send, 200);
    let session_id = first.member("session_id");
    // The same to a reader of JSON is another to the byte.
    for body in [
        r#"{"email":"other@example.com"}"#,
        r#"{"email": "user@example.com"}"#,
        r#"{"email":"user@example.com","template":"login"}"#,
    ] {
        reused(&wire, &wire.post(SEND, body).once("k"));
    }
    let (right, wrong) = (wire.code(&session_id), wire.wrong_code(&session_id));
    let wrong = wire.verification(&session_id, &wrong).once("k");
    let refused = fresh(&wire, &wrong, 400);
    let right = wire.verification(&session_id, &right);
    let answer = reused_and_counted(&wire, &right.once("k"));
    insta::assert_snapshot!("idempotency_reused", answer.snapshot());
    wire.clock.advance(30);
    let resend = wire.resend(&session_id).once("k");
    let mailed = fresh(&wire, &resend, 200);
    let other = wire.open();
    reused(&wire, &wire.resend(&other).once("k"));

    // What was refused has not taken the place of what came before.
    replayed(&wire, &send, &first);
    replayed(&wire, &wrong, &refused);
    replayed(&wire, &resend, &mailed);
    assert_eq!(wire.attempts(&session_id), 1);
    fresh(&wire, &right.once("k2"), 200);
}

#[test]
fn codes_tried_under_the_key_of_a_verification_do_not_learn_which_was_right() {
    let wire = start();
    let session_id = wire.open();
    let right = wire.verification(&session_id, &wire.code(&session_id));
    let right = right.once("k");
    let wrong = wire.verification(&session_id, &wire.wrong_code(&session_id));
    let verified = fresh(&wire, &right, 200);
    for _ in 0..4 {
        reused_and_counted(&wire, &wrong.clone().once("k"));
    }
    replayed(&wire, &right, &verified);
    reused_and_counted(&wire, &wrong.clone().once("k"));
    reused_and_counted(&wire, &right);
}

#[test]
fn a_send_and_a_resend_are_forgotten_after_a_day() {
    let wire = start();
    let send = wire.post(SEND, BODY).once("k");
    let first = fresh(&wire, &send, 200);
    wire.clock.advance_millis(86_399_999);
    replayed(&wire, &send, &first);
    wire.clock.advance_millis(1);
    let anew = fresh(&wire, &send, 200);
    assert_ne!(anew.text(), first.text());
    replayed(&wire, &send, &anew);
    assert_eq!(wire.store.sessions().len(), 2);

    let session_id = anew.member("session_id");
    wire.clock.advance(30);
    let resend = wire.resend(&session_id).once("k");
    let mailed = fresh(&wire, &resend, 200);
    wire.clock.advance_millis(86_399_999);
    replayed(&wire, &resend, &mailed);
    wire.clock.advance_millis(1);
    fresh(&wire, &resend, 410);
    // Nor does anybody remember which body it was.
    fresh(
        &wire,
        &wire.post(SEND, r#"{"email":"o@example.com"}"#).once("k"),
        200,
    );
}

#[test]
fn a_verification_is_forgotten_after_two_minutes() {
    let wire = start();
    let session_id = wire.open();
    let wrong = wire
        .verification(&session_id, &wire.wrong_code(&session_id))
        .once("k");
    let refused = fresh(&wire, &wrong, 400);
    wire.clock.advance_millis(119_999);
    replayed(&wire, &wrong, &refused);
    wire.clock.advance_millis(1);
    let anew = fresh(&wire, &wrong, 400);
    assert!(anew.text().contains(r#""attempts_remaining":3"#));
    assert_eq!(wire.attempts(&session_id), 2);
    replayed(&wire, &wrong, &anew);
}

#[test]
fn projects_modes_and_endpoints_have_keys_of_their_own_and_api_keys_have_not() {
    let wire = start();
    let send = Request::post(SEND, BODY).once("k");
    let first = fresh(&wire, &send.clone().key(&wire.live), 200);
    for stranger in [&wire.test, &wire.other] {
        let foreign = fresh(&wire, &send.clone().key(stranger), 200);
        assert_ne!(foreign.text(), first.text());
        let again = replayed(&wire, &send.clone().key(stranger), &foreign);
        let is_test = stranger.mode() == Mode::Test;
        assert_eq!(again.header("otpost-test").is_some(), is_test);
    }
    let successor = wire.key(|_| ());
    replayed(&wire, &send.clone().key(&successor), &first);

    let session_id = first.member("session_id");
    wire.clock.advance(30);
    fresh(&wire, &wire.resend(&session_id).once("k"), 200);
    fresh(&wire, &wire.verification(&session_id, "1").once("k"), 400);
    assert_eq!(wire.store.sessions().len(), 3);
}

#[test]
fn a_key_is_any_printable_text_of_255_characters() {
    let wire = Wire::start();
    let printable: String = (' '..='~').collect();
    let longest = "x".repeat(255);
    for key in [
        "k",
        "a b",
        printable.trim(),
        "a, b",
        "\"quoted\"",
        &*longest,
    ] {
        let send = wire.post(SEND, BODY).once(key);
        let first = fresh(&wire, &send, 200);
        replayed(&wire, &send, &first);
    }
}

#[test]
fn anything_else_is_no_key_at_each_endpoint_that_takes_one() {
    let wire = Wire::start();
    let too_long = "x".repeat(256);
    let session_id = wire.open();
    wire.clock.advance(30);
    let admin = wire.admin();
    let right = wire.verification(&session_id, &wire.code(&session_id));
    for request in [
        wire.post(SEND, BODY),
        right,
        wire.resend(&session_id),
        Request::post(LOOKUP, BODY).key(&admin),
        // Judged before the fields.
        wire.post(SEND, "{}"),
    ] {
        for key in [&b""[..], b"   ", b"a\tb", b"\xc3\xa4", too_long.as_bytes()] {
            let answer = wire.ask_in_vain(&request.once(key));
            let shown = key.escape_ascii();
            assert_eq!((answer.status, &*answer.code()), (400, "MALFORMED_REQUEST"));
            let message = "The Idempotency-Key header must be 1 to 255 printable ASCII characters.";
            assert_eq!(answer.message(), message, "{shown}");
        }
        let answer = wire.ask_in_vain(&request.once("k").once("k"));
        assert_eq!((answer.status, &*answer.code()), (400, "MALFORMED_REQUEST"));
        assert_eq!(answer.message(), "Send the Idempotency-Key header once.");
    }
    let bad = wire.post(SEND, BODY).once("");
    insta::assert_snapshot!("idempotency_no_key", wire.ask_in_vain(&bad).snapshot());
    // Judged after these.
    for (status, request) in [
        (401, Request::post(SEND, BODY)),
        (413, wire.post(SEND, &" ".repeat(16 * 1024 + 1))),
        (415, wire.post(SEND, BODY).without("Content-Type")),
    ] {
        assert_eq!(wire.ask_in_vain(&request.once("")).status, status);
    }
}

#[test]
fn where_nothing_is_kept_a_key_means_nothing() {
    let wire = Wire::start();
    let session_id = wire.open();
    let path = format!("/api/v1/otp/status/{session_id}");
    let look = Request::get(&path).key(&wire.live).once("");
    fresh(&wire, &look, 200);
    let admin = wire.admin();
    wire.verify(&session_id, &wire.wrong_code(&session_id));
    let release = Request::post(RELEASE, BODY).key(&admin).once("k");
    for is_released in [true, false] {
        let answer = fresh(&wire, &release, 200);
        assert_eq!(answer.json()["data"]["released"], is_released);
    }
}

#[test]
fn without_a_key_every_request_is_a_new_one() {
    let wire = Wire::start();
    let session_id = wire.open();
    assert_ne!(wire.open(), session_id);
    let wrong = wire.wrong_code(&session_id);
    for attempts in 1..=3 {
        let answer = wire.verify(&session_id, &wrong);
        assert!(!answer.is_replayed());
        assert_eq!(wire.attempts(&session_id), attempts);
    }
    assert!(wire.store.edit(|tables| tables.kept_answers.is_empty()));
    let other = format!(r#"{{"session_id":"{session_id}"}}"#);
    assert_eq!(wire.ask_in_vain(&wire.post(RESEND, &other)).status, 429);
    assert_eq!(wire.ask_in_vain(&wire.post(VERIFY, &other)).status, 422);
}
