//! What an operator says about the database.

use crate::ConnectError;
use crate::location::Location;

/// Where the database is, and how it is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `sqlite:PATH` or `sqlite://PATH`, with `?mode=rwc` to create a file that is missing,
    /// `?mode=rw` (the default) or `?mode=ro`; or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
    /// with `sslmode`, `sslrootcert` and the like as its parameters.
    pub url: String,
    /// The most connections of this node to a server.
    pub connections_max: u32,
    /// Whether a pooler stands before the server.
    pub has_pooler: bool,
    /// Whether the tables of sessions are made of partitions, one a day; said once, when they are
    /// made. For a server only.
    pub has_partitions: bool,
}

impl Settings {
    /// The most connections of a node to a server where nobody says otherwise.
    pub const CONNECTIONS_MAX: u32 = 16;

    /// The database at `url`, reached as most are.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections_max: Self::CONNECTIONS_MAX,
            has_pooler: false,
            has_partitions: true,
        }
    }

    /// Whether this can be the place of a database. Nothing is opened or made.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], as [`Storage::connect`](crate::Storage::connect) would answer it.
    pub fn check(&self) -> Result<(), ConnectError> {
        Location::parse(&self.url).map(|_| ())
    }
}

/// Shows no URL: there may be a password in it.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settings(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_checked_without_making_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("otpost.db");
        Settings::at(format!("sqlite://{}?mode=rwc", file.display()))
            .check()
            .unwrap();
        assert!(!file.exists());

        for url in ["", "otpost.db", "mysql://user:pw@host/db"] {
            let refused = Settings::at(url).check();
            assert!(matches!(refused, Err(ConnectError::Scheme)), "{refused:?}");
        }
    }
}
