//! `[secrets]`: the keys that codes, digests and seals stand on.

use secrecy::SecretString;

use super::reader::Reader;

/// The keys as they are configured; whether they are good ones is judged where they are used.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    /// Each `NUMBER:BASE64`.
    pub(crate) master_keys: Vec<SecretString>,
    /// The number of the key for new sessions.
    pub(crate) active_key: Option<u32>,
    /// Base64.
    pub(crate) index_key: Option<SecretString>,
}

impl Secrets {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self {
            master_keys: reader.secrets("secrets.master_keys").unwrap_or_default(),
            active_key: reader.number("secrets.active_key"),
            index_key: reader.secret("secrets.index_key"),
        }
    }
}
