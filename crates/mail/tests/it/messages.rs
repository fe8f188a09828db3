//! Every message of every language, as a mail program reads it.

use std::collections::BTreeSet;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use otpost_domain::{Address, Code, Language, TemplateName};
use otpost_ports::{DeliveryError, Letter};
use otpost_testkit::sample;

use crate::{contrast, detector, every_letter, message, renderer, with_variables};

/// What a mail program makes of the bytes: headers, text and HTML.
pub(crate) fn read(bytes: &[u8]) -> (String, String, String) {
    let parsed = MessageParser::default().parse(bytes).unwrap();
    assert_eq!(
        parsed.content_type().unwrap().subtype(),
        Some("alternative")
    );
    let kinds: Vec<_> = parsed.parts[1..]
        .iter()
        .map(|part| match &part.body {
            PartType::Text(_) => "text",
            PartType::Html(_) => "html",
            other => panic!("a part of another kind: {other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["text", "html"], "text comes first");
    let headers: Vec<_> = parsed
        .headers_raw()
        .map(|(name, value)| format!("{name}:{}", value.trim_end()))
        .collect();
    let plain = |part: Option<std::borrow::Cow<'_, str>>| part.unwrap().replace("\r\n", "\n");
    (
        headers.join("\n"),
        plain(parsed.body_text(0)),
        plain(parsed.body_html(0)),
    )
}

#[test]
fn a_whole_message_is_as_it_was_approved() {
    for language in ["en", "ar"] {
        let letter = Letter {
            language: Language::new(language),
            ..sample::letter(0, "482913")
        };
        let (headers, text, html) = read(&message(&letter).bytes);
        insta::assert_snapshot!(language, format!("{headers}\n\n{text}\n{html}"));
    }
}

#[test]
fn a_mail_program_reads_what_was_rendered() {
    for letter in every_letter() {
        let letter = with_variables(letter, [("name", "Zoë & Søn <ø>")]);
        let message = message(&letter);
        let (_, text, html) = read(&message.bytes);
        assert_eq!(text, message.text);
        assert_eq!(html, message.html);
        let parsed = MessageParser::default().parse(&message.bytes).unwrap();
        assert_eq!(parsed.subject(), Some(message.subject.as_str()));
        assert!(message.subject.starts_with("482913 "));
        assert!(text.lines().any(|line| line == "482913"), "{text}");
        assert_eq!(html.matches("482913").count(), 1);
        assert!(html.contains(r#"<bdi dir="ltr">482913</bdi>"#));
    }
}

#[test]
fn the_headers_say_what_it_is_and_are_the_same_on_every_try() {
    let letter = sample::letter(7, "482913");
    let first = message(&letter);
    let again = message(&letter);
    assert_eq!(first.bytes, again.bytes);

    let value = |name: &str| {
        let mut found = first.headers.iter().filter(|(one, _)| one == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    };
    assert_eq!(value("From"), Some("Acme <no-reply@acme.example>"));
    assert_eq!(value("To"), Some("person@example.com"));
    assert_eq!(value("Date"), Some("Fri, 09 Jan 2026 12:00:07 +0000"));
    let id = format!("<{}@acme.example>", "07".repeat(16));
    assert_eq!(value("Message-ID"), Some(id.as_str()));
    assert_eq!(value("Content-Language"), Some("en"));
    assert_eq!(value("Auto-Submitted"), Some("auto-generated"));
    let suppressed = Some("OOF, AutoReply, RN, NRN");
    assert_eq!(value("X-Auto-Response-Suppress"), suppressed);
    assert_eq!(value("List-Unsubscribe"), None);
    assert_eq!(value("Bcc"), None);
}

#[test]
fn a_project_has_its_own_sender_product_and_footer() {
    let mut letter = sample::letter(1, "482913");
    letter.owner.project = sample::project("books");
    letter.language = Language::new("de");
    let message = message(&letter);

    assert_eq!(message.subject, "482913 ist Ihr Code für Bücher & Söhne");
    let (headers, text, html) = read(&message.bytes);
    let parsed = MessageParser::default().parse(&message.bytes).unwrap();
    assert_eq!(parsed.subject(), Some(message.subject.as_str()));
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Bücher & Söhne"));
    assert_eq!(from.address(), Some("code@xn--bcher-kva.example"));
    assert!(headers.contains("@xn--bcher-kva.example>"), "{headers}");
    assert!(
        text.ends_with("-- \nBücher & Söhne GmbH\nAmtsgericht Köln HRB 1\n"),
        "{text}"
    );
    assert!(
        html.contains("<p style=\"margin:0;\">Bücher &amp; Söhne GmbH</p>"),
        "{html}"
    );

    letter.language = Language::new("en");
    let english = self::message(&letter);
    assert!(
        !english.text.contains("GmbH"),
        "the footer has no English form"
    );
}

#[test]
fn a_name_is_greeted_and_none_is_needed() {
    let letter = sample::letter(0, "482913");
    assert!(!message(&letter).text.contains("Hello"));
    let blank = with_variables(letter.clone(), [("name", " ")]);
    assert!(!message(&blank).text.contains("Hello"));
    let named = message(&with_variables(letter, [("name", "Ada"), ("plan", "pro")]));
    assert!(named.text.contains("\nHello Ada,\n"));
    assert!(named.html.contains(">Hello Ada,</p>"));
}

#[test]
fn a_language_that_is_not_there_any_more_falls_back() {
    let letter = sample::letter(0, "482913");
    for (wanted, subject) in [
        ("de-AT", "482913 ist Ihr Code für Acme"),
        ("zh-HK", "482913 是您的 Acme 驗證碼（OTP）"),
        ("tlh", "482913 is your Acme code"),
    ] {
        let language = Language::new(wanted);
        let message = message(&Letter {
            language,
            ..letter.clone()
        });
        assert_eq!(message.subject, subject);
    }
    let template = TemplateName::parse("gone").unwrap();
    let gone = renderer().message(&Letter { template, ..letter }).err();
    assert!(
        matches!(gone, Some(DeliveryError::Permanent { .. })),
        "{gone:?}"
    );
}

#[test]
fn the_published_detector_finds_the_code_in_subject_and_text() {
    for code in ["4829", "48291", "482913", "4829137", "48291377", "0000"] {
        for letter in every_letter() {
            let letter = Letter {
                code: Code::parse(code).unwrap(),
                ..letter
            };
            let letter = with_variables(letter, [("name", "Ada 9")]);
            let message = message(&letter);
            for part in [&message.subject, &message.text] {
                let found = detector::find(part);
                assert_eq!(found.as_deref(), Some(code), "{}: {part}", letter.language);
            }
        }
    }
}

#[test]
fn control_characters_in_a_variable_refuse_the_message() {
    for value in [
        "a\r\nBcc: x@example.org",
        "a\nb",
        "a\rb",
        "a\0b",
        "\u{85}",
        "\u{1b}[2J",
        "\t",
    ] {
        for pair in [("name", value), ("unused", value), (value, "a")] {
            let letter = with_variables(sample::letter(0, "482913"), [pair]);
            let error = renderer().message(&letter).err().unwrap();
            let DeliveryError::Permanent { cause, reply: None } = error else {
                panic!("{value:?}: {error:?}");
            };
            assert_eq!(cause, "a variable holds a control character");
        }
    }
}

#[test]
fn hostile_values_stay_text() {
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=http://evil.example/x>",
        "{{code}}",
        "{{{code}}}",
        "{{#each this}}{{/each}}",
        "&amp;<b>",
        ".",
        "From me",
        "=?utf-8?q?x?=",
        "=0D=0A.=0D=0A",
        "\u{2028}a\u{202e}b",
    ];
    for value in hostile {
        let letter = with_variables(sample::letter(0, "482913"), [("name", value)]);
        let message = message(&letter);
        let (_, text, html) = read(&message.bytes);
        assert!(text.contains(&format!("Hello {value},")), "{text}");
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<b>"));
        assert_eq!(html.matches("482913").count(), 1, "{value}");
        let parsed = MessageParser::default().parse(&message.bytes).unwrap();
        assert_eq!(parsed.parts.len(), 3, "{value}");
    }
}

#[test]
fn the_bytes_are_ascii_lines_that_end_with_crlf() {
    let long = "ä".repeat(256);
    for letter in every_letter() {
        let letter = with_variables(letter, [("name", long.as_str())]);
        let bytes = message(&letter).bytes;
        assert!(bytes.is_ascii());
        assert!(bytes.ends_with(b"\r\n"));
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\r' => assert_eq!(bytes.get(at + 1), Some(&b'\n'), "bare CR at {at}"),
                b'\n' => assert_eq!(bytes.get(at.wrapping_sub(1)), Some(&b'\r'), "LF at {at}"),
                _ => {}
            }
        }
        // RFC 5322, 2.1.1 wants 78 and allows 998.
        let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert!(longest <= Some(100), "{longest:?}");
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        for part in &parsed.parts[1..] {
            assert_eq!(part.content_transfer_encoding(), Some("quoted-printable"));
        }
    }
}

#[test]
fn the_longest_address_and_product_make_a_message() {
    let local = "l".repeat(64);
    let domain = format!("{0}.{0}.{0}.example", "d".repeat(59));
    let letter = Letter {
        to: Address::parse(&format!("{local}@{domain}")).unwrap(),
        ..sample::letter(0, "482913")
    };
    let message = message(&letter);
    let parsed = MessageParser::default().parse(&message.bytes).unwrap();
    let to = parsed.to().unwrap().first().unwrap();
    assert_eq!(to.address(), Some(letter.to.as_str()));
}

#[test]
fn nothing_is_fetched_linked_or_tracked() {
    for letter in every_letter() {
        let html = message(&letter).html;
        let html = html.to_ascii_lowercase();
        for word in [
            "http", "src=", "href", "url(", "<img", "<a ", "<script", "@import", "<link",
        ] {
            assert!(!html.contains(word), "{word}");
        }
    }
}

#[test]
fn a_screen_reader_and_a_program_without_css_are_served() {
    for letter in every_letter() {
        let html = message(&letter).html;
        let language = letter.language.as_str();
        let direction = match language {
            "ar" | "he" => "rtl",
            _ => "ltr",
        };
        let said = format!("lang=\"{language}\" dir=\"{direction}\"");
        assert!(html.contains(&format!("<html {said}>")), "{said}");
        assert!(html.contains(&format!("<td {said}")), "{said}");
        assert!(html.contains(&format!("<td class=\"card\" dir=\"{direction}\"")));
        let tables = html.matches("<table").count();
        assert!(tables > 0);
        assert_eq!(html.matches("<table role=\"presentation\"").count(), tables);
        assert_eq!(html.matches("<h1").count(), 1);
        for name in ["color-scheme", "supported-color-schemes"] {
            assert!(html.contains(&format!("<meta name=\"{name}\" content=\"light dark\">")));
        }
        // Gmail cuts a message at 102 kB.
        assert!(html.len() < 16 * 1024, "{}", html.len());
    }
}

#[test]
fn every_text_has_contrast_in_light_and_dark() {
    let mut letter = sample::letter(0, "482913");
    letter.owner.project = sample::project("books");
    letter.language = Language::new("de");
    let html = message(&letter).html;
    let (head, body) = html.split_once("</style>").unwrap();
    let (_, dark) = head.split_once("prefers-color-scheme: dark").unwrap();

    let light: Vec<_> = body
        .split("style=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .filter_map(contrast)
        .collect();
    let dark: Vec<_> = dark.lines().filter_map(contrast).collect();
    assert_eq!((light.len(), dark.len()), (7, 6));
    for ratio in light.into_iter().chain(dark) {
        assert!(ratio >= 4.5, "{ratio}");
    }

    let classes = |text: &str| -> BTreeSet<String> {
        let colored = text.split("class=\"").skip(1);
        colored
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    };
    for class in classes(body) {
        assert!(
            head.contains(&format!("  .{class} {{")),
            "{class} has no dark form"
        );
    }
}
