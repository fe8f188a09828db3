//! Where a database URL points.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use crate::ConnectError;

/// The place of a database.
#[derive(Debug)]
pub(crate) enum Location {
    /// A file.
    Sqlite(sqlite::File),
    /// A server.
    Postgres(Box<postgres::Server>),
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => sqlite::File::parse(url).map(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => {
                let server = postgres::Server::parse(url)?;
                Ok(Self::Postgres(Box::new(server)))
            }
            _ => Err(ConnectError::Scheme),
        }
    }
}
