//! The log: to standard error, and never with what others must not read.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::settings::{Format, Log};

/// What the name of every target of ours begins with.
const OURS: &str = "otpost";
/// How much all others may say, whatever an operator asks for: below it, drivers and clients show
/// URLs, statements, frames and messages.
const OTHERS: LevelFilter = LevelFilter::WARN;
/// Calls every connection that speaks no HTTP an error, though nothing is wrong here.
const HTTP_STREAMS: &str = "actix_http::h1::dispatcher";

/// Writes the log as `settings` say, from now on.
///
/// # Errors
///
/// When there is a log already.
pub(crate) fn start(settings: &Log) -> Result<(), TryInitError> {
    let filter = EnvFilter::builder().parse_lossy(&settings.level);
    let caps = Targets::new()
        .with_default(OTHERS)
        .with_target(OURS, LevelFilter::TRACE)
        .with_target(HTTP_STREAMS, LevelFilter::OFF);
    let registry = tracing_subscriber::registry().with(filter).with(caps);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(true);
    match settings.format {
        Format::Text => registry
            .with(lines.compact().with_ansi(is_terminal()))
            .try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
