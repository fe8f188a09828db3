//! Projects and keys: what an operator does, and its effect on the wire.

use std::time::{Duration, Instant};

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
    let revoked = Instant::now();
    let refused = eventually("the revocation", async || {
        let answer = api.status("x").await;
        (answer.status == 401).then_some(answer)
    })
    .await;
    let took = revoked.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
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
async fn a_key_works_only_from_where_it_may() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let program = place.otpost(&["serve"]);
    let otpost = program
        .env("OTPOST_SERVER__TRUSTED_PROXIES", "127.0.0.1")
        .start();
    let elsewhere = place.key(&["--allow-ip", "10.0.0.0/8"]);
    let here = place.key(&["--allow-ip", "10.0.0.0/8", "127.0.0.1"]);
    let repeated = place.key(&["--allow-ip", "10.0.0.0/8", "--allow-ip", "127.0.0.1"]);
    let anywhere = place.key(&[]);
    let api = otpost.api(&elsewhere);

    let refused = api.status("x").await;
    assert_eq!(refused.status, 401, "{refused:?}");
    let unknown = api.with_key(&format!("{}x", &elsewhere[..59]));
    let unknown = unknown.status("x").await;
    assert_eq!(
        (
            refused.text("/error/message"),
            refused.header("www-authenticate")
        ),
        (
            unknown.text("/error/message"),
            unknown.header("www-authenticate")
        ),
        "as an unknown key"
    );
    let id = &elsewhere["otp_live_".len()..][..8];
    let why = |line: &&str| line.contains("--allow-ip") && line.contains(id);
    assert_eq!(
        otpost.log().lines().filter(why).count(),
        1,
        "{}",
        otpost.log()
    );
    assert!(!otpost.log().contains(&elsewhere));
    assert_eq!(otpost.api(&here).status("x").await.status, 404);
    assert_eq!(otpost.api(&anywhere).status("x").await.status, 404);

    // Behind the proxy it is the address that the proxy tells.
    for (from, status) in [("10.1.2.3", 404), ("192.0.2.1", 401)] {
        let forwarded = format!("{}X-Forwarded-For: {from}\r\n", api.headers());
        let mut client = api.client().await;
        let path = "/api/v1/otp/status/x";
        let answer = client.request("GET", path, &forwarded, "").await;
        assert_eq!(answer.status, status, "{from}: {answer:?}");
    }
    let list = place.output_of(&["key", "list"]);
    for (key, from) in [
        (&elsewhere, "10.0.0.0/8"),
        (&here, "10.0.0.0/8, 127.0.0.1"),
        (&repeated, "10.0.0.0/8, 127.0.0.1"),
        (&anywhere, "anywhere"),
    ] {
        let line = line_of(&list, key);
        assert!(line.ends_with(&format!("  {from}")), "{line}");
    }
}

/// The line of `key list` about this key.
fn line_of<'a>(list: &'a str, key: &str) -> &'a str {
    let id = &key["otp_live_".len()..][..8];
    let line = list.lines().find(|line| line.starts_with(id));
    line.unwrap_or_else(|| panic!("{id} is not in {list}"))
}

#[tokio::test]
async fn the_last_use_of_a_key_is_shown_once_it_was_used() {
    let (place, otpost) = server();
    let used = place.key(&[]);
    let not_allowed = place.key(&["--allow-ip", "192.0.2.1"]);
    let list = place.output_of(&["key", "list"]);
    assert!(line_of(&list, &used).contains("  never  "), "{list}");
    let before = SystemClock.now().as_millis() / 60_000;
    assert_eq!(otpost.api(&used).status("x").await.status, 404);
    assert_eq!(otpost.api(&not_allowed).status("x").await.status, 401);
    let after = SystemClock.now().as_millis() / 60_000;
    let (status, _) = otpost.terminate().await;
    assert!(status.success());

    let list = place.output_of(&["key", "list"]);

    let minutes = [before, after].map(|minute| {
        let minute = OffsetDateTime::from_unix_timestamp(minute * 60).unwrap();
        minute.format(&Rfc3339).unwrap().replace(":00Z", "Z")
    });
    let line = line_of(&list, &used);
    assert!(
        minutes.iter().any(|minute| line.contains(minute)),
        "{minutes:?}: {list}"
    );
    assert!(line_of(&list, &not_allowed).contains("  never  "), "{list}");
}

#[tokio::test]
async fn a_key_does_no_more_than_it_may() {
    let (place, otpost) = server();
    let email = serde_json::json!({ "email": "ada@customer.example" });
    for (may, otp, admin) in [("otp", 200, 403), ("admin", 403, 200)] {
        let api = otpost.api(&place.key(&["--permission", may]));
        assert_eq!(api.post("send", &email).await.status, otp, "{may}");
        for action in ["lookup", "release", "erase"] {
            let answer = api.post(&format!("recipients/{action}"), &email).await;
            assert_eq!(answer.status, admin, "{may} {action}: {answer:?}");
        }
    }
    for words in [
        &["--permission", "otp", "admin"][..],
        &["--permission", "admin", "--permission", "otp"],
    ] {
        let key = place.key(words);
        let both = otpost.api(&key);
        let looked = both.post("recipients/lookup", &email).await;
        assert_eq!(looked.status, 200, "{words:?}: {looked:?}");
        assert_eq!(both.status("x").await.status, 404, "{words:?}");
        let list = place.output_of(&["key", "list"]);
        assert!(line_of(&list, &key).contains("  otp admin  "), "{list}");
    }
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
            &["--project", "shop", "--permission", "root"],
            "invalid value 'root'",
        ),
        (
            &["--project", "shop", "--permission", "otp", "root"],
            "there are otp and admin",
        ),
        (
            &["--project", "shop", "--permission", ""],
            "there are otp and admin",
        ),
        (
            &["--project", "shop", "--allow-ip", "10.0.0.0/33"],
            "must be an IP address, or a network such as 10.0.0.0/8",
        ),
        (
            &["--project", "shop", "--expires", "2020-01-01T00:00:00Z"],
            "is over already",
        ),
        (&["--project", "shop", "--expires", "soon"], "is no time"),
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
