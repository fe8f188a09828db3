//! `otpost serve`: from a fresh configuration to a verified code, over a real relay.

use otpost_testkit::relay::{Relay, Security, Settings};

use crate::support::{Client, Otpost, Place, code_in, wrong};

/// A relay that wants STARTTLS and a login, and a folder whose configuration uses it.
async fn starttls() -> (Relay, Place) {
    let relay = Relay::start(Settings {
        credentials: Some(("shop".to_owned(), "p@ss:word".to_owned())),
        ..Settings::from(Security::StartTls)
    })
    .await;
    let place = Place::new();
    place.write("ca.pem", relay.ca_pem());
    place.write("password", "p@ss:word\n");
    let port = relay.address().port();
    place.init(&format!(
        "[{{ url = \"smtp+starttls://shop@localhost:{port}\", password_file = \"password\", \
         ca_file = \"ca.pem\" }}]"
    ));
    (relay, place)
}

#[tokio::test]
async fn a_mail_over_starttls_with_a_login_brings_a_code_that_verifies() {
    let (relay, place) = starttls().await;
    place.output_of(&["check-config"]);
    let otpost = Otpost::serve(place.path());
    let api = otpost.api(&place.key(&[]));

    let session = api.send("ada@customer.example").await;
    let received = relay.wait_for(1).await.remove(0);

    assert!(received.is_encrypted && received.is_acknowledged);
    assert_eq!(received.user.as_deref(), Some("shop"));
    assert_eq!(received.from, "no-reply@acme.example");
    assert_eq!(received.recipients, ["ada@customer.example"]);
    let code = code_in(&received.message(), 6);
    assert_eq!(api.verify(&session, &wrong(&code)).await.status, 400);
    assert_eq!(api.verify(&session, &code).await.status, 200);
    let again = api.verify(&session, &code).await;
    assert_eq!(
        again.json()["error"]["details"]["reason"],
        "already_verified"
    );
}

// The relay answers while the test waits for the command.
#[tokio::test(flavor = "multi_thread")]
async fn send_test_mail_says_what_became_of_it() {
    let (mut relay, place) = starttls().await;
    let said = place.output_of(&["send-test-mail", "--to", "ops@acme.example"]);
    assert!(said.contains("took the message"), "{said}");
    assert_eq!(relay.messages()[0].recipients, ["ops@acme.example"]);
    assert!(!place.join("otpost.db").exists());

    let refused = place
        .otpost(&["send-test-mail", "--to", "nobody"])
        .refusal();
    assert!(refused.contains("that is no address"), "{refused}");
    place.write("password", "wrong\n");
    let refused = place
        .otpost(&["send-test-mail", "--to", "ops@acme.example"])
        .refusal();
    assert!(refused.contains("535"), "{refused}");
    relay.stop().await;
    let refused = place
        .otpost(&["send-test-mail", "--to", "ops@acme.example"])
        .refusal();
    assert!(refused.contains("localhost"), "{refused}");
    assert_eq!(relay.messages().len(), 1);
}

#[tokio::test]
async fn the_inbox_cannot_be_had_in_production() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let otpost = Otpost::serve(place.path());
    let mut client = Client::connect(otpost.address()).await;
    for path in ["/dev", "/dev/", "/dev/inbox", "/dev/inbox/messages"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status, answer.text("/error/code").as_str()),
            (404, "NOT_FOUND"),
            "{path}"
        );
    }
    let answer = client
        .request("DELETE", "/dev/inbox/messages", "", "")
        .await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_project_mails_as_itself_and_in_its_own_language() {
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    let mut text = place.read("otpost.toml");
    text.push_str(
        "\n[projects.shop]\nfrom = \"Shop <hello@shop.example>\"\nproduct = \"Der Laden\"\n\
         locale = \"de\"\n[projects.shop.policy]\nexpires_in_max = 60\nattempts_max = 2\n",
    );
    place.write("otpost.toml", &text);
    let otpost = Otpost::serve(place.path());
    let api = otpost.api(&place.key(&[]));

    let session = api.send("ada@customer.example").await;
    let received = relay.wait_for(1).await.remove(0);

    assert_eq!(received.from, "hello@shop.example");
    let message = received.message();
    let message = mail_parser::MessageParser::default()
        .parse(&message)
        .unwrap();
    assert!(
        message
            .subject()
            .unwrap()
            .contains("Ihr Code für Der Laden"),
        "{message:?}"
    );
    assert_eq!(api.status(&session).await.json()["data"]["max_attempts"], 2);
    let body = serde_json::json!({ "email": "ada@customer.example", "expires_in": 61 });
    let refused = api.post("send", &body).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text("/error/message").contains("60"), "{refused:?}");
}

#[tokio::test]
async fn reserved_domains_are_refused_to_live_keys() {
    let relay = Relay::start(Security::Plain).await;
    let place = Place::new();
    place.init(&format!("[\"{}\"]", relay.url()));
    let otpost = Otpost::serve(place.path());
    let api = otpost.api(&place.key(&[]));
    for domain in ["a.test", "a.invalid", "a.localhost"] {
        let body = serde_json::json!({ "email": format!("ada@{domain}") });
        assert_eq!(api.post("send", &body).await.status, 422, "{domain}");
    }
    api.send("ada@customer.example").await;
    let received = relay.wait_for(1).await;
    assert_eq!(received[0].recipients, ["ada@customer.example"]);
}

#[tokio::test]
async fn probes_answer_without_a_key_and_a_dead_relay_does_not_matter() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let otpost = Otpost::serve(place.path());
    let mut client = Client::connect(otpost.address()).await;
    assert_eq!(client.get("/healthz").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 200);
}
