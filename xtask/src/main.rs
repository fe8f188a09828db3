//! The project's own chores: `cargo xtask <command>`.

#![expect(
    clippy::print_stdout,
    reason = "a command line speaks on standard output"
)]

mod arch;
mod background;
mod bench;
mod checks;
mod ci;
mod crash;
mod demo;
mod deny;
mod environment;
mod http;
mod otpost;
mod plans;
mod postgres;
mod problem;
mod process;
mod readme;
mod spam;
mod suite;
mod two_nodes;

use std::process::ExitCode;

use problem::{Outcome, Problem};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test    every test, on a PostgreSQL server of its own; the documentation's examples included
  ci      fmt, lint, arch, deny, docs, test, plans, demo, spam, two-nodes; stops at the first that fails
  demo    the real binary against a real SMTP server: send, read, verify
  two-nodes
          what docs/scaling.md shows of two nodes behind HAProxy works when pasted
  spam    what SpamAssassin thinks of every message
  crash   the real binary killed under load 200 times, or as often as --kills N says: no mail is lost
  plans   every statement on 10 000 000 sessions, or on --rows N, has its index, and every index is used
  bench   what the product does in a second, against its goals: all parts, written to docs/benchmarks.md;
          with --full beside 10 000 000 stored sessions; with --quick in four minutes, written elsewhere
  bench PART
          one part, printed only: verify, send, mails, latency, one-session, growth, footprint, nodes or
          overload; with --quick, --engine sqlite or postgres, --rows N, --binary PATH, and --alone for
          the rates without what they are compared with
  costs   what each command writes to PostgreSQL, beside 1 000 000 sessions or --rows N
  postgres -- COMMAND
          runs a command with TEST_POSTGRES_URL set to a server that ends with it
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
        Ok(status) => status,
        Err(problem) => {
            eprintln!("\nxtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["postgres", "--", program, arguments @ ..] => postgres::with(program, arguments),
        words => chore(words).map(|()| ExitCode::SUCCESS),
    }
}

fn chore(words: &[&str]) -> Outcome {
    match words {
        ["test"] => suite::all(),
        ["ci"] => ci::run(),
        ["demo"] => demo::run(),
        ["spam"] => spam::run(),
        ["two-nodes"] => two_nodes::run(),
        ["readme"] => readme::test(),
        ["arch"] => arch::check(),
        ["crash"] => crash::run_for("200"),
        ["crash", "--kills", kills] => crash::run_for(kills),
        ["plans"] => plans::check("10000000"),
        ["plans", "--rows", rows] => plans::check(rows),
        ["costs"] => plans::costs("1000000"),
        ["costs", "--rows", rows] => plans::costs(rows),
        ["bench", words @ ..] => bench::measure(words),
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
