//! `[mail]`: how mails look and where they go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::{Value, ValueKind};
use otpost_domain::Language;
use otpost_mail::{Footer, Mailbox, Product, Tone};
use secrecy::SecretString;

use super::known::{Kind, RELAY_MEMBERS};
use super::layers::in_words;
use super::problem::Origin;
use super::reader::Reader;

const RELAYS: &str = "mail.relays";

/// How mails look, for all projects or for one.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// The sender.
    pub(crate) from: Option<Mailbox>,
    /// The name of the product.
    pub(crate) product: Product,
    /// The language where a request names none that there is.
    pub(crate) locale: Language,
    /// How it speaks.
    pub(crate) tone: Tone,
    /// What stands below a mail, by language, its tag in lower case.
    pub(crate) footer: BTreeMap<Language, Footer>,
    /// The folder of texts and layouts of one's own.
    pub(crate) templates: Option<PathBuf>,
}

/// One relay as it is configured.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    /// Its URL, which may hold a password.
    pub(crate) url: SecretString,
    /// The password of the URL's user, where it is not in the URL.
    pub(crate) password: Option<SecretString>,
    /// Connections at a time.
    pub(crate) max_connections: Option<u32>,
    /// Messages a second.
    pub(crate) max_per_second: Option<u32>,
    /// A PEM file of authorities that are trusted for this relay.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Settings of mail.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// How mails look, unless a project says otherwise.
    pub(crate) sending: Sending,
    /// The relays, the preferred first.
    pub(crate) relays: Vec<Relay>,
}

impl Sending {
    /// What stands below `prefix`; what is not set there is as in `base`.
    pub(crate) fn read(reader: &mut Reader, prefix: &str, base: &Self) -> Self {
        let path = |name: &str| format!("{prefix}{name}");
        let from = reader.parsed(&path("from"), Mailbox::parse);
        let product = reader.parsed(&path("product"), Product::parse);
        let locale = reader.parsed(&path("locale"), locale);
        let tone = reader.choice(&path("tone")).map(|word| match word {
            "informal" => Tone::Informal,
            _ => Tone::Formal,
        });
        let mut footer = base.footer.clone();
        footer.extend(footers(reader, &path("footer")));
        let templates = reader.text(&path("templates"));
        let templates = match templates.as_deref() {
            None => base.templates.clone(),
            Some("") => None,
            Some(folder) => Some(PathBuf::from(folder)),
        };
        Self {
            from: from.or_else(|| base.from.clone()),
            product: product.unwrap_or_else(|| base.product.clone()),
            locale: locale.unwrap_or_else(|| base.locale.clone()),
            tone: tone.unwrap_or(base.tone),
            footer,
            templates,
        }
    }
}

impl Mail {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let base = Sending {
            from: None,
            product: Product::default(),
            locale: Language::new("en"),
            tone: Tone::default(),
            footer: BTreeMap::new(),
            templates: None,
        };
        Self {
            sending: Sending::read(reader, "mail.", &base),
            relays: relays(reader),
        }
    }
}

fn footers(reader: &mut Reader, section: &str) -> BTreeMap<Language, Footer> {
    let mut footers = BTreeMap::new();
    for tag in reader.members(section) {
        let path = format!("{section}.{tag}");
        let text = reader.parsed(&path, Footer::parse);
        match (locale(&tag.to_lowercase()), text) {
            (Ok(language), Some(text)) => {
                footers.insert(language, text);
            }
            (Ok(_), None) => {}
            (Err(error), _) => reader.refuse(&path, format!("is refused: {error}")),
        }
    }
    footers
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
        let known = RELAY_MEMBERS.iter().map(|member| member.path);
        if !known.clone().any(|known| known == name) {
            let distance = |known: &&str| strsim::damerau_levenshtein(known, &name);
            let nearest = known.min_by_key(distance).unwrap_or_default();
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
    let mut number = |name: &str| {
        let number = match table.remove(name)?.kind {
            ValueKind::I64(number) => u32::try_from(number).ok(),
            _ => None,
        };
        let kind = RELAY_MEMBERS
            .iter()
            .find(|member| member.path == name)?
            .kind;
        match (number, kind) {
            (Some(number), Kind::Number(least, most)) if (least..=most).contains(&number) => {
                Some(number)
            }
            _ => {
                let takes = in_words(kind);
                reader.refuse(RELAYS, format!("[{place}].{name} must be {takes}"));
                None
            }
        }
    };
    let (max_connections, max_per_second) = (number("max_connections"), number("max_per_second"));
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
