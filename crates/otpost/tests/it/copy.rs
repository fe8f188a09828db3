//! An installation moves to PostgreSQL and goes on there as if nothing had been, and back.

use otpost_cluster::Database;
use otpost_testkit::relay::{Relay, Security};
use serde_json::json;

use crate::support::{Api, Otpost, Place, Scan, code_in, wrong};

const FILE: &str = "sqlite://otpost.db?mode=rwc";

/// The files and the configuration of a server that mails over `relay`, to each address once an
/// hour.
fn place(relay: &Relay) -> Place {
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    set(&place, "[limits]", "[limits]\nrecipient_per_hour = 1");
    place
}

/// Changes the configuration.
fn set(place: &Place, from: &str, to: &str) {
    let text = place.read("otpost.toml");
    assert!(text.contains(from), "{text}");
    place.write("otpost.toml", &text.replacen(from, to, 1));
}

/// The rows of each table, from what `copy` says.
fn moved(said: &str) -> Vec<(&str, i64)> {
    let lines = said.lines().skip(1).take_while(|line| !line.is_empty());
    let cells = lines.map(|line| line.split_once(' ').unwrap());
    cells
        .map(|(table, rows)| (table, rows.trim().parse().unwrap()))
        .collect()
}

/// What there is before the move.
struct Before {
    /// Two wrong guesses, and the code that is right.
    ada: (String, String),
    /// The body of the answer that is kept.
    bob: String,
    /// Its mail waits.
    carol: String,
    key: String,
    revoked: String,
}

async fn fill(relay: &mut Relay, place: &Place) -> Before {
    let otpost = Otpost::serve(place.path());
    let (key, revoked) = (place.key(&[]), place.key(&[]));
    place.output_of(&["key", "revoke", &revoked["otp_live_".len()..][..8]]);
    let api = otpost.api(&key);

    let ada = api.send("ada@customer.example").await;
    api.wait_until_sent(&ada).await;
    let code = code_in(&relay.wait_for(1).await[0].message(), 6);
    for _ in 0..2 {
        let missed = api.verify(&ada, &wrong(&code)).await;
        assert_eq!(missed.status, 400, "{missed:?}");
    }
    is_limited(&api, "ada@customer.example").await;
    let body = json!({ "email": "bob@customer.example" });
    let bob = api.once("bob").post("send", &body).await;
    assert_eq!(bob.status, 200, "{bob:?}");
    api.wait_until_sent(&bob.text("/data/session_id")).await;
    relay.stop().await;
    let carol = api.send("carol@customer.example").await;

    let (status, _) = otpost.terminate().await;
    assert!(status.success());
    Before {
        ada: (ada, code),
        bob: bob.body,
        carol,
        key,
        revoked,
    }
}

async fn is_limited(api: &Api, email: &str) {
    let limited = api.post("send", &json!({ "email": email })).await;
    assert_eq!(limited.status, 429, "{limited:?}");
    assert_eq!(
        limited.text("/error/details/limit"),
        "recipient_per_hour",
        "{limited:?}"
    );
}

#[tokio::test]
async fn an_installation_goes_on_where_it_was_copied_to() {
    let Some(database) = Database::create().await else {
        return;
    };
    let mut relay = Relay::start(Security::Plain).await;
    let place = place(&relay);
    let before = fill(&mut relay, &place).await;
    let audit = place.output_of(&["audit"]);

    let said = place.output_of(&["copy", "--to", database.url()]);
    let rows = moved(&said);
    assert_eq!(rows.len(), 7, "{said}");
    let counted = Scan::open(&place.join("otpost.db")).await.counts().await;
    for (table, rows) in &rows {
        assert_eq!(counted.get(*table), Some(rows), "{table}: {said}");
    }
    assert!(
        said.contains("Set database.url") && said.contains("secrets"),
        "{said}"
    );

    let again = place.otpost(&["copy", "--to", database.url()]).refusal();
    assert!(again.contains("nothing was copied") && again.contains("not empty"));

    set(&place, FILE, database.url());
    relay.restart().await;
    let otpost = Otpost::serve(place.path());
    goes_on(&otpost, &relay, &before).await;
    assert_eq!(place.output_of(&["audit"]), audit);
    let (status, _) = otpost.terminate().await;
    assert!(status.success());

    let back = "sqlite://back.db?mode=rwc";
    let said = place.output_of(&["copy", "--to", back]);
    let rows = moved(&said);
    let counted = Scan::open(&place.join("back.db")).await.counts().await;
    for (table, rows) in &rows {
        assert_eq!(counted.get(*table), Some(rows), "{table}: {said}");
    }
    assert_eq!(place.mode("back.db"), 0o600);
    set(&place, database.url(), back);
    let otpost = Otpost::serve(place.path());
    let api = otpost.api(&before.key);
    assert_eq!(
        api.status(&before.ada.0).await.text("/data/status"),
        "verified"
    );
    is_limited(&api, "carol@customer.example").await;
    assert_eq!(place.output_of(&["audit"]), audit);
}

/// Each of what there was is as it was.
async fn goes_on(otpost: &Otpost, relay: &Relay, before: &Before) {
    let api = otpost.api(&before.key);
    let (ada, code) = &before.ada;
    assert_eq!(api.attempts(ada).await, 2);
    let verified = api.verify(ada, code).await;
    assert_eq!(verified.status, 200, "{verified:?}");
    assert_eq!(api.attempts(ada).await, 3);
    is_limited(&api, "ada@customer.example").await;

    let body = json!({ "email": "bob@customer.example" });
    let bob = api.once("bob").post("send", &body).await;
    assert_eq!((bob.status, &bob.body), (200, &before.bob));
    assert_eq!(bob.header("idempotent-replayed"), Some("true"));

    api.wait_until_sent(&before.carol).await;
    let received = relay.messages();
    let to: Vec<_> = received.iter().flat_map(|one| &one.recipients).collect();
    assert_eq!(received.len(), 3, "{to:?}");
    let code = code_in(&received[2].message(), 6);
    let verified = api.verify(&before.carol, &code).await;
    assert_eq!(verified.status, 200, "{verified:?}");

    let revoked = otpost.api(&before.revoked).status(ada).await;
    assert_eq!(revoked.status, 401, "{revoked:?}");
}

#[tokio::test]
async fn a_refusal_says_which_database_and_no_password() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    for (words, reason) in [
        (
            ["--to", "postgres://otpost:pw-1@127.0.0.1:1/otpost"],
            "copy from",
        ),
        (["--to", "postgres://otpost:pw-1@"], "copy from"),
        (
            ["--from", "pg://otpost:pw-1@db.example/otpost"],
            "copy from",
        ),
    ] {
        let words = [&["copy"][..], &words].concat();
        let refused = place.otpost(&words).refusal();
        assert!(
            refused.contains("nothing was copied") && refused.contains(reason),
            "{refused}"
        );
        assert!(!refused.contains("pw-1"), "{refused}");
    }
    assert!(!place.join("otpost.db").exists(), "it is not made");

    place.output_of(&["migrate"]);
    for to in [
        "postgres://otpost:pw-1@127.0.0.1:1/otpost",
        "postgres://otpost:pw-1@127.0.0.1:1/otpost?password=pw-1",
        "pw-1",
        FILE,
    ] {
        let refused = place.otpost(&["copy", "--to", to]).refusal();
        assert!(refused.contains("the database to copy to"), "{refused}");
        assert!(!refused.contains("pw-1"), "{refused}");
    }
    let which = place.otpost(&["copy"]).refusal();
    assert!(
        which.contains("--from") && which.contains("--to"),
        "{which}"
    );
}
