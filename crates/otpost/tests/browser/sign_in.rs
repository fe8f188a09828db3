//! The sign-in form.

use serde_json::json;

use crate::browser::{Browser, ENTER, TAB};
use crate::otpost::{Otpost, wrong};

const ADA: &str = "ada@example.com";

fn open_with(settings: &[(&str, &str)]) -> Option<(Otpost, Browser)> {
    let browser = Browser::open()?;
    let otpost = Otpost::dev_with(settings);
    browser.go(&otpost.url("/dev/try"));
    Some((otpost, browser))
}

/// At the page that asks for the code, which has arrived.
fn open_at_code() -> Option<(Otpost, Browser)> {
    let (otpost, browser) = open_with(&[])?;
    browser.fill("#email", ADA);
    browser.click("button");
    browser.wait("location.pathname === '/dev/try/code'");
    otpost.messages(ADA, 1);
    Some((otpost, browser))
}

/// Waits until the element says it.
fn says(browser: &Browser, selector: &str, words: &str) {
    browser.wait(&format!(
        "document.querySelector('{selector}')?.textContent.includes('{words}')"
    ));
}

fn assert_error(browser: &Browser, words: &str, target: &str) {
    browser.wait("document.title.startsWith('Error: ')");
    let summary = browser.text("#summary");
    assert!(summary.contains(words), "{summary}");
    let link = browser.run("return document.querySelector('#summary a').getAttribute('href')");
    assert_eq!(link, format!("#{target}"));
    browser.wait("document.activeElement.id === 'summary'");
}

#[test]
fn a_person_signs_in_with_the_keyboard_alone() {
    let Some((otpost, browser)) = open_with(&[]) else {
        return;
    };
    browser.press(&[TAB, TAB]);
    assert_eq!(browser.run("return document.activeElement.id"), "email");
    browser.press(&["a", "@", "b", ".", "d", "e", ENTER]);
    browser.wait("location.pathname === '/dev/try/code'");
    assert_eq!(browser.text("#address"), "a@b.de");
    let field = browser.run(
        "const c = document.getElementById('code'); \
         return [c.type, c.inputMode, c.autocomplete, c.spellcheck, c.maxLength, c.labels.length]",
    );
    assert_eq!(
        field,
        json!(["text", "numeric", "one-time-code", false, -1, 1])
    );

    let code = otpost.code("a@b.de");
    browser.press(&[TAB, TAB]);
    assert_eq!(browser.run("return document.activeElement.id"), "code");
    let keys: Vec<String> = code.chars().map(String::from).collect();
    browser.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    browser.press(&[ENTER]);

    browser.wait("location.pathname === '/dev/try/done'");
    assert_eq!(browser.text("#address"), "a@b.de");
    let page = browser.run("return document.documentElement.outerHTML + document.cookie");
    assert!(otpost.key_is_nowhere_in(page.as_str().unwrap()));
    assert_eq!(browser.run("return document.cookie"), "", "it is HttpOnly");
    browser.go(&otpost.url("/dev/try/code"));
    browser.wait("location.pathname === '/dev/try/done'");
    browser.assert_quiet();
}

#[test]
fn an_address_that_is_none_is_said_beside_the_field() {
    let Some((otpost, browser)) = open_with(&[]) else {
        return;
    };
    browser.click("button");
    assert_error(&browser, "Enter your email address", "email");
    browser.fill("#email", "<b>ada");
    browser.click("button");
    says(&browser, "#email-error", "correct format");
    assert_error(&browser, "like name@example.com", "email");
    browser.click("#summary a");
    assert_eq!(browser.run("return document.activeElement.id"), "email");
    assert_eq!(
        browser.run("return document.getElementById('email').value"),
        "<b>ada"
    );
    assert_eq!(otpost.messages(ADA, 0).len(), 0);
    browser.assert_quiet();
}

#[test]
fn a_wrong_code_says_how_many_attempts_are_left_and_the_last_what_to_do() {
    let Some((otpost, browser)) = open_at_code() else {
        return;
    };
    let code = otpost.code(ADA);
    browser.fill("#code", "12");
    browser.click("button");
    assert_error(&browser, "Enter all the digits", "code");
    for left in ["4 attempts", "3 attempts", "2 attempts", "1 attempt"] {
        browser.fill("#code", &wrong(&code));
        browser.click("button");
        says(&browser, "#summary", &format!("{left} left"));
        assert_error(&browser, left, "code");
        assert_eq!(
            browser.run("return document.getElementById('code').ariaInvalid"),
            "true"
        );
    }
    browser.looks(1280, 900, "light");
    browser.screenshot("try-wrong-code");
    browser.fill("#code", &wrong(&code));
    browser.click("button");
    browser.wait("document.querySelector('#summary a')?.hash === '#start-again'");
    assert_error(&browser, "Start again", "start-again");
    browser.run("window.isBefore = true");
    browser.fill("#code", &code);
    browser.click("button");
    browser.wait("!window.isBefore && document.readyState === 'complete'");
    assert_error(&browser, "Start again", "start-again");
    browser.assert_quiet();
}

#[test]
fn a_code_is_pasted_with_its_spaces() {
    let Some((otpost, browser)) = open_at_code() else {
        return;
    };
    let code = otpost.code(ADA);
    let spaced = format!("{} {} ", &code[..3], &code[3..]);
    // Through the clipboard, as a person does: typed, cut and pasted.
    browser.fill("#code", &spaced);
    browser.press_with_control("a");
    browser.press_with_control("x");
    assert_eq!(
        browser.run("return document.getElementById('code').value"),
        ""
    );
    browser.press_with_control("v");
    assert_eq!(
        browser.run("return document.getElementById('code').value"),
        spaced
    );
    browser.press(&[ENTER]);
    browser.wait("location.pathname === '/dev/try/done'");
    browser.assert_quiet();
}

#[test]
fn a_double_click_submits_once() {
    let Some((otpost, browser)) = open_with(&[]) else {
        return;
    };
    browser.fill("#email", ADA);
    browser.run("const b = document.querySelector('button'); b.click(); b.click()");
    browser.wait("location.pathname === '/dev/try/code'");
    let code = otpost.code(ADA);
    browser.fill("#code", &wrong(&code));
    browser.run("const b = document.querySelector('button'); b.click(); b.click()");
    assert_error(&browser, "4 attempts left", "code");
    assert_eq!(otpost.messages(ADA, 1).len(), 1);

    // Without JavaScript the server sees it: the form has an idempotency key.
    browser.devtools(
        "Emulation.setScriptExecutionDisabled",
        &json!({ "value": true }),
    );
    browser.go(&otpost.url("/dev/try"));
    browser.fill("#email", "bob@example.com");
    browser.run("const b = document.querySelector('button'); b.click(); b.click()");
    browser.wait("location.pathname === '/dev/try/code'");
    assert_eq!(otpost.messages("bob@example.com", 1).len(), 1);
}

#[test]
fn the_whole_form_works_without_javascript() {
    let Some((otpost, browser)) = open_with(&[]) else {
        return;
    };
    browser.devtools(
        "Emulation.setScriptExecutionDisabled",
        &json!({ "value": true }),
    );
    browser.go(&otpost.url("/dev/try"));
    browser.fill("#email", ADA);
    browser.click("button");
    says(&browser, "#wait", "You can ask for it again in");
    let code = otpost.code(ADA);
    browser.click("#resend");
    says(&browser, "#summary", "You can ask for it again in");
    browser.fill("#code", &wrong(&code));
    browser.click("form[action$=verify] button");
    says(&browser, "#summary", "4 attempts left");
    browser.fill("#code", &code);
    browser.click("form[action$=verify] button");
    says(&browser, "h1", "You have signed in");
    assert_eq!(otpost.messages(ADA, 1).len(), 1);
}

#[test]
fn the_email_is_sent_again_once_the_countdown_is_over() {
    let settings = [("OTPOST_POLICY__SESSION_COOLDOWN", "2")];
    let Some((otpost, browser)) = open_with(&settings) else {
        return;
    };
    browser.fill("#email", ADA);
    browser.click("button");
    browser.wait("document.querySelector('#wait span')?.textContent");
    assert_eq!(
        browser.run("return document.getElementById('resend').ariaDisabled"),
        "true"
    );
    browser.click("#resend");
    assert_eq!(
        browser.run("return document.title"),
        "Check your email – Example"
    );
    assert_eq!(otpost.messages(ADA, 1).len(), 1);

    browser.wait("document.getElementById('ready').textContent.includes('now')");
    assert_eq!(browser.text("#wait"), "");
    browser.click("#resend");
    browser.wait("document.activeElement.id === 'sent'");
    let messages = otpost.messages(ADA, 2);
    assert_eq!(messages.len(), 2);
    browser.fill("#code", messages[0]["code"].as_str().unwrap());
    browser.click("form[action$=verify] button");
    browser.wait("location.pathname === '/dev/try/done'");
    browser.assert_quiet();
}

#[test]
fn it_is_pleasant_in_light_in_dark_and_on_a_phone() {
    let Some((_otpost, browser)) = open_at_code() else {
        return;
    };
    for (name, width, scheme) in [
        ("light", 1280, "light"),
        ("dark", 1280, "dark"),
        ("light-phone", 375, "light"),
        ("dark-phone", 375, "dark"),
    ] {
        browser.looks(width, 900, scheme);
        let needed = browser.run("return document.documentElement.scrollWidth");
        assert_eq!(needed, width, "nothing is cut off: {name}");
        browser.screenshot(&format!("try-code-{name}"));
    }
    browser.looks(375, 800, "light");
    browser.fill("#code", "1");
    browser.click("button");
    browser.wait("document.title.startsWith('Error: ')");
    browser.screenshot("try-error-phone");
    browser.click("#start-again");
    browser.wait("location.pathname === '/dev/try'");
    browser.screenshot("try-email-phone");
    browser.assert_quiet();
}
