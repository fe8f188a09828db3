//! What an operator says about the database.

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `sqlite:PATH` or `sqlite://PATH`, with `?mode=rwc` to create a file that is missing,
    /// `?mode=rw` (the default) or `?mode=ro`; `sqlite::memory:` for one that ends with the
    /// process.
    pub url: String,
}
