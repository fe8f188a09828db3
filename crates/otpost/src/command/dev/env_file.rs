//! `dev.env`: where the server is and its keys, for shells and tests.

use std::path::Path;

use otpost_domain::ApiKey;

use crate::{Failure, private_file};

/// The keys of a development run.
pub(super) struct DevKeys {
    pub(super) live: ApiKey,
    pub(super) test: ApiKey,
}

/// The keys that an earlier run wrote down, as far as they can be read.
pub(super) fn read(path: &Path) -> (Option<ApiKey>, Option<ApiKey>) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let key = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.and_then(|value| ApiKey::parse(value.trim()))
    };
    (key("OTPOST_KEY"), key("OTPOST_TEST_KEY"))
}

pub(super) fn write(path: &Path, url: &str, keys: &DevKeys) -> Result<(), Failure> {
    let text = format!(
        "OTPOST_URL={url}\nOTPOST_KEY={}\nOTPOST_TEST_KEY={}\n",
        keys.live.reveal(),
        keys.test.reveal(),
    );
    let written = private_file::replace(path, &text);
    Ok(written.map_err(|error| format!("{} cannot be written: {error}", path.display()))?)
}
