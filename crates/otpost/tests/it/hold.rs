//! An address on hold under the strict profile, and its release by the command and the endpoint.

use serde_json::json;

use crate::support::{Answer, Api, Otpost, Place, on_both, wrong};

on_both! {
    a_hold_ends_with_the_command_over_all_projects
    a_release_by_a_key_is_for_its_project_alone
    a_release_in_a_project_bounds_it_anew
    what_a_project_forgave_before_a_right_code_it_has_not_forgiven_after_it
    a_service_is_judged_by_its_configuration
}

const VICTIM: &str = "victim@example.com";

/// A development run under the strict profile with a second project: live keys of both, and an
/// admin key of the second.
struct Strict {
    place: Place,
    _otpost: Otpost,
    default: Api,
    shop: Api,
    admin: Api,
}

impl Strict {
    fn new(place: Place) -> Self {
        place.write("otpost.toml", "policy.profile = \"strict\"\n");
        let (otpost, default) = place.dev();
        place.output_of(&["project", "create", "shop", "--data", "data"]);
        let create = ["key", "create", "--project", "shop", "--data", "data"];
        let shop = default.with_key(&place.output_of(&create));
        let admin = [&create[..], &["--permission", "admin"]].concat();
        let admin = default.with_key(&place.output_of(&admin));
        Self {
            place,
            _otpost: otpost,
            default,
            shop,
            admin,
        }
    }

    /// Guesses wrongly until the address is on hold.
    async fn hold(&self, api: &Api) {
        for _ in 0..100 {
            let sent = api.post("send", &json!({ "email": VICTIM })).await;
            if sent.status == 403 {
                is_on_hold(&sent);
                return;
            }
            let session = sent.text("/data/session_id");
            let guess = wrong(&api.code(&session).await);
            while api.status(&session).await.text("/data/status") == "pending" {
                let missed = api.verify(&session, &guess).await;
                assert_eq!(missed.status, 400, "{missed:?}");
            }
        }
        panic!("it is never on hold");
    }

    fn recipient(&self, action: &str, more: &[&str]) -> String {
        let words = ["recipient", action, VICTIM, "--data", "data"];
        self.place.output_of(&[&words, more].concat())
    }
}

fn is_on_hold(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.text("/error/code")),
        (403, "RECIPIENT_ON_HOLD".to_owned()),
        "{answer:?}"
    );
}

/// The whole flow works.
async fn flows(api: &Api) {
    let session = api.send(VICTIM).await;
    let code = api.code(&session).await;
    let verified = api.verify(&session, &code).await;
    assert_eq!(verified.status, 200, "{verified:?}");
}

async fn a_hold_ends_with_the_command_over_all_projects(place: Place) {
    let strict = Strict::new(place);
    strict.hold(&strict.default).await;
    let shown = strict.recipient("show", &[]);
    assert!(shown.contains("since the last right one: 100"), "{shown}");
    assert!(shown.contains("On hold"), "{shown}");
    let counts = strict.place.scan().await.counts().await;
    let sessions = counts["sessions"];
    let used_up = shown.matches("guesses used up").count();
    assert_eq!(i64::try_from(used_up).unwrap(), sessions, "{shown}");
    is_on_hold(&strict.shop.post("send", &json!({ "email": VICTIM })).await);

    let said = strict.recipient("release", &[]);
    assert!(said.contains("is released"), "{said}");
    let said = strict.recipient("release", &[]);
    assert!(said.contains("nothing to release"), "{said}");

    let shown = strict.recipient("show", &[]);
    assert!(shown.contains("since the last right one: 0"), "{shown}");
    assert!(shown.contains("Not on hold"), "{shown}");
    flows(&strict.shop).await;
    flows(&strict.default).await;
    let log = strict
        .place
        .output_of(&["audit", "--data", "data", "--address", VICTIM]);
    assert_eq!(log.matches("recipient.released").count(), 1, "{log}");
}

async fn a_release_by_a_key_is_for_its_project_alone(place: Place) {
    let strict = Strict::new(place);
    strict.hold(&strict.default).await;
    let email = json!({ "email": "Victim+x@example.com" });
    let look = strict.admin.post("recipients/lookup", &email).await;
    assert_eq!(look.status, 200, "{look:?}");
    let look = look.json()["data"].clone();
    assert_eq!(
        (&look["on_hold"], &look["failures"]),
        (&json!(true), &json!(100)),
        "{look}"
    );
    assert_eq!(
        look["sessions"], 0,
        "those of the other project are not seen: {look}"
    );

    for (api, status) in [(&strict.shop, 403), (&strict.default, 403)] {
        let refused = api.post("recipients/release", &email).await;
        assert_eq!(
            (refused.status, refused.text("/error/code")),
            (status, "FORBIDDEN".into())
        );
    }
    is_on_hold(&strict.shop.post("send", &json!({ "email": VICTIM })).await);
    let forbidden = strict.admin.post("send", &json!({ "email": VICTIM })).await;
    assert_eq!(forbidden.text("/error/code"), "FORBIDDEN");

    for released in [true, false] {
        let answer = strict.admin.post("recipients/release", &email).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["data"]["released"], released);
    }
    is_on_hold(
        &strict
            .default
            .post("send", &json!({ "email": VICTIM }))
            .await,
    );
    let shown = strict.recipient("show", &["--project", "default"]);
    assert!(shown.contains("On hold"), "{shown}");
    let shown = strict.recipient("show", &["--project", "shop"]);
    assert!(shown.contains("Not on hold"), "{shown}");

    // A right code in the released project ends the hold everywhere, as it always does.
    flows(&strict.shop).await;
    flows(&strict.default).await;
}

async fn a_release_in_a_project_bounds_it_anew(place: Place) {
    let strict = Strict::new(place);
    strict.hold(&strict.default).await;
    strict.recipient("release", &["--project", "shop"]);
    strict.hold(&strict.shop).await;
    let shown = strict.recipient("show", &[]);
    assert!(shown.contains("since the last right one: 200"), "{shown}");
    let shown = strict.recipient("show", &["--project", "shop"]);
    assert!(shown.contains("since the last right one: 100"), "{shown}");
    println!(
        "strict: 100 wrong codes until the hold, 100 more in the one project that released, and \
         none in the other"
    );
}

async fn what_a_project_forgave_before_a_right_code_it_has_not_forgiven_after_it(place: Place) {
    let strict = Strict::new(place);
    let create = ["key", "create", "--project", "blog", "--data", "data"];
    let create_project = ["project", "create", "blog", "--data", "data"];
    strict.place.output_of(&create_project);
    let blog = strict.default.with_key(&strict.place.output_of(&create));
    let session = blog.send(VICTIM).await;
    let code = blog.code(&session).await;
    strict.hold(&strict.default).await;
    for project in ["shop", "blog"] {
        strict.recipient("release", &["--project", project]);
    }
    assert_eq!(blog.verify(&session, &code).await.status, 200);

    // As many wrong codes again, of which the shop sees none come.
    strict.hold(&strict.default).await;

    let shown = strict.recipient("show", &["--project", "shop"]);
    assert!(shown.contains("since the last right one: 100"), "{shown}");
    is_on_hold(&strict.shop.post("send", &json!({ "email": VICTIM })).await);
}

async fn a_service_is_judged_by_its_configuration(place: Place) {
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let toml = place.read("otpost.toml");
    let more = "[projects.bank.policy]\nprofile = \"strict\"\n\
                [projects.bank.limits]\nproject_sends_per_minute = 0\n\
                exempt_recipients = [\"customer.example\"]\n";
    place.write("otpost.toml", &format!("{toml}\n{more}"));
    let otpost = place.serve();
    let bank = otpost.api(&place.key_of("bank", &[]));
    let shop = otpost.api(&place.key_of("shop", &[]));
    let (address, email) = (
        "ada@customer.example",
        json!({ "email": "ada@customer.example" }),
    );
    loop {
        let sent = bank.post("send", &email).await;
        if sent.status == 403 {
            is_on_hold(&sent);
            break;
        }
        // For another purpose: an attempt as any other, for which no mail has to be read.
        let session = sent.text("/data/session_id");
        let guess = json!({ "session_id": session, "code": "000000", "template": "reset" });
        while bank.post("verify", &guess).await.json()["error"]["details"]["reason"] == "mismatch" {
        }
    }

    for (more, held) in [
        (&[][..], true),
        (&["--project", "bank"], true),
        (&["--project", "shop"], false),
    ] {
        let shown = place.output_of(&[&["recipient", "show", address], more].concat());
        assert!(shown.contains("right one: 100"), "{shown}");
        assert_eq!(shown.contains("On hold under"), held, "{more:?}: {shown}");
        assert_eq!(shown.contains("Not on hold."), !held, "{more:?}: {shown}");
    }
    assert_eq!(shop.post("send", &email).await.status, 200);
    place.output_of(&["recipient", "release", address, "--project", "bank"]);
    assert_eq!(bank.post("send", &email).await.status, 200);
}
