//! Command line, configuration and wiring of otpost.
//!
//! [`run`] is the program; everything else is here for its tests.

pub mod cli;
pub mod clock;
pub mod command;
pub mod compose;
pub mod logging;
pub mod settings;
pub mod shutdown;

mod listen;
mod private_file;

use std::io::Write as _;

/// Why a command did not do what it was asked: a text for the person who asked.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub use command::run;

/// Writes `text` to standard output, where results go; the log goes to standard error.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
