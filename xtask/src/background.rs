//! A program in the background that never outlives the chore that started it.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::problem::{Outcome, Problem};

/// The program runs under a shell that reads a pipe of ours. When the pipe ends, because the chore
/// dropped this value or died of whatever signal, the shell ends the program: politely at first.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- & program=$!
( cat <&3 >/dev/null; kill "$program"; sleep 15; kill -KILL "$program" ) >/dev/null 2>&1 & keeper=$!
exec 3<&-
wait "$program"; status=$?
kill "$keeper" 2>/dev/null
exit "$status"
"#;

/// Longer than the service may take to stop (10 s), and than the keeper's patience.
const STOP: Duration = Duration::from_secs(20);

/// How often a condition is asked again.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Background {
    name: &'static str,
    keeper: Child,
    log: PathBuf,
}

impl Background {
    /// Starts `program` in `directory`; what it says on either stream goes to `log`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        directory: &Path,
        log: &Path,
    ) -> Outcome<Self> {
        let lost = |error: std::io::Error| {
            Problem::new(
                format!("cannot start {name}: {error}"),
                "is `sh` there, and disk space?",
            )
        };
        let output = File::create(log).map_err(lost)?;
        let errors = output.try_clone().map_err(lost)?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(lost)?;
        Ok(Self {
            name,
            keeper,
            log: log.to_owned(),
        })
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks `condition` until it answers, the program ends, or the time is over.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut condition: impl FnMut(&str) -> Option<T>,
    ) -> Outcome<T> {
        let begin = Instant::now();
        loop {
            if let Some(answer) = condition(&self.said()) {
                return Ok(answer);
            }
            let over = begin.elapsed() >= patience;
            if over || !matches!(self.keeper.try_wait(), Ok(None)) {
                let why = if over {
                    "not in time"
                } else {
                    "it ended before"
                };
                return Err(Problem::new(
                    format!("{}: waited for {what}: {why}", self.name),
                    format!("it said:\n{}", self.said()),
                ));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let begin = Instant::now();
        while begin.elapsed() < STOP && matches!(self.keeper.try_wait(), Ok(None)) {
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        let directory = crate::environment::scratch("background");
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(name)
    }

    fn start(script: &str, name: &str) -> Background {
        let log = log(name);
        let here = crate::environment::root();
        Background::start("script", Path::new("sh"), ["-c", script], here, &log).unwrap()
    }

    #[test]
    fn a_dropped_program_is_told_to_stop_and_waited_for() {
        let script = "trap 'echo stopped; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let mut program = start(script, "dropped");
        program
            .until("ready", Duration::from_secs(10), |said| {
                said.contains("ready").then_some(())
            })
            .unwrap();
        assert!(!program.said().contains("stopped"));

        let log = program.log.clone();
        drop(program);

        assert!(std::fs::read_to_string(log).unwrap().contains("stopped"));
    }

    #[test]
    fn a_program_that_ends_early_is_a_problem_that_shows_what_it_said() {
        let mut program = start("echo no disk; exit 3", "early");

        let problem = program
            .until("ready", Duration::from_secs(10), |_| None::<()>)
            .unwrap_err();

        let text = problem.to_string();
        assert!(
            text.contains("it ended before") && text.contains("no disk"),
            "{text}"
        );
    }
}
