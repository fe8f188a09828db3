//! Some three hundred addresses that nobody may be mailed at: each is refused on the wire, and
//! there is no session, no attempt and no mail.

use std::fmt::Write;

use crate::support::{SEND, Wire};

/// Before the `@`: what is no Dot-string of 64 ASCII characters.
const LOCAL_PARTS: [&str; 30] = [
    "",
    ".",
    "..",
    ".user",
    "user.",
    "us..er",
    "\"user\"",
    "\"us er\"",
    "\"us\\\"er\"",
    "\"user@evil.example\"",
    "\"\"",
    "user(comment)",
    "(comment)user",
    "user()",
    "us,er",
    "us;er",
    "us:er",
    "us<er",
    "us>er",
    "us[er",
    "us]er",
    "us\\er",
    "=?utf-8?q?user=40evil.example?=",
    "=?UTF-8?B?dXNlckBldmlsLmV4YW1wbGU=?=",
    "x=?utf-8?q?user?=y",
    "üser",
    "mıke",
    "İan",
    "用户",
    "us\u{301}er",
];

/// Behind the `@`: what is no domain of at least two labels.
const DOMAINS: [&str; 44] = [
    "",
    ".",
    "com",
    "localhost",
    ".example.com",
    "example.com.",
    "example..com",
    "-example.com",
    "example-.com",
    "example.-com",
    "example.com-",
    "exa_mple.com",
    "exa mple.com",
    "exam!ple.com",
    "exam*ple.com",
    "exam/ple.com",
    "exam\\ple.com",
    "exam%ple.com",
    "example.com/",
    "example.com:25",
    "example.com?x",
    "example.com#x",
    "example.com(comment)",
    "(comment)example.com",
    "[127.0.0.1]",
    "[IPv6:::1]",
    "[::1]",
    "[example.com]",
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "example.1",
    "example.123",
    "example.com,evil.example",
    "example.com;evil.example",
    "example.com>",
    "<example.com",
    "example.com\u{ff20}evil.example",
    "xn--a.com",
    "xn--.com",
    "xn--99999999999.com",
    "example\u{3002}",
    "b\u{308}\u{202e}cher.example",
    "exa\u{2100}mple.com",
];

/// What is no address at all, a list of them, or one with something around it.
const WHOLES: [&str; 32] = [
    " ",
    "@",
    "@@",
    "user",
    "user.example.com",
    "user@",
    "@example.com",
    "user@@example.com",
    "user@evil.example@example.com",
    "user@example.com@evil.example",
    "user\u{ff20}example.com",
    "user\u{fe6b}example.com",
    "user&#64;example.com",
    "user%40example.com",
    "user at example.com",
    "User <user@example.com>",
    "<user@example.com>",
    "\"User\" <user@example.com>",
    "user@example.com <evil@evil.example>",
    "user@example.com,evil@evil.example",
    "user@example.com, evil@evil.example",
    "user@example.com;evil@evil.example",
    "user@example.com evil@evil.example",
    "Friends: user@example.com;",
    "mailto:user@example.com",
    "user@example.com?bcc=evil@evil.example",
    "@relay.example:user@example.com",
    "user%example.com@relay.example@x.example",
    "relay.example!user",
    "user@example.com\r\nRCPT TO:<evil@evil.example>",
    "user@example.com\nBcc: evil@evil.example",
    "user@example.com>\r\nDATA",
];

/// Characters that nobody sees, or that end a line: refused wherever they stand.
const INVISIBLE: [char; 20] = [
    '\u{a0}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{180e}',
    '\u{2003}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{2028}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{3000}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{e0001}',
];

fn cases() -> Vec<String> {
    let mut cases: Vec<String> = WHOLES.map(str::to_owned).to_vec();
    cases.extend(LOCAL_PARTS.map(|local| format!("{local}@example.com")));
    cases.extend(DOMAINS.map(|domain| format!("user@{domain}")));
    let controls = ('\0'..=' ').chain('\u{7f}'..='\u{9f}');
    for odd in controls.chain(INVISIBLE) {
        cases.push(format!("us{odd}er@example.com"));
        cases.push(format!("user{odd}@example.com"));
        cases.push(format!("user@exam{odd}ple.com"));
    }
    cases.push(format!("{}@example.com", "u".repeat(65)));
    cases.push(format!("user@{}.com", "e".repeat(64)));
    cases.push(format!("user@{}com", "example.".repeat(40)));
    cases.push(format!(
        "{}@{}.com",
        "u".repeat(64),
        vec!["e".repeat(62); 3].join(".")
    ));
    cases.push("u".repeat(10_000));
    cases.push(format!("user@{}", "e.".repeat(5_000)));
    cases
}

/// A JSON string in which nothing but ASCII stands.
fn escaped(text: &str) -> String {
    let mut json = String::from("\"");
    for unit in text.encode_utf16() {
        write!(json, "\\u{unit:04x}").unwrap();
    }
    json + "\""
}

#[test]
fn no_address_that_breaks_a_rule_is_mailed() {
    let wire = Wire::start();
    let cases = cases();
    assert!(cases.len() >= 300, "{}", cases.len());
    for typed in cases {
        let body = format!("{{\"email\":{}}}", escaped(&typed));
        let is_too_large = body.len() > 16 * 1024;
        let answer = wire.ask_in_vain(&wire.post(SEND, &body));
        let shown = typed.escape_debug();
        if is_too_large {
            assert_eq!(answer.status, 413, "{shown}");
            continue;
        }
        assert_eq!(
            (answer.status, &*answer.code()),
            (422, "VALIDATION_ERROR"),
            "{shown}"
        );
        assert_eq!(answer.fields(), ["email"], "{shown}");
        let message = answer.message();
        let words = "The email field must be a valid email address: ";
        assert!(
            message.starts_with(words) && message.ends_with('.'),
            "{message}"
        );
        assert!(!answer.text().contains("example.com"), "{}", answer.text());
    }
    assert!(wire.store.sessions().is_empty());
}

#[test]
fn no_address_that_breaks_a_rule_costs_an_attempt() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    for typed in cases().into_iter().filter(|typed| typed.len() < 1000) {
        let body = format!(
            r#"{{"session_id":"{session_id}","code":"{code}","email":{}}}"#,
            escaped(&typed)
        );
        let answer = wire.ask_in_vain(&wire.post("/api/v1/otp/verify", &body));
        assert_eq!(answer.status, 422, "{}", typed.escape_debug());
    }
    assert_eq!(wire.verify(&session_id, &code).status, 200);
}

#[test]
fn domains_that_never_receive_mail_are_refused() {
    let wire = Wire::start();
    for domain in [
        "example.test",
        "example.invalid",
        "a.b.localhost",
        "EXAMPLE.TEST",
    ] {
        let body = format!(r#"{{"email":"user@{domain}"}}"#);
        let answer = wire.ask_in_vain(&wire.post(SEND, &body));
        assert_eq!(answer.status, 422, "{domain}");
        assert_eq!(
            answer.message(),
            "The email field must be a valid email address: nothing arrives at .invalid, .test \
             and .localhost."
        );
    }
}

#[test]
fn what_is_echoed_is_what_was_validated() {
    let wire = Wire::start();
    for (typed, wired) in [
        ("o'brien+x@example.co.uk", "o'brien+x@example.co.uk"),
        (
            "{}|~!#$%&'*+-/=?^_`@example.com",
            "{}|~!#$%&'*+-/=?^_`@example.com",
        ),
        ("\t user@example.com \r\n", "user@example.com"),
        ("user@例え.jp", "user@xn--r8jz45g.jp"),
        ("user@EXAMPLE。com", "user@example.com"),
    ] {
        let body = format!("{{\"email\":{}}}", escaped(typed));
        assert_eq!(wire.ask(&wire.post(SEND, &body)).member("email"), wired);
    }
}
