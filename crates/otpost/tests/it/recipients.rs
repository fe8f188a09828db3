//! What is kept of a recipient: shown, and erased without a trace, by the command and the endpoint.

use serde_json::json;

use crate::support::{Api, Otpost, Place, Scan, on_both, wrong};

on_both! {
    an_erased_address_leaves_no_row_and_no_byte
    an_erasure_in_a_project_leaves_what_others_share
    what_is_kept_is_shown_in_words_and_a_table
    a_recipient_that_cannot_be_is_refused_and_nothing_is_done
}

const ADA: &str = "Ada.Lovelace+shop@example.com";

fn dev(place: &Place, toml: &str) -> (Otpost, Api) {
    place.write("otpost.toml", toml);
    place.dev()
}

/// Leaves a row of `email` in every table that can have one: a session with wrong guesses, a
/// verified one, kept answers, counters, and an entry of the audit log.
async fn leave_traces(place: &Place, api: &Api, email: &str) {
    let once = api.once(&format!("{:x}", email.len()));
    let sent = once
        .post("send", &json!({ "email": email, "client_ip": "192.0.2.1" }))
        .await;
    let session = sent.text("/data/session_id");
    let code = api.code(&session).await;
    let guess = json!({ "session_id": session, "code": wrong(&code) });
    assert_eq!(once.post("verify", &guess).await.status, 400);
    api.wait_until_sent(&session).await;
    assert_eq!(
        once.post("resend", &json!({ "session_id": session }))
            .await
            .status,
        200
    );
    api.wait_until_sent(&session).await;
    assert_eq!(api.verify(&session, &code).await.status, 200);
    api.wait_until_sent(&api.miss(email).await).await;
    place.output_of(&["recipient", "show", email, "--data", "data"]);
}

/// The digest of whoever a select of sessions finds, and the identifiers of these sessions.
async fn traces(scan: &Scan, condition: &str) -> Vec<String> {
    let of = |column: &str| format!("SELECT DISTINCT {column} AS value FROM sessions {condition}");
    let mut traces = scan.hex(&of("recipient")).await;
    assert_eq!(traces.len(), 1, "one recipient");
    traces.extend(scan.hex(&of("id")).await);
    traces
}

/// Whether the files of the database hold any of `traces`, as raw bytes.
fn in_files(place: &Place, traces: &[String]) -> bool {
    let unhex = |hex: &String| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(byte).collect()
    };
    ["otpost.db", "otpost.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(place.join("data").join(name)).unwrap_or_default();
        let has = |trace: &String| {
            let trace = unhex(trace);
            bytes.windows(trace.len()).any(|window| window == trace)
        };
        traces.iter().any(has)
    })
}

const TABLES: [&str; 5] = [
    "audit_log",
    "counters",
    "deliveries",
    "kept_answers",
    "sessions",
];

async fn an_erased_address_leaves_no_row_and_no_byte(place: Place) {
    for by_endpoint in [false, true] {
        let place = place.another().await;
        let (otpost, api) = dev(
            &place,
            "policy.session_cooldown = 0\nlimits.recipient_per_day = 20",
        );
        leave_traces(&place, &api, ADA).await;
        let scan = place.scan().await;
        let ada = traces(&scan, "").await;
        leave_traces(&place, &api, "bob@example.com").await;
        let bob = traces(
            &scan,
            &format!("WHERE {}", scan.is_not("recipient", &ada[0])),
        )
        .await;
        let before = (scan.holding(&ada).await, scan.holding(&bob).await);
        assert_eq!(before.0.keys().collect::<Vec<_>>(), TABLES, "{before:?}");
        assert_eq!(before.0, before.1);

        let how = if by_endpoint {
            let create = ["key", "create", "--project", "default", "--data", "data"];
            let words = [&create[..], &["--permission", "admin"]].concat();
            let admin = api.with_key(&place.output_of(&words));
            let erased = admin
                .post("recipients/erase", &json!({ "email": ADA }))
                .await;
            assert_eq!(erased.status, 200, "{erased:?}");
            assert_eq!(erased.json()["data"]["erased_sessions"], 2);
            "POST recipients/erase in the only project"
        } else {
            let said = place.output_of(&["recipient", "erase", ADA, "--data", "data"]);
            assert!(
                said.starts_with("Erased in all projects: 2 sessions with their mails"),
                "{said}"
            );
            "otpost recipient erase"
        };

        let after = scan.holding(&ada).await;
        assert!(after.is_empty(), "{after:?}");
        assert_eq!(
            scan.holding(&bob).await,
            before.1,
            "another address is as it was"
        );
        let shown = place.output_of(&[
            "recipient",
            "show",
            "ada.lovelace@example.com",
            "--data",
            "data",
        ]);
        assert!(
            shown.contains("No session is kept.") && shown.contains("right one: 0"),
            "{shown}"
        );
        // That look is the one entry about the address.
        assert_eq!(
            scan.holding(&ada).await.into_iter().collect::<Vec<_>>(),
            [("audit_log".to_owned(), 1)]
        );
        // The only project is as good as the installation, also for whoever names it.
        let words = ["recipient", "erase", ADA, "--project", "default"];
        let said = place.output_of(&[&words[..], &["--data", "data"]].concat());
        let nothing = "Erased in all projects: no session, and all counters of \
                       Ada.Lovelace+shop@example.com.\n";
        assert!(said.starts_with(nothing), "{said}");
        assert!(scan.holding(&ada).await.is_empty());

        drop(scan);
        let (status, _) = otpost.terminate().await;
        assert!(status.success());
        // A server overwrites deleted rows when it vacuums, and its files are not ours to read.
        if place.engine() == "SQLite" {
            assert!(
                in_files(&place, &bob),
                "the scan of bytes finds what is there"
            );
            assert!(!in_files(&place, &ada), "what was deleted is overwritten");
        }
        println!(
            "{}, {how}: rows with the digest of the address or the id of a session of it: \
             {:?} before, 0 in all tables after, 0 bytes in the files of SQLite",
            place.engine(),
            before.0
        );
    }
}

async fn an_erasure_in_a_project_leaves_what_others_share(place: Place) {
    let (_otpost, api) = dev(&place, "limits.recipient_per_day = 20");
    place.output_of(&["project", "create", "shop", "--data", "data"]);
    let create = ["key", "create", "--project", "shop", "--data", "data"];
    let shop = api.with_key(&place.output_of(&create));
    let kept = api.miss(ADA).await;
    shop.miss(ADA).await;
    place.output_of(&[
        "recipient",
        "show",
        ADA,
        "--project",
        "shop",
        "--data",
        "data",
    ]);
    place.output_of(&["recipient", "show", ADA, "--data", "data"]);

    let said = place.output_of(&[
        "recipient",
        "erase",
        ADA,
        "--project",
        "shop",
        "--data",
        "data",
    ]);
    assert!(
        said.contains("1 session ") && said.contains("all projects share"),
        "{said}"
    );

    let shown = place.output_of(&["recipient", "show", ADA, "--data", "data"]);
    assert!(
        shown.contains("right one: 2"),
        "failures are everybody's: {shown}"
    );
    assert!(!shown.contains("  shop  "), "{shown}");
    assert_eq!(api.attempts(&kept).await, 1);
    let scan = place.scan().await;
    let counters = scan.hex("SELECT subject AS value FROM counters").await;
    let of_shop = "73686F70";
    let digest = &scan
        .hex("SELECT DISTINCT recipient AS value FROM sessions")
        .await[0];
    assert!(
        !counters.contains(&format!("03{digest}{of_shop}")),
        "{counters:?}"
    );
    assert!(counters.contains(&format!("02{digest}")), "{counters:?}");
    let log = place.output_of(&["audit", "--address", ADA, "--data", "data"]);
    assert_eq!(
        log.matches("recipient.shown").count(),
        2,
        "the one in the shop is nobody's: {log}"
    );
}

async fn what_is_kept_is_shown_in_words_and_a_table(place: Place) {
    let (_otpost, api) = dev(&place, "");
    for _ in 0..2 {
        let session = api.send(ADA).await;
        let guess = wrong(&api.code(&session).await);
        for _ in 0..5 {
            assert_eq!(api.verify(&session, &guess).await.status, 400);
        }
        api.wait_until_sent(&session).await;
    }
    let session = api.send(ADA).await;
    api.wait_until_sent(&session).await;

    let shown = place.output_of(&[
        "recipient",
        "show",
        "ADA.lovelace@EXAMPLE.com",
        "--data",
        "data",
    ]);

    assert!(shown.contains("right one: 10"), "{shown}");
    assert!(
        shown.contains("By the ladder a new session has at most 3 guesses."),
        "{shown}"
    );
    assert!(shown.contains("Not on hold."), "{shown}");
    let rows: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.starts_with("SESSION"))
        .skip(1)
        .collect();
    assert_eq!(rows.len(), 3, "{shown}");
    assert!(
        rows[0].starts_with(&session[22..]),
        "the newest first: {shown}"
    );
    for word in ["default", "live", "login", "pending", "sent"] {
        assert!(rows[0].contains(word), "{word}: {shown}");
    }
    assert!(rows[1].contains("guesses used up"), "{shown}");
    assert!(!shown.contains(&session), "no whole identifier: {shown}");
    let log = place.output_of(&["audit", "--address", ADA, "--data", "data"]);
    assert!(log.contains("recipient.shown"), "{log}");
}

async fn a_recipient_that_cannot_be_is_refused_and_nothing_is_done(place: Place) {
    let (_otpost, api) = dev(&place, "");
    api.miss(ADA).await;
    let before = place.scan().await.counts().await;
    for action in ["show", "release", "erase"] {
        for (words, reason) in [
            (&["Ada <ada@example.com>"][..], "no address"),
            (&[ADA, "--project", "shpo"], "there is no project shpo"),
            (&[ADA, "--project", "No Name"], "a name is"),
        ] {
            let words = [&["recipient", action], words, &["--data", "data"]].concat();
            let refused = place.otpost(&words).refusal();
            assert!(refused.contains(reason), "{words:?}: {refused}");
            assert!(!refused.contains("ada@example.com"), "{refused}");
        }
    }
    assert_eq!(place.scan().await.counts().await, before);
}
