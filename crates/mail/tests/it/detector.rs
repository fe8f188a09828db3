//! The published rule by which Android finds a one-time code in a notification (AOSP
//! `ExtServices`), restated for codes of digits: the nearest thing to a public statement of what
//! mail programs look for.

const CONTEXT_WORDS: [&str; 9] = [
    "code",
    "passcode",
    "password",
    "pin",
    "otp",
    "tan",
    "2fa",
    "verification",
    "login",
];

/// The first code that stands free and has a context word in its own sentence or a neighbour.
pub(crate) fn find(text: &str) -> Option<String> {
    let sentences = sentences(text);
    for (at, sentence) in sentences.iter().enumerate() {
        let near = &sentences[at.saturating_sub(1)..sentences.len().min(at + 2)];
        if !near.iter().any(|sentence| has_context(sentence)) {
            continue;
        }
        if let Some(code) = words(sentence).find(|word| is_code(word)) {
            return Some(code.to_owned());
        }
    }
    None
}

/// Lines and sentences; blank ones say nothing.
fn sentences(text: &str) -> Vec<&str> {
    text.split(['.', '!', '?', '\n'])
        .filter(|sentence| !sentence.trim().is_empty())
        .collect()
}

/// A code is not glued to `*`, to control or bidi characters, nor to no-break or thin spaces:
/// none of these ends a word here.
fn words(sentence: &str) -> impl Iterator<Item = &str> {
    sentence.split([' ', '\r', ',', ':', ';', '"', '\'', '(', ')', '[', ']'])
}

fn is_code(word: &str) -> bool {
    (4..=9).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_context(sentence: &str) -> bool {
    sentence
        .split(|character: char| !character.is_alphanumeric())
        .any(|word| CONTEXT_WORDS.contains(&word.to_lowercase().as_str()))
}

#[test]
fn the_rule_takes_and_refuses_what_the_published_one_does() {
    for text in [
        "482913 is your Acme code",
        "Your Acme code: 482913",
        "[Acme] 482913 is your code",
        "482913 ist dein Acme-Code",
        "Your code is\n\n48291377\n\nBye",
    ] {
        assert!(find(text).is_some(), "{text}");
    }
    for text in [
        "482913",
        "Acme: 482913",
        "Your code is 482\u{a0}913",
        "Your code is 482\u{2009}913",
        "Your code is 4 8 2 9 1 3",
        "Your code is \u{2068}482913\u{2069}",
        "Your code is *482913*",
        "Your code is below. Hello. Bye. 482913",
    ] {
        assert_eq!(find(text), None, "{text}");
    }
}
