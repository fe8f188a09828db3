//! The inbox.

use serde_json::json;

use crate::browser::{ARROW_RIGHT, Browser, ENTER, TAB};
use crate::otpost::Otpost;

const COUNT: &str = "document.querySelectorAll('#list .item').length";

fn open() -> Option<(Otpost, Browser)> {
    let browser = Browser::open()?;
    let otpost = Otpost::dev();
    browser.go(&otpost.url("/dev/inbox"));
    browser.wait("document.getElementById('state').dataset.state === 'live'");
    Some((otpost, browser))
}

/// What a person would paste now: into the search, which is emptied again.
fn clipboard(browser: &Browser) -> String {
    browser.click("#filter");
    browser.press_with_control("v");
    let pasted = browser.run("return document.getElementById('filter').value");
    browser.fill("#filter", "");
    pasted.as_str().unwrap().to_owned()
}

#[test]
fn a_message_appears_by_itself_and_a_click_copies_its_code() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    assert!(browser.text("#empty").contains("No messages yet"));
    browser.run("window.isSamePage = true");

    let session = otpost.send("ada@example.com");
    browser.wait(&format!("{COUNT} === 1"));

    assert_eq!(browser.run("return window.isSamePage"), true, "a reload");
    assert_eq!(browser.text("#to"), "ada@example.com");
    let shown = browser.text("#code");
    browser.click("#copy");
    browser.wait("document.getElementById('copied').textContent === 'Copied'");
    let code = clipboard(&browser);
    assert_eq!(code, shown);
    assert_eq!(otpost.verify(&session, &code).0, 200);

    let html = browser.in_frame(|frame| frame.text("body"));
    assert!(html.contains(&code), "{html}");
    browser.assert_quiet();
}

#[test]
fn text_headers_and_the_source_are_those_of_the_message() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    otpost.send("ada@example.com");
    browser.wait(&format!("{COUNT} === 1"));
    let message = &otpost.messages("ada@example.com", 1)[0];

    browser.click("#tab-text");
    let text = browser.text("#part-text");
    assert!(text.contains(message["code"].as_str().unwrap()), "{text}");
    browser.click("#tab-headers");
    assert!(browser.text("#part-headers").contains("auto-generated"));
    browser.click("#tab-source");
    browser.wait("document.getElementById('part-source').textContent.length");
    let source = browser.text("#part-source");
    for part in [
        "Message-ID: <",
        "multipart/alternative",
        "quoted-printable",
        "--=_",
    ] {
        assert!(source.contains(part), "{part}: {source}");
    }
    browser.assert_quiet();
}

#[test]
fn the_html_is_as_wide_as_a_phone_or_as_a_desk() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    otpost.send("ada@example.com");
    let width = "return document.querySelector('#frame iframe').clientWidth";
    browser.click("[data-width=phone]");
    assert_eq!(browser.run(width), 375);
    browser.click("[data-width=desktop]");
    assert!(browser.run(width).as_u64().unwrap() >= 640);
    assert_eq!(
        browser.run("return document.querySelector('[data-width=desktop]').ariaPressed"),
        "true"
    );
    browser.assert_quiet();
}

#[test]
fn messages_are_searched_by_address_and_deleted_one_by_one_or_all_at_once() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    for email in ["ada@example.com", "bob@example.com", "eve@example.org"] {
        otpost.send(email);
        otpost.messages(email, 1);
    }
    browser.wait(&format!("{COUNT} === 3"));

    browser.fill("#filter", "bob@");
    browser.wait(&format!("{COUNT} === 1"));
    assert_eq!(browser.text("#to"), "bob@example.com");
    browser.fill("#filter", "nobody");
    browser.wait("!document.getElementById('none').hidden");
    browser.fill("#filter", "bob@");

    browser.click("#delete");
    browser.wait(&format!("{COUNT} === 0"));
    browser.run("const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input'))");
    browser.wait(&format!("{COUNT} === 2"));
    assert_eq!(otpost.messages("ada@example.com", 1).len(), 1);

    browser.click("#clear");
    browser.wait("document.getElementById('sure').open");
    browser.press(&[ENTER]);
    browser.wait("!document.getElementById('sure').open");
    assert_eq!(browser.run(&format!("return {COUNT}")), 2, "it was kept");

    browser.click("#clear");
    browser.click("#sure [value=delete]");
    browser.wait("!document.getElementById('empty').hidden");
    browser.assert_quiet();
}

#[test]
fn everything_can_be_done_with_the_keyboard_alone() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    for email in ["ada@example.com", "bob@example.com"] {
        otpost.send(email);
        otpost.messages(email, 1);
    }
    browser.wait(&format!("{COUNT} === 2"));
    let focused = "return document.activeElement.id || document.activeElement.classList[0]";

    browser.press(&[TAB]);
    assert!(browser.text(":focus").contains("Skip to the messages"));
    browser.press(&[ENTER]);
    assert_eq!(browser.run(focused), "list-of-messages");
    browser.press(&[TAB]);
    assert_eq!(browser.run(focused), "item");
    browser.press(&["j"]);
    assert_eq!(browser.text("#to"), "ada@example.com");
    browser.press(&["c"]);
    browser.wait("document.getElementById('copied').textContent === 'Copied'");

    browser.press(&[TAB, TAB, TAB]);
    assert_eq!(
        browser.run(focused),
        "tab-html",
        "list, code, delete, parts"
    );
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.run(outline), "solid", "the focus is seen");
    browser.press(&[ARROW_RIGHT]);
    assert_eq!(browser.run(focused), "tab-text");
    assert_eq!(
        browser.run("return document.getElementById('part-text').hidden"),
        false
    );

    browser.press(&["/"]);
    assert_eq!(browser.run(focused), "filter");
    browser.press(&["d", "j"]);
    browser.wait(&format!("{COUNT} === 0"));
    assert_eq!(
        otpost.messages("bob@example.com", 1).len(),
        1,
        "it was text"
    );
    browser.assert_quiet();
}

#[test]
fn single_keys_do_nothing_once_they_are_switched_off() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    otpost.send("ada@example.com");
    browser.wait(&format!("{COUNT} === 1"));

    browser.click("#shortcuts");
    browser.run("document.activeElement.blur()");
    browser.press(&["d", "c"]);

    assert_eq!(otpost.messages("ada@example.com", 1).len(), 1);
    assert_ne!(browser.text("#copied"), "Copied");
}

#[test]
fn a_script_that_is_not_the_servers_own_does_not_run_and_is_told() {
    let Some((_otpost, browser)) = open() else {
        return;
    };
    browser.assert_quiet();
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true'; \
         document.body.append(s)",
    );
    assert_eq!(browser.run("return window.ran ?? false"), false);
    let complaints = browser.complaints();
    assert!(complaints[0].contains("Content Security Policy"));
}

#[test]
fn it_is_pleasant_in_light_in_dark_and_on_a_phone() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    browser.looks(1280, 800, "light");
    browser.screenshot("inbox-empty-light");
    for (email, template, locale) in [
        ("grace@example.com", "reset", "de"),
        ("layla@example.com", "login", "ar"),
        ("ada@example.com", "signup", "en"),
    ] {
        let body = json!({ "email": email, "template": template, "locale": locale });
        otpost.send_with(&body);
        otpost.messages(email, 1);
    }
    browser.wait(&format!("{COUNT} === 3"));

    for scheme in ["light", "dark"] {
        browser.looks(1280, 800, scheme);
        browser.screenshot(&format!("inbox-{scheme}"));
        browser.click("[data-width=phone]");
        browser.screenshot(&format!("inbox-{scheme}-phone-width"));
        browser.click("[data-width=desktop]");
    }
    browser.looks(1280, 800, "light");
    for part in ["text", "headers", "source"] {
        browser.click(&format!("#tab-{part}"));
        browser.screenshot(&format!("inbox-{part}"));
    }
    browser.click("#tab-html");
    for scheme in ["light", "dark"] {
        browser.looks(375, 720, scheme);
        browser.screenshot(&format!("inbox-list-{scheme}-phone"));
        browser.click("#list .item");
        browser.screenshot(&format!("inbox-message-{scheme}-phone"));
        let overflow = "return document.documentElement.scrollWidth";
        assert_eq!(browser.run(overflow), 375, "nothing is cut off");
        browser.click("#back");
    }
    browser.assert_quiet();
}
