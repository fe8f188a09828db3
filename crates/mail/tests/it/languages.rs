//! What must hold for the texts of every language.

use std::collections::BTreeMap;

use mail_parser::MessageParser;
use mail_parser::decoders::html::html_to_text;
use otpost_domain::{Code, Language};
use otpost_ports::Letter;
use otpost_testkit::sample;

use crate::messages::read;
use crate::{every_letter, message, with_variables};

/// The name of the file that a letter's texts come from.
fn name(letter: &Letter) -> String {
    let language = &letter.language;
    if letter.owner.project == sample::project("friends") {
        format!("{language}.informal")
    } else {
        language.to_string()
    }
}

#[test]
fn every_message_of_every_language_reads_as_it_was_approved() {
    let mut by_language = BTreeMap::<String, Vec<String>>::new();
    for letter in every_letter() {
        let letter = with_variables(letter, [("name", "Ada")]);
        let bytes = message(&letter).bytes;
        let (_, text, html) = read(&bytes);
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let subject = parsed.subject().unwrap();
        let seen = html_to_text(&html).trim().to_owned();
        let page = format!(
            "[{}]\nSubject: {subject}\n\n{text}\nHTML:\n\n{seen}",
            letter.template
        );
        by_language.entry(name(&letter)).or_default().push(page);
    }
    for (name, pages) in by_language {
        assert_eq!(pages.len(), 3, "{name}");
        insta::assert_snapshot!(name, pages.join("\n\n"));
    }
}

#[test]
fn the_language_is_named_in_the_headers() {
    for letter in every_letter() {
        let headers = message(&letter).headers;
        let tags: Vec<_> = headers
            .iter()
            .filter(|(name, _)| name == "Content-Language")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(tags, [letter.language.as_str()]);
    }
}

#[test]
fn a_subject_fits_a_line() {
    for mut letter in every_letter() {
        letter.code = Code::parse("48291377").unwrap();
        letter.owner.project = sample::project("long");
        let subject = message(&letter).subject;
        assert!(subject.starts_with("48291377 "), "{subject}");
        assert!(subject.contains("Twelveletter"), "{subject}");
        assert!(subject.chars().count() <= 78, "{subject}");
    }
}

#[test]
fn the_text_part_has_tidy_lines() {
    for letter in every_letter() {
        let letter = with_variables(letter, [("name", "Ada")]);
        let text = message(&letter).text;
        assert!(text.contains("Ada") && text.contains("Acme"), "{text}");
        assert!(!text.contains("\n\n\n") && !text.contains("{{"), "{text}");
        for line in text.lines() {
            assert_eq!(line, line.trim(), "{text}");
            assert!(!line.contains("  ") && !line.contains('\t'), "{line}");
            assert!(line.chars().count() <= 200, "{line}");
        }
    }
}

/// A program that gets plain text guesses a line's direction from its first letter (UAX #9, P2).
#[test]
fn every_line_begins_with_a_letter_of_its_own_direction() {
    let is_rtl = |letter: char| matches!(letter, '\u{590}'..='\u{6ff}');
    for letter in every_letter() {
        let letter = with_variables(letter, [("name", "Ada")]);
        let wanted = ["ar", "he"].contains(&letter.language.as_str());
        let message = message(&letter);
        for line in message.text.lines().chain([message.subject.as_str()]) {
            if let Some(first) = line.chars().find(|letter| letter.is_alphabetic()) {
                assert_eq!(is_rtl(first), wanted, "{line}");
            }
        }
    }
}

#[test]
fn a_friend_is_not_addressed_as_a_stranger() {
    let mut letter = sample::letter(0, "482913");
    letter.language = Language::new("de-AT");
    assert!(message(&letter).text.contains("Geben Sie diesen Code"));
    letter.owner.project = sample::project("friends");
    let informal = message(&letter);
    assert!(informal.text.contains("Gib diesen Code"));
    assert!(!informal.html.contains("Sie "), "{}", informal.html);
    assert_eq!(informal.subject, "482913 ist dein Code für Acme");

    // A language with one form has it for all.
    letter.language = Language::new("en");
    assert_eq!(message(&letter).subject, "482913 is your Acme code");
}

const MINUTE: u32 = 60;
const HOUR: u32 = 3_600;

/// A lifetime in each plural form of each language, as it stands in the sentence.
const LIFETIMES: [(&str, &[(u32, &str)]); 30] = [
    (
        "ar",
        &[
            (1, "لمدة ثانية واحدة "),
            (2, "لمدة ثانيتين "),
            (10, "لمدة 10 ثوانٍ "),
            (45, "لمدة 45 ثانية "),
            (101, "لمدة 101 ثانية "),
            (2 * MINUTE, "لمدة دقيقتين "),
            (5 * MINUTE, "لمدة 5 دقائق "),
            (15 * MINUTE, "لمدة 15 دقيقة "),
            (100 * MINUTE, "لمدة 100 دقيقة "),
            (2 * HOUR, "لمدة ساعتين "),
            (3 * HOUR, "لمدة 3 ساعات "),
            (24 * HOUR, "لمدة 24 ساعة "),
        ],
    ),
    (
        "cs",
        &[
            (1, "platí 1 sekundu "),
            (45, "platí 45 sekund "),
            (3 * MINUTE, "platí 3 minuty "),
            (5 * MINUTE, "platí 5 minut "),
            (22 * MINUTE, "platí 22 minut "),
            (2 * HOUR, "platí 2 hodiny "),
            (24 * HOUR, "platí 24 hodin "),
        ],
    ),
    (
        "da",
        &[
            (1, "i 1 sekund "),
            (5 * MINUTE, "i 5 minutter "),
            (2 * HOUR, "i 2 timer "),
        ],
    ),
    (
        "de",
        &[
            (1, "gilt 1 Sekunde lang"),
            (45, "gilt 45 Sekunden lang"),
            (5 * MINUTE, "gilt 5 Minuten lang"),
            (24 * HOUR, "gilt 24 Stunden lang"),
        ],
    ),
    (
        "el",
        &[
            (1, "για 1 δευτερόλεπτο "),
            (45, "για 45 δευτερόλεπτα "),
            (5 * MINUTE, "για 5 λεπτά "),
            (2 * HOUR, "για 2 ώρες "),
        ],
    ),
    (
        "en",
        &[
            (1, "for 1 second "),
            (45, "for 45 seconds "),
            (5 * MINUTE, "for 5 minutes "),
            (HOUR, "for 60 minutes "),
            (24 * HOUR, "for 24 hours "),
        ],
    ),
    (
        "es",
        &[
            (1, "durante 1 segundo "),
            (5 * MINUTE, "durante 5 minutos "),
            (2 * HOUR, "2 horas "),
        ],
    ),
    (
        "fi",
        &[
            (1, "voimassa 1 sekunnin, "),
            (45, "voimassa 45 sekuntia, "),
            (5 * MINUTE, "voimassa 5 minuuttia, "),
            (2 * HOUR, "voimassa 2 tuntia, "),
        ],
    ),
    (
        "fr",
        &[
            (0, "valable 0 seconde "),
            (1, "valable 1 seconde "),
            (2, "valable 2 secondes "),
            (5 * MINUTE, "valable 5 minutes "),
            (2 * HOUR, "valable 2 heures "),
        ],
    ),
    (
        "he",
        &[
            (1, "למשך שנייה אחת "),
            (2, "למשך שתי שניות "),
            (45, "למשך 45 שניות "),
            (2 * MINUTE, "למשך שתי דקות "),
            (5 * MINUTE, "למשך 5 דקות "),
            (2 * HOUR, "למשך שעתיים "),
            (24 * HOUR, "למשך 24 שעות "),
        ],
    ),
    (
        "hi",
        &[
            (1, "OTP 1 सेकंड तक"),
            (5 * MINUTE, "OTP 5 मिनट तक"),
            (2 * HOUR, "OTP 2 घंटे तक"),
        ],
    ),
    (
        "hu",
        &[
            (1, "kód 1 másodpercig érvényes"),
            (5 * MINUTE, "kód 5 percig érvényes"),
            (2 * HOUR, "kód 2 óráig érvényes"),
        ],
    ),
    (
        "id",
        &[
            (1, "selama 1 detik "),
            (5 * MINUTE, "selama 5 menit "),
            (2 * HOUR, "selama 2 jam "),
        ],
    ),
    (
        "it",
        &[
            (1, "per 1 secondo "),
            (45, "per 45 secondi "),
            (5 * MINUTE, "per 5 minuti "),
            (2 * HOUR, "per 2 ore "),
        ],
    ),
    (
        "ja",
        &[
            (45, "は45秒間で"),
            (5 * MINUTE, "は5分間で"),
            (2 * HOUR, "は2時間で"),
        ],
    ),
    (
        "ko",
        &[
            (45, " 45초 동안"),
            (5 * MINUTE, " 5분 동안"),
            (2 * HOUR, " 2시간 동안"),
        ],
    ),
    (
        "nb",
        &[
            (1, "i 1 sekund "),
            (5 * MINUTE, "i 5 minutter "),
            (2 * HOUR, "i 2 timer "),
        ],
    ),
    (
        "nl",
        &[
            (1, "is 1 seconde geldig"),
            (5 * MINUTE, "is 5 minuten geldig"),
            (2 * HOUR, "is 2 uur geldig"),
        ],
    ),
    (
        "pl",
        &[
            (1, "przez 1 sekundę "),
            (21, "przez 21 sekund "),
            (22, "przez 22 sekundy "),
            (2 * MINUTE, "przez 2 minuty "),
            (5 * MINUTE, "przez 5 minut "),
            (3 * HOUR, "przez 3 godziny "),
            (12 * HOUR, "przez 12 godzin "),
        ],
    ),
    (
        "pt-BR",
        &[
            (0, "por 0 segundo "),
            (5 * MINUTE, "por 5 minutos "),
            (2 * HOUR, "por 2 horas "),
        ],
    ),
    (
        "pt-PT",
        &[
            (0, "durante 0 segundos "),
            (1, "durante 1 segundo "),
            (2 * HOUR, "2 horas "),
        ],
    ),
    (
        "ro",
        &[
            (1, "timp de 1 secundă "),
            (19, "timp de 19 secunde "),
            (5 * MINUTE, "timp de 5 minute "),
            (30 * MINUTE, "timp de 30 de minute "),
            (2 * HOUR, "timp de 2 ore "),
            (24 * HOUR, "timp de 24 de ore "),
        ],
    ),
    (
        "ru",
        &[
            (1, "действует 1 секунду,"),
            (45, "действует 45 секунд,"),
            (3 * MINUTE, "действует 3 минуты,"),
            (11 * MINUTE, "действует 11 минут,"),
            (21 * MINUTE, "действует 21 минуту,"),
            (21 * HOUR, "действует 21 час,"),
            (24 * HOUR, "действует 24 часа,"),
            (48 * HOUR, "действует 48 часов,"),
        ],
    ),
    (
        "sk",
        &[
            (1, "platí 1 sekundu "),
            (3 * MINUTE, "platí 3 minúty "),
            (5 * MINUTE, "platí 5 minút "),
            (2 * HOUR, "platí 2 hodiny "),
            (24 * HOUR, "platí 24 hodín "),
        ],
    ),
    (
        "sv",
        &[
            (1, "i 1 sekund "),
            (5 * MINUTE, "i 5 minuter "),
            (2 * HOUR, "i 2 timmar "),
        ],
    ),
    (
        "tr",
        &[
            (1, "Kod 1 saniye "),
            (5 * MINUTE, "Kod 5 dakika "),
            (2 * HOUR, "Kod 2 saat "),
        ],
    ),
    (
        "uk",
        &[
            (1, "діє 1 секунду,"),
            (45, "діє 45 секунд,"),
            (3 * MINUTE, "діє 3 хвилини,"),
            (12 * MINUTE, "діє 12 хвилин,"),
            (31 * MINUTE, "діє 31 хвилину,"),
            (21 * HOUR, "діє 21 годину,"),
            (24 * HOUR, "діє 24 години,"),
        ],
    ),
    (
        "vi",
        &[
            (1, "trong 1 giây "),
            (5 * MINUTE, "trong 5 phút "),
            (2 * HOUR, "trong 2 giờ "),
        ],
    ),
    (
        "zh-Hans",
        &[
            (45, " 45 秒内"),
            (5 * MINUTE, " 5 分钟内"),
            (2 * HOUR, " 2 小时内"),
        ],
    ),
    (
        "zh-Hant",
        &[
            (45, " 45 秒內"),
            (5 * MINUTE, " 5 分鐘內"),
            (2 * HOUR, " 2 小時內"),
        ],
    ),
];

#[test]
fn the_lifetime_is_right_in_every_plural_form() {
    let tags = every_letter().into_iter().map(|letter| letter.language);
    let mut tags: Vec<_> = tags.collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags, LIFETIMES.map(|(tag, _)| Language::new(tag)));

    for letter in every_letter() {
        let tag = letter.language.as_str();
        let (_, lifetimes) = LIFETIMES.iter().find(|(one, _)| *one == tag).unwrap();
        for (secs, phrase) in *lifetimes {
            let letter = Letter {
                expires_at: letter.now.plus_secs(*secs),
                ..letter.clone()
            };
            let message = message(&letter);
            for part in [&message.text, &message.html] {
                assert!(part.contains(phrase), "{tag}, {secs} s: {part}");
            }
        }
    }
}

/// A detector knows no others, and neither does a form that takes the code.
#[test]
fn digits_are_ascii() {
    for letter in every_letter() {
        let message = message(&letter);
        for part in [&message.subject, &message.text, &message.html] {
            let foreign = part
                .chars()
                .find(|character| character.is_numeric() && !character.is_ascii());
            assert_eq!(foreign, None, "{part}");
        }
    }
}
