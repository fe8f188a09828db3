//! Commands that need no running server.

use crate::support::{Otpost, Place};

#[tokio::test]
async fn init_writes_a_private_file_with_fresh_secrets_and_never_over_another() {
    let place = Place::new();
    let said = place.output_of(&["init"]);
    assert!(
        said.contains("otpost check-config") && said.contains("otpost serve"),
        "{said}"
    );
    assert_eq!(place.mode("otpost.toml"), 0o600);
    let written = place.read("otpost.toml");

    let refused = place.otpost(&["init"]).refusal();

    assert!(refused.contains("otpost.toml exists"), "{refused}");
    assert_eq!(place.read("otpost.toml"), written);
    let said = place.output_of(&["init", "--output", "other.toml"]);
    assert!(said.contains("otpost --config other.toml serve"), "{said}");
    let keys = |text: &str| {
        let lines = text.lines().filter(|line| line.contains("_key"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_ne!(keys(&place.read("other.toml")), keys(&written));
}

#[tokio::test]
async fn what_init_writes_is_complete_and_check_config_touches_nothing() {
    let place = Place::new();
    place.output_of(&["init"]);
    let said = place.output_of(&["check-config"]);
    assert!(
        said.contains("The configuration is complete") && said.contains("1 relay"),
        "{said}"
    );
    assert!(!said.contains("warning"), "{said}");
    assert!(!place.join("otpost.db").exists());
}

#[tokio::test]
async fn secrets_are_fresh_each_time_and_can_be_used_as_they_are_printed() {
    let place = Place::new();
    let first = place.output_of(&["secrets", "new"]);
    assert_ne!(first, place.output_of(&["secrets", "new"]));
    let (toml, environment) = first.split_once("# Or in the environment:\n").unwrap();
    let mail = "[mail]\nfrom = \"a@acme.example\"\nrelays = [\"smtp://localhost\"]\n";
    place.write("otpost.toml", &format!("{mail}{toml}"));
    place.output_of(&["check-config"]);

    place.write("otpost.toml", mail);
    let mut program = place.otpost(&["check-config"]);
    for line in environment.lines() {
        let (name, value) = line.split_once('=').unwrap();
        program = program.env(name, value);
    }
    let ended = program.run();
    assert!(ended.is_success, "{}", ended.stderr);
    assert!(
        place
            .output_of(&["secrets", "new", "--number", "7"])
            .contains("\"7:")
    );
}

#[tokio::test]
async fn migrate_brings_the_database_up_and_says_what_is_there() {
    let place = Place::new();
    place.init(r#"["smtp://localhost"]"#);
    let refused = place.otpost(&["migrate", "--status"]).refusal();
    assert!(refused.contains("database"), "{refused}");
    assert!(!place.join("otpost.db").exists());

    let applied = place.output_of(&["migrate"]);
    assert!(applied.lines().count() >= 3, "{applied}");
    assert!(
        applied.lines().all(|line| line.starts_with("applied  m")),
        "{applied}"
    );
    assert_eq!(place.output_of(&["migrate", "--status"]), applied);
    assert!(
        place
            .output_of(&["migrate"])
            .contains("every migration already")
    );
    assert_eq!(place.mode("otpost.db"), 0o600);
}

#[tokio::test]
async fn healthcheck_is_0_for_a_ready_server_and_1_otherwise() {
    let place = Place::new();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    let otpost = Otpost::serve(place.path());
    let address = otpost.address();
    let url = format!("http://{address}/readyz");
    let check = |place: &Place| {
        place
            .otpost(&["healthcheck"])
            .env("OTPOST_SERVER__LISTEN", &address.to_string())
    };

    assert_eq!(place.output_of(&["healthcheck", "--url", &url]), "ready");
    assert!(check(&place).run().is_success);
    let wrong_path = format!("http://{address}/nothing");
    let refused = place
        .otpost(&["healthcheck", "--url", &wrong_path])
        .refusal();
    assert!(refused.contains("404"), "{refused}");

    otpost.kill();
    assert!(check(&place).refusal().contains("does not answer"));
}

#[tokio::test]
async fn key_commands_want_a_folder_that_a_development_run_made() {
    let place = Place::new();
    let refused = place
        .otpost(&["key", "list", "--data", "nowhere"])
        .refusal();
    assert!(refused.contains("otpost dev --data nowhere"), "{refused}");
    assert!(!place.join("nowhere").exists());

    let _otpost = Otpost::dev(place.path());
    let list = place.output_of(&["key", "list", "--data", "data"]);
    assert!(
        list.contains("live") && list.contains("test") && list.contains("default"),
        "{list}"
    );
    place.output_of(&["project", "create", "shop", "--data", "data"]);
    let key = place.output_of(&["key", "create", "--project", "shop", "--data", "data"]);
    let mut api = Otpost::dev_api(place.path());
    api.key = key;
    assert_eq!(api.status("x").await.status, 404);
}
