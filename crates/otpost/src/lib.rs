//! Command line, configuration and wiring of otpost.
//!
//! [`run`] is the program.

mod cli;
mod clock;
mod command;
mod compose;
mod listen;
mod logging;
mod private_file;
mod settings;
mod shutdown;

use std::io::Write as _;

/// Why a command did not do what it was asked: a text for the person who asked.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub use cli::Cli;
pub use clock::SystemClock;
pub use command::run;

/// Writes `text` to standard output, where results go; the log goes to standard error.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
