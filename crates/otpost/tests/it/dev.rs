//! `otpost dev`, as a newcomer meets it.

use crate::support::{Client, Otpost, Place, Program, value_of, wrong};

#[tokio::test]
async fn a_code_is_sent_read_and_verified() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());

    let session = api.send("Ada@Example.com").await;
    let message = api.captured(&session).await;
    let code = message["code"].as_str().unwrap();

    assert_eq!(message["to"], "Ada@example.com");
    assert_eq!(message["template"], "login");
    assert!(
        message["subject"].as_str().unwrap().starts_with(code),
        "{message}"
    );
    assert!(
        message["text"].as_str().unwrap().contains(code),
        "{message}"
    );
    let status = api.status(&session).await;
    assert_eq!(status.json()["data"]["status"], "pending");
    api.wait_until_sent(&session).await;

    let refused = api.verify(&session, &wrong(code)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["details"]["attempts_remaining"], 4);
    let verified = api.verify(&session, code).await;
    assert_eq!(
        verified.body,
        r#"{"success":true,"data":{"verified":true,"email":"Ada@example.com"}}"#
    );
    let status = api.status(&session).await.json();
    assert_eq!(status["data"]["status"], "verified");
    assert_eq!(status["data"]["attempts"], 2);
}

#[tokio::test]
async fn a_test_key_has_the_known_code_no_cooldown_and_its_mail_in_the_inbox() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api_for(place.path(), "OTPOST_TEST_KEY");

    let session = api.send("ada@example.test").await;
    assert_eq!(api.code(&session).await, "424242");
    let resent = api.resend(&session).await;
    assert_eq!(
        (resent.status, resent.header("otpost-test")),
        (200, Some("true"))
    );

    let live = Otpost::dev_api(place.path());
    assert_eq!(live.verify(&session, "424242").await.status, 404);
    assert_eq!(api.attempts(&session).await, 0);
    assert_eq!(api.verify(&session, "424242").await.status, 200);
}

#[tokio::test]
async fn a_resend_waits_for_the_cooldown_and_mails_nothing_before() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let session = api.send("ada@example.com").await;
    api.captured(&session).await;

    let refused = api.resend(&session).await;

    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(
        refused.json()["error"]["details"]["limit"],
        "session_cooldown"
    );
    let inbox = api.client().await.get("/dev/inbox/messages").await.json();
    assert_eq!(inbox["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_crash_loses_neither_sessions_nor_keys_nor_messages() {
    let place = Place::new();
    let first = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let session = api.send("ada@example.com").await;
    let code = api.code(&session).await;
    assert_eq!(api.verify(&session, &wrong(&code)).await.status, 400);
    let env_file = place.read("data/dev.env");
    first.kill();

    let second = Otpost::dev(place.path());

    let api = Otpost::dev_api(place.path());
    let env_file_now = place.read("data/dev.env");
    for name in ["OTPOST_KEY", "OTPOST_TEST_KEY"] {
        assert_eq!(value_of(&env_file_now, name), value_of(&env_file, name));
    }
    assert_eq!(api.code(&session).await, code);
    assert_eq!(api.attempts(&session).await, 1);
    assert_eq!(api.verify(&session, &code).await.status, 200);

    let (status, _) = second.terminate().await;
    assert!(status.success());
    let _third = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    assert_eq!(api.code(&session).await, code);
    assert_eq!(
        api.status(&session).await.json()["data"]["status"],
        "verified"
    );
}

#[tokio::test]
async fn its_files_are_private() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    api.captured(&api.send("ada@example.com").await).await;
    for (name, mode) in [
        ("data", 0o700),
        ("data/dev.env", 0o600),
        ("data/secrets.toml", 0o600),
        ("data/otpost.db", 0o600),
        ("data/otpost.db-wal", 0o600),
    ] {
        assert_eq!(place.mode(name), mode, "{name}");
    }
}

#[tokio::test]
async fn the_terminal_shows_all_that_a_newcomer_needs() {
    let place = Place::new();
    let otpost = Otpost::dev(place.path());
    let banner = otpost.wait_for_banner();
    let env_file = place.read("data/dev.env");
    let url = value_of(&env_file, "OTPOST_URL");
    for part in [
        format!("{url}/api/v1/otp/send"),
        format!("{url}/dev/inbox"),
        value_of(&env_file, "OTPOST_KEY"),
        value_of(&env_file, "OTPOST_TEST_KEY"),
        "all limits.* are off here".to_owned(),
        ". ./data/dev.env".to_owned(),
    ] {
        assert!(banner.contains(&part), "{part} is not in {banner}");
    }
    assert!(
        banner.lines().all(|line| line.chars().count() <= 100),
        "{banner}"
    );
    let page = Otpost::dev_api(place.path())
        .client()
        .await
        .get("/dev/inbox")
        .await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html"),
        "{page:?}"
    );
}

#[tokio::test]
async fn the_terminal_says_which_limits_are_set_and_they_hold() {
    let place = Place::new();
    let toml = "limits.recipient_per_day = 2\n[projects.default.limits]\nrecipient_per_day = 1\n";
    place.write("otpost.toml", toml);
    let otpost = Otpost::dev(place.path());
    let banner = otpost.wait_for_banner();
    for part in [
        "10 limits.* are off here; on, for they are set:",
        "\n                recipient_per_day = 2\n",
        "\n                projects.default: recipient_per_day = 1\n",
    ] {
        assert!(banner.contains(part), "{part} is not in {banner}");
    }
    let api = Otpost::dev_api(place.path());
    api.send("ada@example.com").await;
    let refused = api
        .post("send", &serde_json::json!({ "email": "ada@example.com" }))
        .await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let inbox = api.client().await.get("/dev/inbox/messages?wait=20").await;
    assert_eq!(inbox.json()["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_footer_stands_below_the_mails_of_its_language_and_project() {
    let place = Place::new();
    place.write(
        "otpost.toml",
        "[mail.footer]\nen = 'Nobody Ltd'\nde = \"Acme & Söhne GmbH\\nHRB 1\"\n\
         [projects.default.footer]\nen = 'Shop Ltd'\n",
    );
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let mail = async |locale: &str| {
        let body = serde_json::json!({ "email": "ada@example.com", "locale": locale });
        let answer = api.post("send", &body).await;
        let message = api.captured(&answer.text("/data/session_id")).await;
        let part = |name: &str| message[name].as_str().unwrap().replace("\r\n", "\n");
        (part("text"), part("html"))
    };

    let (text, html) = mail("de").await;
    assert!(text.ends_with("-- \nAcme & Söhne GmbH\nHRB 1\n"), "{text}");
    assert!(html.contains(">Acme &amp; Söhne GmbH<"), "{html}");
    let (text, html) = mail("en").await;
    assert!(text.ends_with("-- \nShop Ltd\n"), "{text}");
    assert!(html.contains(">Shop Ltd<"), "{html}");
    assert!(!text.contains("GmbH") && !text.contains("Nobody"), "{text}");
}

#[tokio::test]
async fn a_project_chooses_its_tone() {
    let place = Place::new();
    place.write("otpost.toml", "projects.default.tone = 'informal'\n");
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let body = serde_json::json!({ "email": "ada@example.com", "locale": "de-AT" });
    let answer = api.post("send", &body).await;
    let message = api.captured(&answer.text("/data/session_id")).await;
    let subject = message["subject"].as_str().unwrap();
    assert!(subject.contains(" ist dein Code für "), "{subject}");
}

#[tokio::test]
async fn the_curl_line_of_the_terminal_works_when_pasted() {
    let place = Place::new();
    let otpost = Otpost::dev(place.path());
    let banner = otpost.wait_for_banner();
    let (_, rest) = banner.split_once("Try it:\n").unwrap();
    let (line, _) = rest.split_once("\n\nStop").unwrap();

    let pasted = std::process::Command::new("sh").args(["-c", line]).output();
    let Ok(output) = pasted else {
        panic!("there is no sh");
    };
    if output.status.code() == Some(127) {
        eprintln!("there is no curl here: the line was not tried");
        return;
    }

    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(
        answer.starts_with(r#"{"success":true,"data":{"session_id":""#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_passed_over_unless_it_was_asked_for() {
    let place = Place::new();
    let other = Place::new();
    // Whoever has 8080 on this machine, at the latest the second of these meets it taken.
    let start = |place: &Place| {
        let otpost = place.otpost(&["dev", "--data", "data"]).start();
        otpost.wait_for_banner();
        otpost
    };
    let (_first, _second) = (start(&place), start(&other));
    let url = |place: &Place| value_of(&place.read("data/dev.env"), "OTPOST_URL");
    assert_ne!(url(&place), url(&other));
    assert!(
        url(&other).starts_with("http://127.0.0.1:8"),
        "{}",
        url(&other)
    );
    assert!(
        Otpost::dev_api(other.path())
            .send("a@example.com")
            .await
            .len()
            == 30
    );

    let taken = url(&other).replace("http://", "");
    let words = ["dev", "--data", "third", "--listen", &taken];
    let refused = place.otpost(&words).refusal();
    assert!(refused.contains(&taken), "{refused}");
}

#[tokio::test]
async fn a_second_run_on_the_same_folder_is_refused() {
    let place = Place::new();
    let _first = Otpost::dev(place.path());
    let env_file = place.read("data/dev.env");

    let words = ["dev", "--data", "data", "--listen", "127.0.0.1:0"];
    let refused = Program::new(place.path(), &words).refusal();

    assert!(
        refused.contains("another `otpost dev` runs on data"),
        "{refused}"
    );
    assert_eq!(place.read("data/dev.env"), env_file);
}

#[tokio::test]
async fn the_inbox_is_refused_to_a_foreign_host() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let session = api.send("ada@example.com").await;
    let code = api.code(&session).await;

    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        let client = Client::connect(api.address).await;
        let mut client = client.for_host(host);
        for path in ["/dev/inbox", "/dev/inbox/messages"] {
            let refused = client.get(path).await;
            assert_eq!(refused.status, 403, "{host} {path}: {refused:?}");
            assert!(!refused.body.contains(&code), "{refused:?}");
        }
        let refused = client
            .request("DELETE", "/dev/inbox/messages", "", "")
            .await;
        assert_eq!(refused.status, 403, "{host}");
    }
    assert_eq!(api.code(&session).await, code);
}

#[tokio::test]
async fn a_revoked_key_is_replaced_at_the_next_start_and_the_other_is_kept() {
    let place = Place::new();
    let first = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    let id = &api.key["otp_live_".len()..][..8];
    place.output_of(&["key", "revoke", id, "--data", "data"]);
    assert_eq!(api.status("x").await.status, 401);
    let test_key = value_of(&place.read("data/dev.env"), "OTPOST_TEST_KEY");
    first.kill();

    let _second = Otpost::dev(place.path());

    let renewed = Otpost::dev_api(place.path());
    assert_ne!(renewed.key, api.key);
    assert_eq!(renewed.status("x").await.status, 404);
    assert_eq!(
        value_of(&place.read("data/dev.env"), "OTPOST_TEST_KEY"),
        test_key
    );
}
