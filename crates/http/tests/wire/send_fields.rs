//! `POST /send`: every rule of every member, and what is said of what breaks it.

use crate::support::{SEND, Wire};

/// What is said of `member`, when it stands beside a good address.
fn refusal(wire: &Wire, field: &str, member: &str) -> String {
    let body = match field {
        "email" => format!("{{{member}}}"),
        _ => format!(r#"{{"email":"user@example.com",{member}}}"#),
    };
    let answer = wire.ask_in_vain(&wire.post(SEND, &body));
    assert_eq!(
        (answer.status, &*answer.code()),
        (422, "VALIDATION_ERROR"),
        "{member}"
    );
    assert_eq!(answer.fields(), [field], "{member}");
    answer.message()
}

#[test]
fn a_missing_address_is_told_in_the_documented_words() {
    let wire = Wire::start();
    for member in ["", r#""email":null"#, r#""email":"""#] {
        let message = refusal(&wire, "email", member);
        assert_eq!(message, "The email field is required.", "{member}");
    }
    for member in [
        r#""email":1"#,
        r#""email":["a@example.com"]"#,
        r#""email":{}"#,
    ] {
        let message = refusal(&wire, "email", member);
        assert_eq!(message, "The email field must be a string.", "{member}");
    }
    let answer = wire.ask_in_vain(&wire.post(SEND, "{}"));
    insta::assert_snapshot!("send_without_email", answer.snapshot());
}

#[test]
fn numbers_are_bounded() {
    let wire = Wire::start();
    let lifetime = "The expires_in field must be between 30 and 3600.";
    let lifetime_max = "The expires_in field must be between 30 and 3600 (policy.expires_in_max).";
    let length = "The code_length field must be between 4 and 8.";
    for (field, values, message) in [
        ("expires_in", ["29", "0", "-1"], lifetime),
        (
            "expires_in",
            ["3601", "18446744073709551616", "1e300"],
            lifetime_max,
        ),
        (
            "expires_in",
            ["300.5", r#""300""#, "true"],
            "The expires_in field must be an integer.",
        ),
        ("code_length", ["3", "9", "-6"], length),
        ("code_length", ["0", "262", "4294967302"], length),
        (
            "code_length",
            ["6.5", r#""6""#, "[6]"],
            "The code_length field must be an integer.",
        ),
    ] {
        for value in values {
            let said = refusal(&wire, field, &format!("\"{field}\":{value}"));
            assert_eq!(said, message, "{value}");
        }
    }
}

#[test]
fn numbers_within_their_bounds_are_taken_however_they_are_written() {
    let wire = Wire::start();
    for member in [
        r#""expires_in":30"#,
        r#""expires_in":3600"#,
        r#""expires_in":300.0"#,
        r#""expires_in":3e2"#,
        r#""code_length":4"#,
        r#""code_length":8.0"#,
    ] {
        wire.open_with(&format!(r#"{{"email":"user@example.com",{member}}}"#));
    }
}

#[test]
fn a_template_is_one_of_those_that_there_are() {
    let wire = Wire::start();
    let message = "The template field must be one of: login, signup, reset.";
    for value in ["magic", "", "LOGIN", "../login"] {
        for name in ["template", "purpose"] {
            let said = refusal(&wire, "template", &format!(r#""{name}":"{value}""#));
            assert_eq!(said, message, "{value}");
        }
    }
    let said = refusal(&wire, "template", r#""template":7"#);
    assert_eq!(said, "The template field must be a string.");
}

#[test]
fn a_locale_is_a_language_tag() {
    let wire = Wire::start();
    for tag in [
        "de",
        "pt-BR",
        "zh-Hant-TW",
        "sl-rozaj-biske",
        "x-klingon",
        "de-u-co-phonebk",
    ] {
        wire.open_with(&format!(
            r#"{{"email":"user@example.com","locale":"{tag}"}}"#
        ));
    }
    let message = "The locale field must be a language tag such as \"de\" or \"pt-BR\".";
    for tag in ["", "d", "de_DE", "*", "de-", "deutsches", "de;q=1", "ð"] {
        let said = refusal(&wire, "locale", &format!(r#""locale":"{tag}""#));
        assert_eq!(said, message, "{tag}");
    }
    let said = refusal(&wire, "locale", r#""locale":["de"]"#);
    assert_eq!(said, "The locale field must be a string.");
}

#[test]
fn a_client_ip_is_an_ip_address() {
    let wire = Wire::start();
    for ip in ["192.0.2.1", "::1", "2001:DB8::A", "::ffff:192.0.2.1"] {
        wire.open_with(&format!(
            r#"{{"email":"user@example.com","client_ip":"{ip}"}}"#
        ));
    }
    let message = "The client_ip field must be an IPv4 or IPv6 address.";
    for ip in [
        "",
        "localhost",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1:80",
        "[::1]",
        "::1/64",
    ] {
        let said = refusal(&wire, "client_ip", &format!(r#""client_ip":"{ip}""#));
        assert_eq!(said, message, "{ip}");
    }
    let said = refusal(&wire, "client_ip", r#""client_ip":2130706433"#);
    assert_eq!(said, "The client_ip field must be a string.");
}

#[test]
fn variables_are_a_few_short_strings() {
    let wire = Wire::start();
    let members = |count: usize| {
        let members: Vec<_> = (0..count)
            .map(|number| format!("\"v{number}\":\"x\""))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    let longest = format!(r#"{{"{}":"{}"}}"#, "n".repeat(64), "ä".repeat(256));
    for variables in ["{}", r#"{"Device_2":"<b>&amp;"}"#, &members(16), &longest] {
        wire.open_with(&format!(
            r#"{{"email":"user@example.com","variables":{variables}}}"#
        ));
    }

    let values = "The variables field must have strings of at most 256 characters as values, \
                  without control characters.";
    let names = "The variables field must have names of 1 to 64 letters, digits and underscores.";
    let long_name = format!(r#"{{"{}":"x"}}"#, "n".repeat(65));
    let long_value = format!(r#"{{"n":"{}"}}"#, "x".repeat(257));
    for (variables, message) in [
        ("[]", "The variables field must be an object of strings."),
        ("\"\"", "The variables field must be an object of strings."),
        (
            &*members(17),
            "The variables field must have at most 16 members.",
        ),
        (r#"{"":"x"}"#, names),
        (r#"{"a-b":"x"}"#, names),
        (r#"{"ä":"x"}"#, names),
        (&long_name, names),
        (&long_value, values),
        (r#"{"n":1}"#, values),
        (r#"{"n":null}"#, values),
        (r#"{"n":{"m":"x"}}"#, values),
        (r#"{"n":"a\r\nBcc: b@example.com"}"#, values),
        (r#"{"n":"\u0000"}"#, values),
        (r#"{"n":"\u0085"}"#, values),
    ] {
        let said = refusal(&wire, "variables", &format!("\"variables\":{variables}"));
        assert_eq!(said, message, "{variables}");
    }
}

#[test]
fn an_unknown_member_is_refused_by_name() {
    let wire = Wire::start();
    for (name, message) in [
        ("expiresIn", "The expiresIn field is unknown."),
        ("Email", "The Email field is unknown."),
        ("session_id", "The session_id field is unknown."),
    ] {
        assert_eq!(refusal(&wire, name, &format!("\"{name}\":null")), message);
    }
    let long = "n".repeat(5000);
    let shown = format!("{}…", "n".repeat(64));
    let message = refusal(&wire, &shown, &format!("\"{long}\":1"));
    assert_eq!(message, format!("The {shown} field is unknown."));
}

#[test]
fn every_wrong_field_is_named_and_no_value_repeated() {
    let wire = Wire::start();
    let answer = wire.ask_in_vain(&wire.post(
        SEND,
        r#"{"other":"secret-0","variables":"secret-1","client_ip":"secret-2","locale":"secret_3",
            "code_length":"secret-4","expires_in":"secret-5","template":"secret-6",
            "email":"secret-7"}"#,
    ));
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    assert_eq!(
        answer.message(),
        "The email field must be a valid email address: exactly one @ is needed."
    );
    // The order of members is that of the documentation.
    insta::assert_snapshot!("send_with_everything_wrong", answer.snapshot());
}
