//! The published rule by which Android finds a one-time code in a notification (AOSP
//! `ExtServices`, `NotificationOtpDetectionHelper`), restated for codes of digits: the nearest
//! thing to a public statement of what mail programs look for.
//!
//! It publishes context words for English only. A text of another language must have one of
//! them all the same.

/// In any case of letters.
const CONTEXT_WORDS: [&str; 6] = ["code", "passcode", "password", "otp", "2fa", "tokencode"];
/// In capitals only.
const CONTEXT_CAPITALS: [&str; 2] = ["PIN", "TAN"];

/// The first code that stands free and has a context word in its own sentence or a neighbour.
pub(crate) fn find(text: &str) -> Option<String> {
    let sentences = sentences(text);
    for (at, sentence) in sentences.iter().enumerate() {
        let near = &sentences[at.saturating_sub(1)..sentences.len().min(at + 2)];
        if !near.iter().any(|sentence| has_context(sentence)) {
            continue;
        }
        if let Some(code) = free_code(sentence) {
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

/// A code begins after a blank, a bracket, a quotation mark or `>` and `=`, and ends before a
/// blank, a bracket, a quotation mark or a comma. Nothing else may touch it, neither `*` nor
/// control or bidi characters, nor a no-break or thin space. Digits before or after the blank make
/// it part of a longer number.
fn free_code(sentence: &str) -> Option<&str> {
    let words: Vec<_> = sentence.split([' ', '\r']).collect();
    let has_digit = |at: Option<usize>, side: fn(&str) -> Option<char>| {
        let word = at.and_then(|at| words.get(at));
        word.and_then(|word| side(word))
            .is_some_and(|side| side.is_ascii_digit())
    };
    words.iter().enumerate().find_map(|(at, word)| {
        let start = word.trim_start_matches(['>', '(', '"', '\'', '=', '[']);
        let code = start.trim_end_matches([',', ')', '\'', ']', '"']);
        let is_free = !has_digit(at.checked_sub(1), |word| word.chars().next_back())
            && !has_digit(Some(at + 1), |word| word.chars().next());
        (is_code(code) && is_free).then_some(code)
    })
}

fn is_code(word: &str) -> bool {
    (4..=9).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_context(sentence: &str) -> bool {
    sentence
        .split(|character: char| !character.is_alphanumeric())
        .any(|word| {
            CONTEXT_WORDS.contains(&word.to_lowercase().as_str())
                || CONTEXT_CAPITALS.contains(&word)
        })
}

#[test]
fn the_rule_takes_and_refuses_what_the_published_one_does() {
    for text in [
        "482913 is your Acme code",
        "Your Acme code: 482913",
        "[Acme] 482913 is your code",
        "482913 ist dein Acme-Code",
        "482913 est votre code Acme",
        "482913 हुआ OTP",
        "Acme PIN (4829)",
        "Your code is\n\n48291377\n\nBye",
    ] {
        assert!(find(text).is_some(), "{text}");
    }
    for text in [
        "482913",
        "Acme: 482913",
        "482913 – dein Bestätigungscode",
        "482913 是您的验证码",
        "482913 is a pin",
        "Your code: 4829 1377",
        "Your code:482913:",
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
