//! Messages of one's own: a folder for a project, what is wrong with it, and how it is shown.

use serde_json::{Value, json};

use crate::support::{Api, Otpost, Place, eventually};

/// Writes a folder `mails` for the project `shop`, and the settings that name it.
fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.join("mails")).unwrap();
    place.write("mails/en.texts", TEXTS);
    place.write(
        "otpost.toml",
        "[projects.shop]\nproduct = \"Shop\"\nfrom = \"Shop <no-reply@shop.example>\"\n\
         templates = \"mails\"\n",
    );
    place
}

const TEXTS: &str = "[login]\nheading = Hello from the shop\n\
    [invite]\nheading = {{#if variables.inviter}}{{variables.inviter}} invites you{{/if}}\n\
    where = Enter it at the door.\n";

/// The development run in `place`, for the project `shop` and for that of all others.
fn shop_and_default(place: &Place) -> (Api, Api) {
    let default = Otpost::dev_api(place.path());
    place.output_of(&["project", "create", "shop", "--data", "data"]);
    let key = place.output_of(&["key", "create", "--project", "shop", "--data", "data"]);
    (default.with_key(&key), default)
}

async fn mail(api: &Api, body: &Value) -> Value {
    let answer = api.post("send", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    api.captured(&answer.text("/data/session_id")).await
}

async fn heading(api: &Api) -> String {
    let message = mail(api, &json!({ "email": "ada@example.com" })).await;
    first_line(&message)
}

fn first_line(message: &Value) -> String {
    let text = message["text"].as_str().unwrap();
    text.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_project_mails_its_own_messages_and_another_those_that_are_built_in() {
    let place = place();
    let _otpost = Otpost::dev(place.path());
    let (shop, default) = shop_and_default(&place);

    let own = mail(&shop, &json!({ "email": "ada@example.com" })).await;
    assert_eq!(first_line(&own), "Hello from the shop");
    assert!(
        own["subject"]
            .as_str()
            .unwrap()
            .ends_with(" is your Shop code")
    );
    let from = json!(["From", "Shop <no-reply@shop.example>"]);
    assert!(own["headers"].as_array().unwrap().contains(&from), "{own}");
    assert_eq!(heading(&default).await, "Sign in to otpost");

    let zoe = "Zoë <b>&{{code}}";
    let invite = json!({
        "email": "ada@example.com", "template": "invite", "locale": "en-AU",
        "variables": { "inviter": zoe },
    });
    let invited = mail(&shop, &invite).await;
    assert_eq!(first_line(&invited), format!("{zoe} invites you"));
    let html = invited["html"].as_str().unwrap();
    assert!(
        html.contains("Zoë &lt;b&gt;&amp;{{code}} invites you"),
        "{html}"
    );

    let before = default.mails().await;
    let refused = default.post("send", &invite).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused
            .body
            .contains("must be one of: login, reset, signup"),
        "{refused:?}"
    );
    assert_eq!(default.mails().await, before);
}

#[tokio::test]
async fn a_change_on_disk_shows_at_once_and_a_broken_one_is_told_and_not_used() {
    let place = place();
    let otpost = Otpost::dev(place.path());
    let (shop, default) = shop_and_default(&place);
    assert_eq!(heading(&shop).await, "Hello from the shop");

    place.write(
        "mails/en.texts",
        "[login]\nheading = Changed\n[news]\nheading = A\nwhere = B\n",
    );
    assert_eq!(heading(&shop).await, "Changed");
    mail(
        &shop,
        &json!({ "email": "ada@example.com", "template": "news" }),
    )
    .await;

    place.write("mails/en.texts", "[login]\nheading = Broken {{prodcut}}\n");
    assert_eq!(heading(&shop).await, "Changed");
    eventually("the problem in the log", async || {
        let log = otpost.log();
        log.contains("mails/en.texts:2: there is no value prodcut")
            .then_some(())
    })
    .await;

    place.write("mails/en.texts", "[login]\nheading = Mended\n");
    assert_eq!(heading(&shop).await, "Mended");
    assert_eq!(heading(&default).await, "Sign in to otpost");
}

#[test]
fn a_broken_folder_is_refused_at_the_start_with_every_problem() {
    let place = place();
    std::fs::remove_file(place.join("otpost.toml")).unwrap();
    place.init(r#"["smtp://127.0.0.1:1"]"#);
    place.write("mails/en.texts", "heding = x\nwhere = {{{code}}}\n");
    place.write("mails/layout.html", "{{code}}{{validity}}\n<img src=x>\n");
    let expected = [
        "projects.shop.templates (OTPOST_PROJECTS__SHOP__TEMPLATES in the environment) is refused",
        "mails/en.texts:1: there is no key heding",
        "mails/en.texts:2: {{{ }}} and {{& }}",
        "mails/layout.html:2: <img> is refused",
    ];
    for words in [
        &["check-config"][..],
        &["serve"],
        &["dev", "--data", "data"],
    ] {
        let program = place
            .otpost(words)
            .env("OTPOST_PROJECTS__SHOP__TEMPLATES", "mails");
        let said = program.refusal();
        for expected in expected {
            assert!(said.contains(expected), "{words:?}: {said}");
        }
    }
    assert!(!place.join("otpost.db").exists());

    let ended = place.otpost(&["template", "check", "mails"]).run();
    assert!(!ended.is_success);
    let lines: Vec<_> = ended.stderr.lines().skip(1).collect();
    assert_eq!(lines.len(), 4, "{}", ended.stderr);
    assert!(
        lines.iter().all(|line| line.starts_with("mails/")),
        "{lines:?}"
    );
}

#[test]
fn templates_are_listed_checked_and_previewed() {
    let place = place();
    let all = place.output_of(&["template", "list"]);
    assert!(!all.contains("mails") && all.contains("built in"), "{all}");
    let list = place.output_of(&["template", "list", "--project", "shop"]);
    assert!(list.contains("invite    mails/en.texts  en"), "{list}");
    assert!(
        list.contains("login     built in        de de (informal) ar"),
        "{list}"
    );
    let checked = place.output_of(&["template", "check"]);
    assert_eq!(checked, "Nothing is wrong in mails.");

    let preview = ["template", "preview", "invite", "--project", "shop"];
    let with = |more: &[&str]| place.output_of(&[&preview[..], more].concat());
    let text = with(&["--variable", "inviter=Ada"]);
    assert!(
        text.starts_with("Subject: 482913 is your Shop code\n\nAda invites you\n"),
        "{text}"
    );
    let html = with(&["--html", "--variable", "inviter=<b>"]);
    assert!(
        html.starts_with("<!doctype html>") && html.contains("&lt;b&gt; invites"),
        "{html}"
    );
    with(&["--eml", "--to", "invite.eml"]);
    let eml = place.read("invite.eml");
    let parsed = mail_parser::MessageParser::default()
        .parse(eml.as_bytes())
        .unwrap();
    assert_eq!(parsed.subject(), Some("482913 is your Shop code"));
    let german = place.output_of(&["template", "preview", "login", "--language", "de-AT"]);
    assert!(
        german.contains("482913 ist Ihr Code für otpost"),
        "{german}"
    );

    for (words, expected) in [
        (
            &["preview", "invite"][..],
            "there is no template invite: there are login, reset, signup",
        ),
        (
            &["preview", "invite", "--project", "shop", "--language", "fr"],
            "invite is not written in fr",
        ),
        (
            &["preview", "login", "--project", "other"],
            "the project other has no settings",
        ),
        (
            &["check", "nowhere"],
            "nowhere:1: the folder cannot be read",
        ),
        (
            &["preview", "login", "--html", "--eml"],
            "cannot be used with",
        ),
    ] {
        let refused = place.otpost(&[&["template"], words].concat()).refusal();
        assert!(refused.contains(expected), "{words:?}: {refused}");
    }
}
