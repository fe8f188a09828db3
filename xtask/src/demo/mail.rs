//! What arrived, as Python's own mail parser reads it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::relay::Tools;
use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::read;

/// One message, decoded.
pub(super) struct Mail {
    pub(super) count: u64,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) html: String,
    text: String,
}

/// The newest message of a Maildir, and how many there are.
pub(super) fn newest(tools: &Tools, maildir: &Path) -> Outcome<Mail> {
    let script = environment::root().join("xtask/demo/read_mail.py");
    let json = read(Command::new(&tools.python).arg(script).arg(maildir))?;
    let mail: Value = serde_json::from_str(&json).unwrap_or_default();
    let word = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
    Ok(Mail {
        count: mail["count"].as_u64().unwrap_or_default(),
        to: word("to"),
        subject: word("subject"),
        html: word("html"),
        text: word("text"),
    })
}

impl Mail {
    /// The code stands alone on a line of the text part.
    pub(super) fn code(&self) -> Outcome<String> {
        code(&self.text).ok_or_else(|| {
            Problem::new(
                "the message has no line with nothing but a code",
                format!("its text part was:\n{}", self.text),
            )
        })
    }
}

fn code(text: &str) -> Option<String> {
    let is_code = |line: &&str| {
        (4..=8).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.lines().map(str::trim).find(is_code).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_line_that_is_nothing_else() {
        assert_eq!(
            code("Within 10 minutes:\n\n012345\n\nBye").as_deref(),
            Some("012345")
        );
    }

    #[test]
    fn numbers_within_a_sentence_are_no_code() {
        assert_eq!(code("Valid for 1234 seconds\n123\n"), None);
    }
}
