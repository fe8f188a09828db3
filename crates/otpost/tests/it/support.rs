//! What every test needs: the program as a child process, a client, and a folder.

mod api;
pub(crate) mod callers;
mod database;
mod engine;
mod http;
pub(crate) mod nodes;
mod process;
mod service;
mod storm;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use otpost_cluster::Database;

pub(crate) use api::{Api, wrong};
pub(crate) use database::Scan;
pub(crate) use engine::on_both;
pub(crate) use http::{Answer, Client};
pub(crate) use process::{Otpost, Program};
pub(crate) use service::Service;
pub(crate) use storm::{Asked, storm, storm_on};

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that is the working directory of every program that a test starts.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    /// Where it is not a file in the folder.
    database: Option<Database>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.join(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.join(name), text).unwrap();
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(self.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    }

    /// The program with these words, not started yet.
    pub(crate) fn otpost(&self, words: &[&str]) -> Program {
        Program::new(self.path(), words)
    }

    /// Standard output of a command that must succeed, without the last line end.
    pub(crate) fn output_of(&self, words: &[&str]) -> String {
        let ended = self.otpost(words).run();
        assert!(ended.is_success, "{words:?}: {}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// Writes `otpost.toml` by `otpost init`, for a server on a free port that mails over
    /// `relays` (TOML), on the database of this place.
    pub(crate) fn init(&self, relays: &str) {
        self.output_of(&["init"]);
        let file = "sqlite://otpost.db?mode=rwc";
        let url = self.database.as_ref().map_or(file, Database::url);
        let example = self.read("otpost.toml");
        let text = example
            .replace(file, url)
            .replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace(r#"["smtp://127.0.0.1:25"]"#, relays)
            .replace(
                r#"from = "otpost <no-reply@example.com>""#,
                r#"from = "no-reply@acme.example""#,
            );
        assert!(
            [url, relays, "acme.example"]
                .iter()
                .all(|set| text.contains(set)),
            "{text}"
        );
        self.write("otpost.toml", &text);
    }

    /// Creates the project `shop` and a key of it with these further words.
    pub(crate) fn key(&self, words: &[&str]) -> String {
        self.key_of("shop", words)
    }

    /// As [`Place::key`], of another project.
    pub(crate) fn key_of(&self, project: &str, words: &[&str]) -> String {
        let ended = self.otpost(&["project", "create", project]).run();
        assert!(
            ended.is_success || ended.stderr.contains("already"),
            "{}",
            ended.stderr
        );
        let words = [&["key", "create", "--project", project], words].concat();
        self.output_of(&words)
    }
}

/// The value of `name` in a file of `NAME=VALUE` lines.
pub(crate) fn value_of(text: &str, name: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
        .to_owned()
}

/// The first line of the text of a message that is `length` digits and nothing else.
pub(crate) fn code_in(message: &[u8], length: usize) -> String {
    let parsed = mail_parser::MessageParser::default().parse(message);
    let parsed = parsed.unwrap();
    let text = parsed.body_text(0).unwrap();
    let is_code = |line: &&str| line.len() == length && line.bytes().all(|b| b.is_ascii_digit());
    let code = text.lines().find(is_code);
    code.unwrap_or_else(|| panic!("no code in {text}"))
        .to_owned()
}

/// Asks `found` again and again until it finds something.
pub(crate) async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
