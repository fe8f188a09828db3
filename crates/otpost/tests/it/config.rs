//! What a start refuses, seen from the terminal of an operator.

use crate::support::Place;

/// What `serve` says when it refuses to start with these changes to a good configuration.
fn refused(changes: &[(&str, &str)], environment: &[(&str, &str)]) -> String {
    let place = Place::new();
    place.init(r#"["smtp://localhost:2525"]"#);
    let mut text = place.read("otpost.toml");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    place.write("otpost.toml", &text);
    let mut program = place.otpost(&["serve"]);
    for (name, value) in environment {
        program = program.env(name, value);
    }
    let said = program.refusal();
    // Nothing was opened: the refusal comes before the database.
    assert!(!place.join("otpost.db").exists(), "{said}");
    said
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one_and_its_place() {
    let said = refused(&[("listen = ", "lisen = ")], &[]);
    assert!(
        said.contains("server.lisen (in ") && said.contains("otpost.toml"),
        "{said}"
    );
    assert!(said.contains("did you mean server.listen?"), "{said}");

    let said = refused(&[], &[("OTPOST_SERVER__TESTKEYS", "true")]);
    assert!(said.contains("OTPOST_SERVER__TESTKEYS"), "{said}");
    assert!(said.contains("did you mean server.test_keys?"), "{said}");
}

#[test]
fn the_example_keys_and_weak_ones_are_refused() {
    let example = include_str!("../../../../config/otpost.example.toml");
    let place = Place::new();
    place.write("otpost.toml", example);
    let said = place.otpost(&["serve"]).refusal();
    assert!(
        said.contains("secrets.master_keys") && said.contains("example"),
        "{said}"
    );

    let zeros = format!("{}=", "A".repeat(43));
    for (name, value) in [
        ("OTPOST_SECRETS__INDEX_KEY", zeros.as_str()),
        ("OTPOST_SECRETS__INDEX_KEY", "c2hvcnQ="),
        ("OTPOST_SECRETS__INDEX_KEY", "changeme"),
        ("OTPOST_SECRETS__MASTER_KEYS", "1:c2hvcnQ="),
        ("OTPOST_SECRETS__MASTER_KEYS", "changeme"),
        ("OTPOST_SECRETS__ACTIVE_KEY", "9"),
    ] {
        let said = refused(&[], &[(name, value)]);
        assert!(said.contains(name) && said.contains("is refused"), "{said}");
        assert!(value.len() < 3 || !said.contains(value), "{said}");
    }
}

#[test]
fn missing_secrets_sender_and_relays_are_named_all_at_once() {
    let place = Place::new();
    let said = place.otpost(&["serve"]).refusal();
    assert!(said.contains("secrets.master_keys"), "{said}");
    assert!(
        said.contains("mail.from") && said.contains("OTPOST_MAIL__FROM"),
        "{said}"
    );
    let said = place
        .otpost(&["serve"])
        .env("OTPOST_MAIL__FROM", "a@acme.example")
        .refusal();
    assert!(said.contains("mail.relays"), "{said}");
    assert!(said.contains("secrets.master_keys"), "{said}");
}

#[test]
fn plain_smtp_beyond_this_machine_and_a_password_in_the_clear_are_refused() {
    for relay in [
        "smtp://mail.acme.example",
        "smtp://10.0.0.1:25",
        "smtp://u:hunter2@localhost",
    ] {
        let said = refused(&[], &[("OTPOST_MAIL__RELAYS", relay)]);
        assert!(
            said.contains("mail.relays") && said.contains("smtp+starttls://"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_lifetime_above_a_day_a_foreign_database_and_a_missing_language_are_refused() {
    let said = refused(&[], &[("OTPOST_POLICY__EXPIRES_IN_MAX", "86401")]);
    assert!(
        said.contains("policy.expires_in_max") && said.contains("86400"),
        "{said}"
    );
    let said = refused(
        &[],
        &[("OTPOST_DATABASE__URL", "mysql://u:hunter2@db/otpost")],
    );
    assert!(
        said.contains("database.url") && !said.contains("hunter2"),
        "{said}"
    );
    for name in [
        "OTPOST_MAIL__FOOTER__TLH",
        "OTPOST_PROJECTS__SHOP__FOOTER__TLH",
    ] {
        let said = refused(&[], &[(name, "x")]);
        assert!(said.contains(name) && said.contains("de"), "{said}");
    }
    let said = refused(&[], &[("OTPOST_MAIL__LOCALE", "tlh")]);
    assert!(
        said.contains("mail.locale") && said.contains("de"),
        "{said}"
    );
    let said = refused(&[], &[("OTPOST_PROJECTS__SHOP__LOCALE", "tlh")]);
    assert!(said.contains("projects.shop.locale"), "{said}");
}

#[test]
fn check_config_finds_what_serve_would_refuse() {
    let place = Place::new();
    place.init(r#"["smtp://localhost:2525"]"#);
    for (name, value, setting) in [
        (
            "OTPOST_DATABASE__URL",
            "mysql://u:hunter2@db/x",
            "database.url",
        ),
        (
            "OTPOST_DATABASE__URL",
            "postgres://u:hunter2@db/x?sslmod=disable",
            "database.url",
        ),
        ("OTPOST_DATABASE__URL", "sqlite://", "database.url"),
        ("OTPOST_MAIL__RELAYS", "smtp://10.0.0.1", "mail.relays"),
        ("OTPOST_SECRETS__INDEX_KEY", "c2hvcnQ=", "secrets.index_key"),
        ("OTPOST_MAIL__PRODUCT", " ", "mail.product"),
    ] {
        let ask = |words: &[&str]| place.otpost(words).env(name, value).refusal();
        let said = ask(&["check-config"]);
        assert!(said.contains(&format!("{setting} (")), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(said, ask(&["serve"]));
    }
    assert!(!place.join("otpost.db").exists());
}

#[test]
fn a_refusal_names_its_setting_once() {
    let place = Place::new();
    place.init(r#"["smtp://localhost:2525"]"#);
    let toml = place.read("otpost.toml");
    let master = toml
        .lines()
        .find_map(|line| line.strip_prefix("master_keys = [\"1:"));
    let key = master.unwrap().trim_end_matches("\"]");
    for (name, value, text) in [
        (
            "INDEX_KEY",
            "c2hvcnQ=".to_owned(),
            "the index key has 5 bytes and needs 32: ",
        ),
        ("INDEX_KEY", "!".to_owned(), "the index key is not base64: "),
        (
            "INDEX_KEY",
            "A".repeat(43) + "=",
            "the index key is weak: all its bytes are the same: ",
        ),
        (
            "INDEX_KEY",
            key.to_owned(),
            "master key 1 and the index key are the same key",
        ),
        (
            "MASTER_KEYS",
            "changeme".to_owned(),
            "entry 1 is not NUMBER:BASE64",
        ),
        (
            "MASTER_KEYS",
            format!("1:{key} 1:{key}"),
            "two master keys have the number 1",
        ),
        (
            "MASTER_KEYS",
            format!("1:{key} 2:{key}"),
            "master key 1 and master key 2 are the same",
        ),
        (
            "ACTIVE_KEY",
            "9".to_owned(),
            "there is no master key of the number 9",
        ),
    ] {
        let variable = format!("OTPOST_SECRETS__{name}");
        let said = place
            .otpost(&["check-config"])
            .env(&variable, &value)
            .refusal();
        assert!(said.contains(&format!(" is refused: {text}")), "{said}");
        assert_eq!(said.matches("secrets.").count(), 1, "{said}");
        assert!(said.matches("otpost secrets new").count() <= 1, "{said}");
    }
}

#[test]
fn a_configuration_that_is_named_must_be_there() {
    let place = Place::new();
    let said = place
        .otpost(&["--config", "nowhere.toml", "serve"])
        .refusal();
    assert!(said.contains("nowhere.toml"), "{said}");
    let said = place
        .otpost(&["serve"])
        .env("OTPOST_CONFIG", "nowhere.toml")
        .refusal();
    assert!(said.contains("nowhere.toml"), "{said}");
}

#[test]
fn variables_that_others_set_are_no_settings() {
    let place = Place::new();
    place.init(r#"["smtp://localhost:2525"]"#);
    let program = place.otpost(&["check-config"]);
    let program = program
        .env("OTPOST_PORT", "tcp://10.0.0.1:80")
        .env("OTPOST_SERVICE_HOST", "10.0.0.1")
        .env("OTPOST_PORT_8080_TCP_ADDR", "10.0.0.1");
    assert!(program.run().is_success);
}
