//! Logs hold no code, no key, no address and no whole session id, at any level.

use otpost_testkit::relay::{Relay, Security, Settings};

use crate::support::{Api, Otpost, Place, code_in, wrong};

/// Every value that must not be in a log.
struct Secret(Vec<String>);

impl Secret {
    fn assert_not_in(&self, log: &str) {
        for secret in &self.0 {
            assert!(
                !log.contains(secret.as_str()),
                "{secret} is in the log:\n{log}"
            );
        }
    }
}

/// The value of an `Idempotency-Key`.
const ONCE: &str = "order-4711-of-magdalena";

/// One session with everything that can happen to it, and to its recipient by an admin key.
async fn flow(api: &Api, admin: &Api, address: &str, code: impl AsyncFn(&str) -> String) -> Secret {
    let body = serde_json::json!({
        "email": address, "code_length": 8, "client_ip": "203.0.113.77",
        "variables": { "name": "Adelheid" },
    });
    let answer = api.once(ONCE).post("send", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let again = api.once(ONCE).post("send", &body).await;
    assert_eq!(
        again.header("idempotent-replayed"),
        Some("true"),
        "{again:?}"
    );
    let session = answer.text("/data/session_id");
    let code = code(&session).await;
    assert_eq!(code.len(), 8, "{code}");
    let guess = wrong(&code);
    let missed = serde_json::json!({ "session_id": session, "code": guess });
    assert_eq!(api.once(ONCE).post("verify", &missed).await.status, 400);
    let other = serde_json::json!({ "session_id": session, "code": code });
    assert_eq!(api.once(ONCE).post("verify", &other).await.status, 422);
    api.resend(&session).await;
    api.status(&session).await;
    let body = serde_json::json!({ "session_id": session, "code": guess, "emial": address });
    assert_eq!(api.post("verify", &body).await.status, 422);
    let body = serde_json::json!({ "email": format!("Bob <{address}>") });
    assert_eq!(api.post("send", &body).await.status, 422);
    let mut stranger = api.clone();
    stranger.key.replace_range(20..24, "AAAA");
    assert_eq!(stranger.verify(&session, &code).await.status, 401);
    assert_eq!(api.verify(&session, &code).await.status, 200);
    let recipient = serde_json::json!({ "email": address });
    for action in ["lookup", "release", "erase"] {
        let done = admin
            .post(&format!("recipients/{action}"), &recipient)
            .await;
        assert_eq!(done.status, 200, "{done:?}");
        let refused = api.post(&format!("recipients/{action}"), &recipient).await;
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    Secret(vec![
        session,
        code,
        guess,
        api.key.clone(),
        api.key[17..].to_owned(),
        stranger.key,
        admin.key.clone(),
        admin.key[17..].to_owned(),
        ONCE.to_owned(),
        address.to_owned(),
        address.split('@').next().unwrap().to_owned(),
        "203.0.113.77".to_owned(),
        "Adelheid".to_owned(),
    ])
}

#[tokio::test]
async fn a_development_run_logs_nothing_secret_at_trace() {
    let place = Place::new();
    let words = ["dev", "--data", "data", "--listen", "127.0.0.1:0"];
    let program = place.otpost(&words).env("OTPOST_LOG__LEVEL", "trace");
    let otpost = program.start();
    otpost.wait_for_banner();
    let api = Otpost::dev_api(place.path());

    let create = ["key", "create", "--project", "default", "--data", "data"];
    let words = [&create[..], &["--permission", "admin"]].concat();
    let admin = api.with_key(&place.output_of(&words));

    let code = async |id: &str| api.code(id).await;
    let secret = flow(&api, &admin, "magdalena.x@example.com", code).await;

    let log = otpost.log();
    secret.assert_not_in(&log);
    // The log is not empty, and the session is in it by its short name.
    let session = &secret.0[0];
    assert!(
        log.contains(&session[22..]) && log.contains("answered"),
        "{log}"
    );
}

#[tokio::test]
async fn a_server_logs_nothing_secret_at_trace_whatever_is_asked_for() {
    let relay = Relay::start(Settings {
        credentials: Some(("relayuser".to_owned(), "relaypassword".to_owned())),
        ..Settings::from(Security::StartTls)
    })
    .await;
    let place = Place::new();
    place.write("ca.pem", relay.ca_pem());
    let port = relay.address().port();
    place.init(&format!(
        "[{{ url = \"smtp+starttls://relayuser:relaypassword@localhost:{port}\", \
         ca_file = \"ca.pem\" }}]"
    ));
    let level = "trace,sea_orm=trace,sqlx=trace,lettre=trace,rustls=trace,actix_http=trace";
    let program = place.otpost(&["serve"]).env("OTPOST_LOG__LEVEL", level);
    let otpost = program.env("OTPOST_LOG__FORMAT", "json").start();
    let address = otpost.json_address();
    let api = Api::new(address, &place.key(&[]));

    let code = async |_: &str| code_in(&relay.wait_for(1).await.remove(0).message(), 8);
    let admin = api.with_key(&place.key(&["--permission", "admin"]));
    let mut secret = flow(&api, &admin, "magdalena.x@customer.example", code).await;

    let toml = place.read("otpost.toml");
    let keys = toml
        .lines()
        .filter(|line| line.contains("_key"))
        .filter_map(|line| {
            let value = line.split('"').nth(1)?;
            Some(value.trim_start_matches("1:").to_owned())
        });
    secret.0.extend(keys);
    secret
        .0
        .extend(["relayuser".to_owned(), "relaypassword".to_owned()]);
    assert!(secret.0.len() >= 17, "{}", secret.0.len());
    let log = otpost.log();
    secret.assert_not_in(&log);
    assert!(log.contains(&secret.0[0][22..]), "{log}");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
