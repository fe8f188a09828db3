//! `[limits]`: how often things may happen, for all projects or for one.
//!
//! Every limit is read and checked here, so that a configuration is complete from the start. What
//! is checked is not counted yet.

use std::collections::BTreeMap;

use otpost_domain::Address;

use super::known::{Kind, SETTINGS};
use super::reader::Reader;

const SECTION: &str = "limits.";
const EXEMPT: &str = "exempt_recipients";

/// The limits that are set, whether by default or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// By name, such as `recipient_per_hour`: events in the time that the name says, 0 for no
    /// limit.
    pub(crate) by_name: BTreeMap<&'static str, u32>,
    /// Addresses and domains without recipient limits.
    pub(crate) exempt_recipients: Vec<String>,
}

impl Limits {
    /// The limits below `prefix`, which is empty or `projects.NAME.`; what is not set there is as
    /// in `base`.
    pub(crate) fn read(reader: &mut Reader, prefix: &str, base: &Self) -> Self {
        let mut limits = base.clone();
        let names = SETTINGS.iter().filter_map(|setting| {
            let name = setting.path.strip_prefix(SECTION)?;
            matches!(setting.kind, Kind::Number(..)).then_some(name)
        });
        for name in names {
            if let Some(number) = reader.number(&format!("{prefix}{SECTION}{name}")) {
                limits.by_name.insert(name, number);
            }
        }
        let path = format!("{prefix}{SECTION}{EXEMPT}");
        if let Some(recipients) = reader.list(&path) {
            for recipient in &recipients {
                if !is_address_or_domain(recipient) {
                    let what = "holds what is neither an address such as qa@example.com nor a \
                                domain such as example.com";
                    reader.refuse(&path, what);
                }
            }
            limits.exempt_recipients = recipients;
        }
        limits
    }
}

fn is_address_or_domain(text: &str) -> bool {
    Address::parse(text).is_ok() || Address::parse(&format!("any@{text}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exempt_recipient_is_an_address_or_a_domain() {
        for text in ["qa@example.com", "example.com"] {
            assert!(is_address_or_domain(text), "{text}");
        }
        for text in ["", "qa@", "@example.com", "*.example.com", "localhost"] {
            assert!(!is_address_or_domain(text), "{text}");
        }
    }
}
