//! The program as a child process that does not outlive its test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Api, PATIENCE, value_of};

/// A program that is not started yet: without the environment of the test, but for what it sets.
pub(crate) struct Program {
    command: Command,
    folder: PathBuf,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) is_success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new(folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_otpost"));
        command
            .args(words)
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::null());
        Self {
            command,
            folder: folder.to_owned(),
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Ended {
        let output = self.command.output().unwrap();
        Ended {
            is_success: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it to an end that must be a failure, and shows what it says.
    pub(crate) fn refusal(self) -> String {
        let ended = self.run();
        assert!(!ended.is_success, "{}", ended.stdout);
        assert_eq!(ended.stdout, "", "a refusal goes to standard error");
        ended.stderr
    }

    /// Starts it, to run on.
    pub(crate) fn start(mut self) -> Otpost {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let stdout = self.folder.join(format!("stdout.{count}"));
        let stderr = self.folder.join(format!("stderr.{count}"));
        self.command.stdout(File::create(&stdout).unwrap());
        self.command.stderr(File::create(&stderr).unwrap());
        Otpost {
            child: self.command.spawn().unwrap(),
            stdout,
            stderr,
        }
    }
}

/// A program that runs. It is killed when this is dropped.
pub(crate) struct Otpost {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Otpost {
    /// Starts `otpost dev` in `folder` on a free port and waits until it serves. Its data are in
    /// `data`.
    pub(crate) fn dev(folder: &Path) -> Self {
        let words = ["dev", "--data", "data", "--listen", "127.0.0.1:0"];
        let otpost = Program::new(folder, &words).start();
        otpost.wait_for_banner();
        otpost
    }

    /// Starts `otpost serve` in `folder`, with the configuration there, and waits until it
    /// serves.
    pub(crate) fn serve(folder: &Path) -> Self {
        let otpost = Program::new(folder, &["serve"]).start();
        otpost.address();
        otpost
    }

    pub(crate) fn wait_for_banner(&self) -> String {
        self.wait_for(&self.stdout, |text| {
            text.contains("Stop with ctrl-c").then(|| text.into())
        })
    }

    /// Where `serve` says that it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.wait_for(&self.stderr, |text| {
            let (_, rest) = text.split_once("listening address=")?;
            rest.split_whitespace().next()?.parse().ok()
        })
    }

    /// As [`Otpost::address`], from a log of JSON.
    pub(crate) fn json_address(&self) -> SocketAddr {
        self.wait_for(&self.stderr, |text| {
            let (_, rest) = text.split_once(r#""address":""#)?;
            rest.split('"').next()?.parse().ok()
        })
    }

    /// The API of `serve` for this key.
    pub(crate) fn api(&self, key: &str) -> Api {
        Api::new(self.address(), key)
    }

    /// The API of `dev` in `folder` for its live key.
    pub(crate) fn dev_api(folder: &Path) -> Api {
        Self::dev_api_for(folder, "OTPOST_KEY")
    }

    /// The API of `dev` in `folder` for the key of this name.
    pub(crate) fn dev_api_for(folder: &Path, name: &str) -> Api {
        let text = std::fs::read_to_string(folder.join("data/dev.env")).unwrap();
        let url = value_of(&text, "OTPOST_URL");
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Api::new(address, &value_of(&text, name))
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    /// Kills it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn ask_to_end(&self) {
        let kill = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Asks it to end, and tells how and after which time it did.
    pub(crate) async fn terminate(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.ask_to_end();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            assert!(
                start.elapsed() < PATIENCE,
                "it does not end: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn wait_for<T>(&self, file: &Path, found: impl Fn(&str) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(file).unwrap();
            if let Some(found) = found(&text) {
                return found;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "it does not serve: {text} {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Otpost {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let trouble = |line: &&str| [" WARN ", "ERROR "].iter().any(|word| line.contains(word));
            let told: Vec<_> = log.lines().filter(trouble).take(20).collect();
            eprintln!("What the program warned of:\n{}", told.join("\n"));
        }
    }
}
