//! Projects and keys: what an operator does, and its effect on the wire.

use otpost::SystemClock;
use otpost_ports::Clock as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::{Otpost, Place, eventually};

/// A configured server and its folder.
fn server() -> (Place, Otpost) {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let otpost = Otpost::serve(place.path());
    (place, otpost)
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    let (place, otpost) = server();
    let key = place.key(&[]);
    assert!(
        key.starts_with("otp_live_") && key.len() == 60,
        "the key alone: {key:?}"
    );
    let other = place.key(&["--permission", "otp"]);
    let api = otpost.api(&key);
    assert_eq!(api.status("x").await.status, 404);

    let id = &key["otp_live_".len()..][..8];
    let list = place.output_of(&["key", "list"]);
    assert!(
        list.contains(id) && list.contains("shop") && list.contains("in force"),
        "{list}"
    );
    assert!(!list.contains(&key), "{list}");

    place.output_of(&["key", "revoke", id]);
    let refused = eventually("the revocation", async || {
        let answer = api.status("x").await;
        (answer.status == 401).then_some(answer)
    })
    .await;
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("invalid_token"), "{refused:?}");
    assert_eq!(otpost.api(&other).status("x").await.status, 404);
    assert!(place.output_of(&["key", "list"]).contains("revoked "));
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let (place, otpost) = server();
    let long = place.key(&["--expires", "90d"]);
    let ends = SystemClock.now().plus_secs(6).as_millis() / 1000;
    let ends = OffsetDateTime::from_unix_timestamp(ends)
        .unwrap()
        .format(&Rfc3339)
        .unwrap();
    let short = place.output_of(&["key", "create", "--project", "shop", "--expires", &ends]);
    assert_eq!(otpost.api(&short).status("x").await.status, 404);

    eventually("the end of the key", async || {
        let answer = otpost.api(&short).status("x").await;
        (answer.status == 401).then_some(())
    })
    .await;

    assert_eq!(otpost.api(&long).status("x").await.status, 404);
    let list = place.output_of(&["key", "list"]);
    assert!(
        list.contains("expired ") && list.contains("until "),
        "{list}"
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_is_not_made() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    place.output_of(&["project", "create", "shop"]);
    for (words, reason) in [
        (&["--project", "shpo"][..], "there is no project shpo"),
        (&["--project", "Shop"], "a name is"),
        (
            &["--project", "shop", "--permission", "admin"],
            "there are otp",
        ),
        (
            &["--project", "shop", "--expires", "2020-01-01T00:00:00Z"],
            "is over already",
        ),
        (&["--project", "shop", "--expires", "soon"], "is no moment"),
    ] {
        let words = [&["key", "create"], words].concat();
        let refused = place.otpost(&words).refusal();
        assert!(refused.contains(reason), "{words:?}: {refused}");
    }
    assert!(
        place
            .output_of(&["key", "list"])
            .contains("There is no key yet")
    );
    let refused = place.otpost(&["key", "revoke", "nonsense"]).refusal();
    assert!(refused.contains("there is no key nonsense"), "{refused}");
}

#[tokio::test]
async fn a_project_is_made_once() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    place.output_of(&["project", "create", "shop"]);
    let refused = place.otpost(&["project", "create", "shop"]).refusal();
    assert!(refused.contains("already"), "{refused}");
    let list = place.output_of(&["project", "list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
}

#[tokio::test]
async fn serve_refuses_test_keys_and_says_why_unless_they_are_switched_on() {
    let (place, otpost) = server();
    let key = place.key(&["--test"]);
    assert!(key.starts_with("otp_test_"), "{key}");
    assert_eq!(otpost.api(&key).status("x").await.status, 401);
    eventually("the reason in the log", async || {
        otpost.log().contains("server.test_keys").then_some(())
    })
    .await;
    assert!(!otpost.log().contains(&key));
    drop(otpost);

    let program = place
        .otpost(&["serve"])
        .env("OTPOST_SERVER__TEST_KEYS", "true");
    let otpost = program.start();
    let api = otpost.api(&key);
    let session = api.send("ada@example.com").await;
    assert_eq!(api.verify(&session, "424242").await.status, 200);
}
