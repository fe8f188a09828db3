//! What the terminal says at the start of a development run.

use std::fmt;

use super::data::Data;
use super::env_file::DevKeys;

/// All that a newcomer needs.
pub(super) struct Banner<'a> {
    pub(super) url: String,
    pub(super) keys: &'a DevKeys,
    pub(super) data: &'a Data,
    pub(super) cooldown_secs: u32,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            keys,
            data,
            cooldown_secs,
        } = self;
        let (live, test) = (keys.live.reveal(), keys.test.reveal());
        let version = env!("CARGO_PKG_VERSION");
        let folder = shown(&data.folder().display().to_string());
        let env_file = shown(&data.env_file().display().to_string());
        write!(
            f,
            "
otpost {version}, a development run: messages are captured, nothing is mailed.

  API         {url}/api/v1/otp
  Inbox       {url}/dev/inbox
  Live key    {live}
  Test key    {test}
              (its code is always 424242)
  Data        {folder}
  In a shell  . {env_file}
  Limits      all limits.* are off, also those that are set: they are not enforced yet;
              a session still waits {cooldown_secs} s between two mails

Try it:

  curl -X POST {url}/api/v1/otp/send \\
    -H \"Authorization: Bearer {live}\" \\
    -H \"Content-Type: application/json\" \\
    -d '{{\"email\": \"user@example.com\"}}'

Stop with ctrl-c.
"
        )
    }
}

/// A path as a shell takes it.
fn shown(path: &str) -> String {
    let is_relative = !path.starts_with(['/', '.']);
    let path = if is_relative {
        format!("./{path}")
    } else {
        path.to_owned()
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.+:@%".contains(&byte);
    if path.bytes().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_pasted() {
        for (path, pasted) in [
            ("otpost-data", "./otpost-data"),
            ("../x", "../x"),
            ("/tmp/x", "/tmp/x"),
            ("my data", "'./my data'"),
            ("it's", r"'./it'\''s'"),
        ] {
            assert_eq!(shown(path), pasted, "{path}");
        }
    }
}
