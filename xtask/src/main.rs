//! The project's own chores: `cargo xtask <command>`.

#![expect(
    clippy::print_stdout,
    reason = "a command line speaks on standard output"
)]

mod arch;
mod background;
mod checks;
mod ci;
mod crash;
mod demo;
mod deny;
mod environment;
mod http;
mod otpost;
mod problem;
mod process;
mod readme;
mod spam;
mod suite;

use std::process::ExitCode;

use problem::{Outcome, Problem};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test    every test that needs no extra server, the documentation's examples included
  ci      fmt, lint, arch, deny, docs, test, demo, spam; stops at the first that fails
  demo    the real binary against a real SMTP server: send, read, verify
  spam    what SpamAssassin thinks of every message
  crash   the real binary killed under load 200 times, or as often as --kills N says: no mail is lost
  arch    what ARCHITECTURE.md promises: arrows, dependencies, paths, file sizes
  fmt     is everything formatted?
  lint    clippy, with warnings as errors
  docs    the API documentation, with warnings as errors
  readme  what README.md and README.de.md show works when pasted
  deny    licences, bans and sources of all dependencies
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match command(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\nxtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => suite::all(),
        ["ci"] => ci::run(),
        ["demo"] => demo::run(),
        ["spam"] => spam::run(),
        ["readme"] => readme::test(),
        ["arch"] => arch::check(),
        ["crash"] => crash::run_for("200"),
        ["crash", "--kills", kills] => crash::run_for(kills),
        ["fmt"] => checks::format(),
        ["lint"] => checks::lint(),
        ["docs"] => checks::docs(),
        ["deny"] => deny::check(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(Problem::new(
            format!("there is no command `{}`", other.join(" ")),
            "see `cargo xtask help`",
        )),
    }
}
