//! `otpost init`

use std::io::ErrorKind;
use std::path::Path;

use secrecy::ExposeSecret as _;

use super::secrets::NewSecrets;
use crate::{Failure, private_file, say};

/// The commented configuration; its keys are examples, which every start refuses.
const EXAMPLE: &str = include_str!("../../../../config/otpost.example.toml");
const EXAMPLE_MASTER_KEY: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const EXAMPLE_INDEX_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

pub(super) fn run(output: &Path) -> Result<(), Failure> {
    let secrets = NewSecrets::draw(1)?;
    let text = EXAMPLE
        .replace(EXAMPLE_MASTER_KEY, secrets.master_key.expose_secret())
        .replace(EXAMPLE_INDEX_KEY, secrets.index_key.expose_secret());
    let place = output.display();
    private_file::create(output, &text).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => format!("{place} exists, and is not overwritten"),
        _ => format!("{place} cannot be written: {error}"),
    })?;
    let config = match output.to_str() {
        Some("otpost.toml" | "./otpost.toml") => String::new(),
        _ => format!(" --config {place}"),
    };
    say(&format!(
        "{place} is written, with fresh secrets: keep a copy of them in a safe place.\n\
         \n\
         Next:\n\
         \n\
         \x20 1. Set mail.from and mail.relays in it.\n\
         \x20 2. otpost{config} check-config\n\
         \x20 3. otpost{config} send-test-mail --to you@example.com\n\
         \x20 4. otpost{config} project create my-app\n\
         \x20 5. otpost{config} key create --project my-app\n\
         \x20 6. otpost{config} serve"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_holds_the_example_keys_once_each() {
        for key in [EXAMPLE_MASTER_KEY, EXAMPLE_INDEX_KEY] {
            assert_eq!(EXAMPLE.matches(key).count(), 1, "{key}");
        }
    }
}
