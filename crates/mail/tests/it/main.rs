//! Messages, couriers and the inbox, from outside.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail their test by a panic"
)]

mod capture;
mod detector;
mod languages;
mod messages;
mod smtp;
mod smtp_failover;
mod smtp_fairness;
mod smtp_faults;
mod templates;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use otpost_domain::Language;
use otpost_mail::{
    Footer, Mailbox, Message, Patience, Product, Reading, RelaySettings, Renderer, Sender, Senders,
    SmtpCourier, Tone,
};
use otpost_ports::Letter;
use otpost_testkit::relay::Relay;
use otpost_testkit::sample;

/// The default sender; that of the project `books` with letters beyond ASCII, that of `friends`,
/// who say *du*, and that of `long`, whose product has twelve letters.
fn renderer() -> Arc<Renderer> {
    static RENDERER: LazyLock<Arc<Renderer>> = LazyLock::new(|| {
        let sender = |mailbox, product| Sender {
            mailbox: Mailbox::parse(mailbox).unwrap(),
            product: Product::parse(product).unwrap(),
            tone: Tone::Formal,
            footer: BTreeMap::new(),
            templates: None,
        };
        let footer = Footer::parse("Bücher & Söhne GmbH\nAmtsgericht Köln HRB 1").unwrap();
        let acme = sender("no-reply@acme.example", "Acme");
        let books = Sender {
            footer: BTreeMap::from([(Language::new("de"), footer)]),
            ..sender("Bücher & Söhne <code@bücher.example>", "Bücher & Söhne")
        };
        let friends = Sender {
            tone: Tone::Informal,
            ..acme.clone()
        };
        let long = sender("a@b.example", "Twelveletter");
        let projects = [("books", books), ("friends", friends), ("long", long)]
            .map(|(name, sender)| (sample::project(name), sender));
        let senders = Senders {
            default: acme,
            projects: BTreeMap::from(projects),
        };
        Arc::new(Renderer::new(senders, Reading::Once).unwrap())
    });
    Arc::clone(&RENDERER)
}

/// A letter of each template in each language, and in German to friends.
fn every_letter() -> Vec<Letter> {
    let renderer = renderer();
    let (templates, languages) = (renderer.templates(), renderer.languages());
    assert_eq!((templates.len(), languages.len()), (3, 30));
    let formal = languages.into_iter().map(|language| (language, "shop"));
    formal
        .chain([(Language::new("de"), "friends")])
        .flat_map(|(language, project)| {
            templates.iter().map(move |template| {
                let mut letter = sample::letter(0, "482913");
                letter.owner.project = sample::project(project);
                letter.language = language.clone();
                letter.template = template.clone();
                letter
            })
        })
        .collect()
}

fn message(letter: &Letter) -> Message {
    renderer().message(letter).unwrap()
}

fn with_variables<const N: usize>(letter: Letter, variables: [(&str, &str); N]) -> Letter {
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Letter {
        variables: BTreeMap::from(variables),
        ..letter
    }
}

/// How `relay` is used, its authority trusted. Whoever does not answer is waited for a second.
fn settings(relay: &Relay) -> RelaySettings {
    let second = Duration::from_secs(1);
    RelaySettings {
        ca_pem: Some(relay.ca_pem().into()),
        patience: Patience {
            open: 3 * second,
            reply: second,
            verdict: second,
        },
        ..RelaySettings::from_url(&relay.url()).unwrap()
    }
}

fn courier<const N: usize>(relays: [&Relay; N]) -> SmtpCourier {
    let relays = relays.map(settings).to_vec();
    SmtpCourier::new(renderer(), relays).unwrap()
}

/// The contrast (WCAG 2.2, 1.4.3) of the text and background colours in CSS declarations.
/// `None` where neither is set; a text colour without its background is an error.
fn contrast(css: &str) -> Option<f64> {
    let value = |wanted: &str| {
        css.split(['{', ';', '}']).find_map(|declaration| {
            let (name, value) = declaration.split_once(':')?;
            let value = value.replace("!important", "");
            (name.trim() == wanted).then(|| luminance(value.trim()))
        })
    };
    match (value("color"), value("background-color")) {
        (Some(text), Some(ground)) => {
            let (light, dark) = (text.max(ground), text.min(ground));
            Some((light + 0.05) / (dark + 0.05))
        }
        (None, None) => None,
        _ => panic!("text and background colours come together: {css}"),
    }
}

fn luminance(color: &str) -> f64 {
    let digits = color.strip_prefix('#').unwrap();
    assert_eq!(digits.len(), 6, "{color}");
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
