//! Who a message is from: address, product and footer, for the installation and for projects.

use std::collections::BTreeMap;

use otpost_domain::{Address, AddressError, Language, ProjectName};

/// Why a sender is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// It is no address, also not one in angle brackets after a name.
    #[error("the sender must be an address such as `Acme <no-reply@acme.example>`: {0}")]
    Address(AddressError),
    /// A name or a footer holds a control character, or the product has no name.
    #[error("the {0} must be a text without control characters, and not empty")]
    Text(&'static str),
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

/// What readers know a message by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    mailbox: Mailbox,
    product: String,
    footer: BTreeMap<Language, Vec<String>>,
}

impl Sender {
    /// A sender of messages about `product`. `footer` is what the law wants below a business
    /// letter (§ 35a of the German `GmbHG` and the like), by language, and may have several lines.
    ///
    /// # Errors
    ///
    /// [`SenderError::Text`].
    pub fn new(
        mailbox: Mailbox,
        product: &str,
        footer: &BTreeMap<Language, String>,
    ) -> Result<Self, SenderError> {
        let product = product.trim();
        if product.is_empty() {
            return Err(SenderError::Text("product"));
        }
        check(product, "product")?;
        let lines = |(language, text): (&Language, &String)| {
            let lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
            lines.iter().try_for_each(|line| check(line, "footer"))?;
            Ok((language.clone(), lines))
        };
        Ok(Self {
            mailbox,
            product: product.to_owned(),
            footer: footer.iter().map(lines).collect::<Result<_, _>>()?,
        })
    }

    /// Where messages come from.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.mailbox.address
    }

    /// The name beside the address: the mailbox's own, else the product.
    pub(crate) fn display_name(&self) -> &str {
        self.mailbox.name.as_deref().unwrap_or(&self.product)
    }

    pub(crate) fn product(&self) -> &str {
        &self.product
    }

    pub(crate) fn footer(&self, language: &Language) -> &[String] {
        self.footer.get(language).map_or(&[], Vec::as_slice)
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

impl Senders {
    /// The sender of `project`.
    #[must_use]
    pub fn of(&self, project: &ProjectName) -> &Sender {
        self.projects.get(project).unwrap_or(&self.default)
    }
}

fn check(text: &str, what: &'static str) -> Result<(), SenderError> {
    if text.chars().any(char::is_control) {
        Err(SenderError::Text(what))
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
        let mailbox = Mailbox::parse("a@b.example").unwrap();
        for product in ["", " ", "A\nB", "A\u{7f}"] {
            let sender = Sender::new(mailbox.clone(), product, &BTreeMap::new());
            assert_eq!(sender, Err(SenderError::Text("product")), "{product:?}");
        }
        let footer = BTreeMap::from([(Language::new("en"), "a\u{1b}b".to_owned())]);
        let sender = Sender::new(mailbox, "Acme", &footer);
        assert_eq!(sender, Err(SenderError::Text("footer")));
    }
}
