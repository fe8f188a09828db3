//! The audit log, and who is in it.

use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use crate::support::{Otpost, Place};

const DATA: [&str; 2] = ["--data", "data"];

/// Runs a command of this operator that must succeed.
fn output_as(place: &Place, operator: &str, words: &[&str]) -> String {
    let words = [words, &DATA].concat();
    let ended = place.otpost(&words).env("USER", operator).run();
    assert!(ended.is_success, "{words:?}: {}", ended.stderr);
    ended.stdout
}

#[tokio::test]
async fn what_was_done_is_shown_with_who_did_it() {
    let place = Place::new();
    let _otpost = Otpost::dev(place.path());
    let api = Otpost::dev_api(place.path());
    output_as(&place, "ada", &["project", "create", "shop"]);
    let words = [
        "key",
        "create",
        "--project",
        "shop",
        "--permission",
        "admin",
        "otp",
    ];
    let key = output_as(&place, "ada", &words);
    let admin = api.with_key(key.trim());
    let id = &key["otp_live_".len()..][..8];
    admin.miss("eve@example.com").await;
    let email = json!({ "email": "eve@example.com" });
    for action in ["lookup", "release", "erase"] {
        let done = admin.post(&format!("recipients/{action}"), &email).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    output_as(&place, "bob", &["recipient", "show", "eve@example.com"]);
    output_as(
        &place,
        "bob",
        &["recipient", "show", "eve@example.com", "--project", "shop"],
    );
    output_as(&place, "bob", &["key", "revoke", id]);
    // What changes nothing is not there: a release of nobody, and a second revocation.
    output_as(
        &place,
        "bob",
        &["recipient", "release", "nobody@example.com"],
    );
    output_as(&place, "bob", &["key", "revoke", id]);
    let refused = place
        .otpost(&["project", "create", "shop", "--data", "data"])
        .refusal();
    assert!(refused.contains("already"), "{refused}");

    let log = output_as(&place, "", &["audit"]);

    let told: Vec<Vec<_>> = log
        .lines()
        .skip(1)
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|cells: &Vec<&str>| cells[1..].join(" | "))
        .collect();
    let by_key = format!("key {id}");
    let expected = [
        format!("operator bob | key.revoked | shop | {id}"),
        "operator bob | recipient.shown | shop | -".to_owned(),
        "operator bob | recipient.shown | all | -".to_owned(),
        format!("{by_key} | recipient.erased | shop | -"),
        format!("{by_key} | recipient.released | shop | -"),
        format!("{by_key} | recipient.shown | shop | -"),
        format!("operator ada | key.created | shop | {id}"),
        "operator ada | project.created | shop | -".to_owned(),
    ];
    assert_eq!(told[..8], expected, "{log}");
    let of_dev = &told[8..];
    assert_eq!(of_dev.len(), 3, "{log}");
    assert!(
        of_dev
            .iter()
            .all(|line| line.starts_with("operator otpost dev | ")),
        "{log}"
    );
    assert!(!log.contains("eve@example.com"), "{log}");

    // The erasure blanked what was about the address before; what came after it is found.
    let about = ["audit", "--address", "Eve+x@example.com"];
    let log = output_as(&place, "", &about);
    assert_eq!(log.matches("recipient.shown").count(), 2, "{log}");
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(!log.contains("older"), "{log}");
    let log = output_as(&place, "", &[&about[..], &["--limit", "2"]].concat());
    assert!(log.lines().count() == 3 && !log.contains("older"), "{log}");
    let log = output_as(&place, "", &[&about[..], &["--limit", "1"]].concat());
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(log.ends_with("older entries: --limit 2\n"), "{log}");
    let nobody = output_as(&place, "", &["audit", "--address", "nobody@example.com"]);
    assert_eq!(nobody.trim_end(), "There is no entry.");
}

#[tokio::test]
async fn an_operator_is_the_account_by_name_or_number() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let number = format!("uid {}", std::fs::metadata(place.path()).unwrap().uid());
    let cases = [
        (
            "of-sudo",
            "eve",
            &[("SUDO_USER", "eve"), ("USER", "root")][..],
        ),
        ("of-user", "ada", &[("USER", "ada"), ("LOGNAME", "bob")]),
        ("of-login", "bob", &[("USER", ""), ("LOGNAME", "bob")]),
        ("of-nobody", &number, &[("USER", "")]),
    ];
    for (project, _, variables) in cases {
        let mut program = place.otpost(&["project", "create", project]);
        for (variable, value) in variables {
            program = program.env(variable, value);
        }
        let ended = program.run();
        assert!(ended.is_success, "{}", ended.stderr);
    }
    let log = place.output_of(&["audit"]);
    for (project, operator, _) in cases {
        let of_operator =
            |line: &&str| line.contains(&format!("operator {operator} ")) && line.contains(project);
        assert_eq!(
            log.lines().filter(of_operator).count(),
            1,
            "{operator}: {log}"
        );
    }
}
