//! What an operator says about the database.

use crate::ConnectError;
use crate::location::Location;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `sqlite:PATH` or `sqlite://PATH`, with `?mode=rwc` to create a file that is missing,
    /// `?mode=rw` (the default) or `?mode=ro`.
    pub url: String,
}

impl Settings {
    /// Whether this can be the place of a database. Nothing is opened or made.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], as [`Storage::connect`](crate::Storage::connect) would answer it.
    pub fn check(&self) -> Result<(), ConnectError> {
        Location::parse(&self.url).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_checked_without_making_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("otpost.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        Settings { url }.check().unwrap();
        assert!(!file.exists());

        let url = "postgres://user@host/db".to_owned();
        let refused = Settings { url }.check();
        assert!(matches!(refused, Err(ConnectError::Scheme)), "{refused:?}");
    }
}
