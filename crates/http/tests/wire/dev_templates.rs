//! How messages look before anybody asks for one.

use crate::support::{Options, Request, Wire};

const MESSAGE: &str = "/dev/templates/message";

fn start() -> Wire {
    Wire::start_with(Options {
        is_dev: true,
        ..Options::default()
    })
}

#[test]
fn every_template_is_shown_in_every_language_and_nothing_is_kept() {
    let wire = start();
    let list = wire.ask(&Request::get("/dev/templates/list"));
    assert_eq!(
        list.text(),
        r#"{"templates":["login","signup"],"locales":["en","ar"]}"#
    );

    let message = wire.ask(&Request::get(&format!(
        "{MESSAGE}?template=signup&locale=ar"
    )));
    assert_eq!(message.json()["template"], "signup");
    assert_eq!(message.json()["code"], "482913");
    let html = wire.ask(&Request::get(
        "/dev/templates/html?template=login&locale=en",
    ));
    let policy = html.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none';"),
        "{policy}"
    );
    let source = wire.ask(&Request::get(
        "/dev/templates/source?template=login&locale=en",
    ));
    assert!(source.text().starts_with("Subject: "));

    let inbox = wire.ask(&Request::get("/dev/inbox/messages"));
    assert_eq!(inbox.text(), r#"{"messages":[]}"#);
    assert_eq!(wire.store.sessions().len(), 0);
}

#[test]
fn what_there_is_not_is_not_shown() {
    let wire = start();
    for (query, status) in [
        ("?template=login&locale=fr", 404),
        ("?template=unknown&locale=en", 404),
        ("?template=login", 422),
        ("?locale=en", 422),
        ("", 422),
        ("?template=login&locale=en&x=1", 422),
    ] {
        let answer = wire.ask(&Request::get(&format!("{MESSAGE}{query}")));
        assert_eq!(answer.status, status, "{query}");
    }
}
