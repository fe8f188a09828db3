//! `[log]`: what is written about the work.

use tracing_subscriber::EnvFilter;

use super::reader::Reader;

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Settings of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// How a line looks.
    pub(crate) format: Format,
    /// What is written: a level, or several by target.
    pub(crate) level: String,
}

impl Log {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let level = reader.parsed("log.level", |text| {
            EnvFilter::builder().parse(text).map(|_| text.to_owned())
        });
        Self {
            format: match reader.choice("log.format") {
                Some("json") => Format::Json,
                _ => Format::Text,
            },
            level: level.unwrap_or_else(|| "info".to_owned()),
        }
    }
}
