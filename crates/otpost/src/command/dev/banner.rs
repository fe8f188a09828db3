//! What the terminal says at the start of a development run.

use std::fmt;

use otpost_service::Policy;

use super::data::Data;
use super::env_file::DevKeys;
use crate::settings::{PEER, Settings, quotas};

/// All that a newcomer needs.
pub(super) struct Banner<'a> {
    pub(super) url: String,
    pub(super) keys: &'a DevKeys,
    pub(super) data: &'a Data,
    pub(super) settings: &'a Settings,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url,
            keys,
            data,
            settings,
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
  Templates   {url}/dev/templates
  Sign-in     {url}/dev/try
  Live key    {live}
  Test key    {test}
              (its code is always 424242)
  Data        {folder}
  In a shell  . {env_file}
  Limits      {}

Try it:

  curl -X POST {url}/api/v1/otp/send \\
    -H \"Authorization: Bearer {live}\" \\
    -H \"Content-Type: application/json\" \\
    -d '{{\"email\": \"user@example.com\"}}'

Stop with ctrl-c.
",
            limits(settings).join("\n              ")
        )
    }
}

/// Which limits are on, which are off, and what else bounds a session: in lines.
fn limits(settings: &Settings) -> Vec<String> {
    let names = |policy: &Policy| quotas(&policy.limits);
    let general = names(&settings.policy);
    let peer = (PEER, settings.peer_limit.quota());
    let all: Vec<_> = general.into_iter().chain([peer]).collect();
    let on: Vec<_> = all.iter().filter(|(_, quota)| *quota > 0).collect();
    let mut lines = vec![match on.len() {
        0 => "all limits.* are off here".to_owned(),
        count => format!(
            "{} limits.* are off here; on, for they are set:",
            all.len() - count
        ),
    }];
    lines.extend(on.iter().map(|(name, quota)| format!("  {name} = {quota}")));
    for (project, own) in &settings.projects {
        let differ = names(&own.policy).into_iter().zip(general);
        let differ = differ.filter(|(own, general)| own != general);
        lines.extend(differ.map(|((name, quota), _)| match quota {
            0 => format!("  projects.{project}: {name} is off"),
            _ => format!("  projects.{project}: {name} = {quota}"),
        }));
    }
    let seconds = settings.policy.session_cooldown;
    lines.push(format!("a session waits {seconds} s between two mails;"));
    lines.push("wrong codes of an address narrow its sessions, as in production".to_owned());
    lines
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
