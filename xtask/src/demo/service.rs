//! The product in the demo: configured, given a project and a key, and served.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::relay::Relay;
use crate::background::Background;
use crate::http::{self, Answer};
use crate::problem::{Outcome, Problem};
use crate::process::{read, write};

/// A debug build that makes its database is ready well within this.
const START: Duration = Duration::from_mins(1);

/// The service, as long as this value lives.
pub(super) struct Service {
    pub(super) base: String,
    key: String,
    log: PathBuf,
    process: Background,
}

impl Service {
    /// Does what an operator does: secrets, configuration, project, key, `serve`.
    pub(super) fn start(binary: &Path, folder: &Path, relay: &Relay) -> Outcome<Self> {
        let otpost = |words: &str| {
            let words = words.split_whitespace();
            read(Command::new(binary).args(words).current_dir(folder))
        };
        let secrets = otpost("secrets new")?;
        write(
            &folder.join("otpost.toml"),
            &configuration(section(&secrets), relay),
        )?;
        otpost("check-config")?;
        otpost("project create demo")?;
        let key = otpost("key create --project demo")?.trim().to_owned();

        let log = folder.join("otpost.log");
        let mut process = Background::start("otpost", binary, ["serve"], folder, &log)?;
        let base = process.until("/readyz", START, |said| {
            let base = said.lines().find_map(address)?;
            let answer = http::request(&base, "/readyz", None, None).ok()?;
            (answer.status == 200).then_some(base)
        })?;
        Ok(Self {
            base,
            key,
            log,
            process,
        })
    }

    /// A POST to an endpoint of the API.
    pub(super) fn post(&self, endpoint: &str, body: &Value) -> Outcome<Answer> {
        http::request(
            &self.base,
            &format!("/api/v1/otp/{endpoint}"),
            Some(&self.key),
            Some(body),
        )
    }

    /// A GET of an endpoint of the API.
    pub(super) fn get(&self, endpoint: &str) -> Outcome<Answer> {
        http::request(
            &self.base,
            &format!("/api/v1/otp/{endpoint}"),
            Some(&self.key),
            None,
        )
    }

    /// Asks the service to stop, and waits for its last word.
    pub(super) fn stop(self) -> Outcome {
        drop(self.process);
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        if said
            .lines()
            .filter_map(message)
            .any(|message| message == "stopped")
        {
            return Ok(());
        }
        Err(Problem::new(
            "otpost did not stop in order",
            format!("it said:\n{said}"),
        ))
    }
}

fn configuration(secrets: &str, relay: &Relay) -> String {
    format!(
        "\
[server]
listen = \"127.0.0.1:0\"

[mail]
from = \"Demo <no-reply@demo.example>\"
product = \"Demo\"

[[mail.relays]]
url = \"smtp+starttls://{}@localhost:{}\"
ca_file = \"{}\"

[log]
format = \"json\"

{secrets}",
        Relay::credentials(),
        relay.port,
        relay.authority.display(),
    )
}

/// The section of the configuration file in what `otpost secrets new` prints.
fn section(printed: &str) -> &str {
    let begin = printed.find("[secrets]").unwrap_or(printed.len());
    let section = &printed[begin..];
    section.find("\n\n").map_or(section, |end| &section[..=end])
}

/// Where the service listens, when this line of its log says so.
fn address(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    (event["message"] == "listening")
        .then(|| Some(format!("http://{}", event["address"].as_str()?)))?
}

fn message(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    Some(event["message"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_ends_before_what_is_meant_for_the_environment() {
        let printed = "# a\n[secrets]\nactive_key = 1\n\n# Or in the environment:\nOTPOST_X=1\n";

        assert_eq!(section(printed), "[secrets]\nactive_key = 1\n");
    }

    #[test]
    fn the_address_is_in_the_line_that_says_listening() {
        let line = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:9"}"#;

        assert_eq!(address(line).as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!(address(r#"{"message":"stopped"}"#), None);
        assert_eq!(address("thread panicked"), None);
    }
}
