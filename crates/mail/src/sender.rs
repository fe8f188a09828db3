//! Who a message is from: address, product and footer, for the installation and for projects.

use std::collections::BTreeMap;
use std::path::PathBuf;

use otpost_domain::{Address, AddressError, Language, ProjectName};

/// Why a sender is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// It is no address, also not one in angle brackets after a name.
    #[error("the sender must be an address such as `Acme <no-reply@acme.example>`: {0}")]
    Address(AddressError),
    /// A control character stands where a reader sees it.
    #[error("the {0} must be a text without control characters")]
    Control(&'static str),
    /// The product has no name.
    #[error("the product needs a name")]
    NoProduct,
}

/// An address to send from, with or without a name to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: Address,
}

impl Mailbox {
    /// Reads `no-reply@acme.example` or `Acme <no-reply@acme.example>`.
    ///
    /// # Errors
    ///
    /// [`SenderError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        let text = text.trim();
        let (name, address) = match text
            .strip_suffix('>')
            .and_then(|rest| rest.rsplit_once('<'))
        {
            Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
            None => ("", text),
        };
        check(name, "sender's name")?;
        Ok(Self {
            name: (!name.is_empty()).then(|| name.to_owned()),
            address: Address::parse(address).map_err(SenderError::Address)?,
        })
    }

    /// The bare address.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

/// The name of what a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product(String);

impl Product {
    /// Reads a name, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`SenderError::NoProduct`], [`SenderError::Control`].
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        let name = text.trim();
        if name.is_empty() {
            return Err(SenderError::NoProduct);
        }
        check(name, "product")?;
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of this very program.
impl Default for Product {
    fn default() -> Self {
        Self("otpost".to_owned())
    }
}

/// What the law wants below a business letter (§ 35a of the German `GmbHG` and the like).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer(Vec<String>);

impl Footer {
    /// Reads a text of one or more lines, without the white space around them.
    ///
    /// # Errors
    ///
    /// [`SenderError::Control`].
    pub fn parse(text: &str) -> Result<Self, SenderError> {
        let lines = text.trim().lines().map(str::trim);
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.iter().try_for_each(|line| check(line, "footer"))?;
        Ok(Self(lines))
    }
}

/// How a message speaks to its reader, in a language that makes a difference: German *Sie* or
/// *du*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As one speaks to a stranger.
    #[default]
    Formal,
    /// As one speaks to a friend.
    Informal,
}

/// What readers know a message by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Where messages come from.
    pub mailbox: Mailbox,
    /// What they are about.
    pub product: Product,
    /// How they speak.
    pub tone: Tone,
    /// What stands below them, by language.
    pub footer: BTreeMap<Language, Footer>,
    /// The folder of texts and layouts of one's own; `None`: all is as built in.
    pub templates: Option<PathBuf>,
}

impl Sender {
    pub(crate) const fn address(&self) -> &Address {
        &self.mailbox.address
    }

    /// The name beside the address: the mailbox's own, else the product.
    pub(crate) fn display_name(&self) -> &str {
        self.mailbox.name.as_deref().unwrap_or(&self.product.0)
    }

    pub(crate) fn product(&self) -> &str {
        &self.product.0
    }

    /// One element a line. Tags are compared as they are meant, whatever their case (RFC 5646,
    /// 2.1.1): a name in the environment has none.
    pub(crate) fn footer(&self, language: &Language) -> &[String] {
        let wanted = language.as_str();
        let mut footers = self.footer.iter();
        footers
            .find(|(tag, _)| tag.as_str().eq_ignore_ascii_case(wanted))
            .map_or(&[], |(_, footer)| footer.0.as_slice())
    }
}

/// The sender of the installation, and those of projects that have their own.
#[derive(Clone, Debug)]
pub struct Senders {
    /// For every project that has none.
    pub default: Sender,
    /// Whole senders: nothing is taken from `default`.
    pub projects: BTreeMap<ProjectName, Sender>,
}

fn check(text: &str, what: &'static str) -> Result<(), SenderError> {
    if text.chars().any(char::is_control) {
        Err(SenderError::Control(what))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_an_address_with_or_without_a_name() {
        for (text, name, address) in [
            ("no-reply@acme.example", None, "no-reply@acme.example"),
            ("<no-reply@acme.example>", None, "no-reply@acme.example"),
            (
                "Acme <no-reply@Acme.example>",
                Some("Acme"),
                "no-reply@acme.example",
            ),
            (
                " \"Acme, Inc.\" <a@b.example> ",
                Some("Acme, Inc."),
                "a@b.example",
            ),
            (
                "Bücher <a@bücher.example>",
                Some("Bücher"),
                "a@xn--bcher-kva.example",
            ),
        ] {
            let mailbox = Mailbox::parse(text).unwrap();
            assert_eq!(mailbox.name.as_deref(), name, "{text}");
            assert_eq!(mailbox.address().as_str(), address, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "Acme",
            "a@b.example, c@d.example",
            "Acme <a@b.example> x",
            "A\r\nBcc: x <a@b.example>",
            "A\u{0} <a@b.example>",
        ] {
            assert!(Mailbox::parse(text).is_err(), "{text:?}");
        }
        for product in ["", " "] {
            assert_eq!(Product::parse(product), Err(SenderError::NoProduct));
        }
        for product in ["A\nB", "A\u{7f}"] {
            assert_eq!(
                Product::parse(product),
                Err(SenderError::Control("product"))
            );
        }
        let footer = Footer::parse("a\nb\u{1b}c");
        assert_eq!(footer, Err(SenderError::Control("footer")));
    }

    #[test]
    fn a_footer_is_found_by_its_language_in_any_case() {
        let footer = Footer::parse("\nAcme GmbH\n  HRB 1  \n").unwrap();
        let sender = Sender {
            mailbox: Mailbox::parse("a@b.example").unwrap(),
            product: Product::parse(" Acme ").unwrap(),
            tone: Tone::default(),
            footer: BTreeMap::from([(Language::new("zh-hant"), footer)]),
            templates: None,
        };
        assert_eq!(sender.product(), "Acme");
        assert_eq!(
            sender.footer(&Language::new("zh-Hant")),
            ["Acme GmbH", "HRB 1"]
        );
        assert!(sender.footer(&Language::new("zh")).is_empty());
    }
}
