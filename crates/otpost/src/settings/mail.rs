//! `[mail]`: how mails look and where they go.

use std::path::PathBuf;

use config::{Value, ValueKind};
use otpost_domain::Language;
use otpost_mail::Mailbox;
use secrecy::SecretString;

use super::known::RELAY_MEMBERS;
use super::problem::Origin;
use super::reader::Reader;

const RELAYS: &str = "mail.relays";
/// Highest value of each number of a relay.
const MAX_CONNECTIONS: (&str, u32) = ("max_connections", 64);
const MAX_PER_SECOND: (&str, u32) = ("max_per_second", 1000);

/// How mails look, for all projects or for one.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The sender.
    pub from: Option<Mailbox>,
    /// The name of the product.
    pub product: String,
    /// The language where a request names none that there is.
    pub locale: Language,
}

/// One relay as it is configured.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Its URL, which may hold a password.
    pub url: SecretString,
    /// The password of the URL's user, where it is not in the URL.
    pub password: Option<SecretString>,
    /// Connections at a time.
    pub max_connections: Option<u32>,
    /// Messages a second.
    pub max_per_second: Option<u32>,
    /// A PEM file of authorities that are trusted for this relay.
    pub ca_file: Option<PathBuf>,
}

/// Settings of mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// How mails look, unless a project says otherwise.
    pub sending: Sending,
    /// The relays, the preferred first.
    pub relays: Vec<Relay>,
}

impl Sending {
    /// What stands below `prefix`; what is not set there is as in `base`.
    pub(crate) fn read(reader: &mut Reader, prefix: &str, base: &Self) -> Self {
        let path = |name: &str| format!("{prefix}{name}");
        let from = reader.parsed(&path("from"), Mailbox::parse);
        let product = reader.parsed(&path("product"), product);
        let locale = reader.parsed(&path("locale"), locale);
        Self {
            from: from.or_else(|| base.from.clone()),
            product: product.unwrap_or_else(|| base.product.clone()),
            locale: locale.unwrap_or_else(|| base.locale.clone()),
        }
    }
}

impl Mail {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let base = Sending {
            from: None,
            product: "otpost".to_owned(),
            locale: Language::new("en"),
        };
        Self {
            sending: Sending::read(reader, "mail.", &base),
            relays: relays(reader),
        }
    }
}

fn product(text: &str) -> Result<String, &'static str> {
    let product = text.trim();
    if product.is_empty() || product.chars().any(char::is_control) {
        return Err("the product needs a name without control characters");
    }
    Ok(product.to_owned())
}

/// Whether there are messages in the language is judged where they are loaded.
fn locale(tag: &str) -> Result<Language, &'static str> {
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if tag.is_empty() || !tag.bytes().all(is_tag) {
        return Err("a locale is a BCP 47 tag, such as en or de");
    }
    Ok(Language::new(tag))
}

fn relays(reader: &mut Reader) -> Vec<Relay> {
    if let Some(file) = reader.secret_file(RELAYS) {
        let text = reader.file(RELAYS, &file).unwrap_or_default();
        return urls(&text);
    }
    let Some(value) = reader.value(RELAYS) else {
        return Vec::new();
    };
    match value.kind {
        ValueKind::String(text) if reader.origin(RELAYS) == Origin::Environment => urls(&text),
        ValueKind::Array(items) => items
            .into_iter()
            .enumerate()
            .filter_map(|(place, item)| relay(reader, place, item))
            .collect(),
        _ => {
            reader.refuse(
                RELAYS,
                "must be a list of URLs and tables; its value is not shown",
            );
            Vec::new()
        }
    }
}

fn urls(text: &str) -> Vec<Relay> {
    text.split_whitespace().map(bare).collect()
}

fn bare(url: &str) -> Relay {
    Relay {
        url: url.into(),
        password: None,
        max_connections: None,
        max_per_second: None,
        ca_file: None,
    }
}

fn relay(reader: &mut Reader, place: usize, item: Value) -> Option<Relay> {
    let mut table = match item.kind {
        ValueKind::String(url) => return Some(bare(&url)),
        ValueKind::Table(table) => table,
        _ => {
            reader.refuse(RELAYS, format!("[{place}] must be a URL or a table"));
            return None;
        }
    };
    let mut members: Vec<_> = table.keys().cloned().collect();
    members.sort_unstable();
    for name in members {
        if !RELAY_MEMBERS.iter().any(|(known, _)| *known == name) {
            let known: Vec<_> = RELAY_MEMBERS.iter().map(|(known, _)| *known).collect();
            let distance = |known: &&str| strsim::damerau_levenshtein(known, &name);
            let nearest = known
                .iter()
                .copied()
                .min_by_key(distance)
                .unwrap_or_default();
            let what = format!("[{place}].{name} is not a setting: did you mean {nearest}?");
            reader.refuse(RELAYS, what);
        }
    }
    let mut text = |name: &str| {
        if let ValueKind::String(text) = table.remove(name)?.kind {
            return Some(text);
        }
        reader.refuse(RELAYS, format!("[{place}].{name} must be a text"));
        None
    };
    let (url, password_file, ca_file) = (text("url"), text("password_file"), text("ca_file"));
    let mut number = |(name, most): (&str, u32)| {
        let number = match table.remove(name)?.kind {
            ValueKind::I64(number) => u32::try_from(number).ok(),
            _ => None,
        };
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() {
            reader.refuse(
                RELAYS,
                format!("[{place}].{name} must be a number from 1 to {most}"),
            );
        }
        number
    };
    let (max_connections, max_per_second) = (number(MAX_CONNECTIONS), number(MAX_PER_SECOND));
    let password = password_file.and_then(|file| reader.file(RELAYS, file.as_ref()));
    let Some(url) = url else {
        reader.refuse(RELAYS, format!("[{place}].url is not set"));
        return None;
    };
    Some(Relay {
        url: url.into(),
        password: password.map(SecretString::from),
        max_connections,
        max_per_second,
        ca_file: ca_file.map(PathBuf::from),
    })
}
