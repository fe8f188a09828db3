//! `POST /verify`: the members as people and programs write them.

use crate::support::{VERIFY, Wire};

#[test]
fn a_code_that_is_no_string_is_422_and_no_attempt() {
    let wire = Wire::start();
    let session_id = wire.open();
    let right = wire.code(&session_id);
    for code in [
        &*right,
        "0",
        "-1",
        "12345.0",
        "1e5",
        "true",
        "false",
        "[]",
        "[\"123456\"]",
        "{}",
        r#"{"code":"123456"}"#,
        "18446744073709551616",
    ] {
        // A code may begin with a zero, and a number may not.
        let code = if code.starts_with('0') { "7" } else { code };
        let body = format!(r#"{{"session_id":"{session_id}","code":{code}}}"#);
        let answer = wire.ask_in_vain(&wire.post(VERIFY, &body));
        assert_eq!(
            (answer.status, &*answer.code()),
            (422, "VALIDATION_ERROR"),
            "{code}"
        );
        assert_eq!(
            answer.message(),
            "The code field must be a string such as \"012345\"."
        );
        assert_eq!(answer.fields(), ["code"], "{code}");
    }
    assert_eq!(wire.attempts(&session_id), 0);
}

#[test]
fn a_code_that_is_missing_null_or_empty_is_required() {
    let wire = Wire::start();
    let session_id = wire.open();
    for member in ["", r#","code":null"#, r#","code":"""#, r#","otp":null"#] {
        let body = format!(r#"{{"session_id":"{session_id}"{member}}}"#);
        let answer = wire.ask_in_vain(&wire.post(VERIFY, &body));
        assert_eq!(
            (answer.status, &*answer.message()),
            (422, "The code field is required.")
        );
    }
}

#[test]
fn a_session_id_must_be_a_text() {
    let wire = Wire::start();
    for (value, message) in [
        ("null", "The session_id field is required."),
        ("\"\"", "The session_id field is required."),
        ("1", "The session_id field must be a string."),
        ("[]", "The session_id field must be a string."),
        ("{}", "The session_id field must be a string."),
        ("true", "The session_id field must be a string."),
    ] {
        // It goes by its documented name, also when an alias was sent.
        for name in ["session_id", "requestId"] {
            let body = format!(r#"{{"{name}":{value},"code":"123456"}}"#);
            let answer = wire.ask_in_vain(&wire.post(VERIFY, &body));
            assert_eq!(
                (answer.status, &*answer.message()),
                (422, message),
                "{value}"
            );
            assert_eq!(answer.fields(), ["session_id"]);
        }
    }
    let answer = wire.ask_in_vain(&wire.post(VERIFY, "{}"));
    insta::assert_snapshot!("verify_without_anything", answer.snapshot());
}

#[test]
fn a_hundred_thousand_characters_are_413() {
    let wire = Wire::start();
    let session_id = wire.open();
    let request = wire.verification(&session_id, &"1".repeat(100_000));
    assert_eq!(wire.ask_in_vain(&request).status, 413);
    assert_eq!(wire.ask_in_vain(&request.chunked()).status, 413);
}

#[test]
fn a_wrong_email_or_template_is_422_and_no_attempt() {
    let wire = Wire::start();
    let session_id = wire.open();
    let code = wire.code(&session_id);
    for (member, field) in [
        (r#""email":"nobody""#, "email"),
        (r#""email":"""#, "email"),
        (r#""email":1"#, "email"),
        (r#""email":"a@b.test""#, "email"),
        (r#""template":"magic""#, "template"),
        (r#""purpose":[]"#, "template"),
        (r#""locale":"de""#, "locale"),
    ] {
        let body = format!(r#"{{"session_id":"{session_id}","code":"{code}",{member}}}"#);
        let answer = wire.ask_in_vain(&wire.post(VERIFY, &body));
        assert_eq!(
            (answer.status, &*answer.fields()),
            (422, &[field.to_owned()][..]),
            "{member}"
        );
    }
    assert_eq!(wire.verify(&session_id, &code).status, 200);
}

#[test]
fn a_code_is_read_as_people_type_and_paste_it() {
    let wire = Wire::start();
    for dress in [
        |code: &str| format!(" {code} "),
        |code: &str| format!("{} {}", &code[..3], &code[3..]),
        |code: &str| format!("{}-{}", &code[..3], &code[3..]),
        |code: &str| format!("{}\\u2212{}.", &code[..3], &code[3..]),
        |code: &str| format!("{}\\u00a0{}", &code[..3], &code[3..]),
        |code: &str| format!("\\u2068{code}\\u2069\\u200b\\r\\n"),
        |code: &str| in_digits_from('\u{ff10}', code),
        |code: &str| in_digits_from('\u{660}', code),
        |code: &str| in_digits_from('\u{966}', code),
    ] {
        let session_id = wire.open();
        let dressed = dress(&wire.code(&session_id));
        assert_eq!(wire.verify(&session_id, &dressed).status, 200, "{dressed}");
    }
}

/// `code` in the digits of the script whose zero is `zero`.
fn in_digits_from(zero: char, code: &str) -> String {
    let digit = |digit: char| char::from_u32(u32::from(zero) + digit.to_digit(10).unwrap());
    code.chars().map(|one| digit(one).unwrap()).collect()
}
