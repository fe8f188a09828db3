//! `otpost secrets new`

use otpost_crypto::{OsEntropy, new_index_key, new_master_key};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Failure, say};

/// Fresh keys, as a configuration holds them.
pub(super) struct NewSecrets {
    /// `NUMBER:BASE64`
    pub(super) master_key: SecretString,
    /// Base64.
    pub(super) index_key: SecretString,
}

impl NewSecrets {
    pub(super) fn draw(number: u32) -> Result<Self, Failure> {
        let entropy = OsEntropy::new();
        Ok(Self {
            master_key: new_master_key(number, &entropy)?,
            index_key: new_index_key(&entropy)?,
        })
    }

    /// As a section of a configuration file.
    pub(super) fn toml(&self, number: u32) -> String {
        format!(
            "[secrets]\nmaster_keys = [\"{}\"]\nactive_key = {number}\nindex_key = \"{}\"\n",
            self.master_key.expose_secret(),
            self.index_key.expose_secret(),
        )
    }
}

pub(super) fn print_new(number: u32) -> Result<(), Failure> {
    let secrets = NewSecrets::draw(number)?;
    say(&format!(
        "# In the configuration file. To rotate, add the new master key to those that there are,\n\
         # on every node, and only then make it the active one. Never change the index key.\n\
         {}\n\
         # Or in the environment:\n\
         OTPOST_SECRETS__MASTER_KEYS={}\n\
         OTPOST_SECRETS__ACTIVE_KEY={number}\n\
         OTPOST_SECRETS__INDEX_KEY={}",
        secrets.toml(number),
        secrets.master_key.expose_secret(),
        secrets.index_key.expose_secret(),
    ))
}
