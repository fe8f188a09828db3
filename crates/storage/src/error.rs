//! Errors of this crate, and the way from the driver's to the ports'.

use std::error::Error;
use std::path::PathBuf;

use otpost_ports::StoreError;
use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr};

use crate::version;

/// The driver's own error, for a log.
type Cause = Box<dyn Error + Send + Sync>;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Another engine than SQLite, or no URL.
    #[error("a database URL begins with sqlite: (for example sqlite://otpost.db?mode=rwc)")]
    Scheme,
    /// The URL names no file.
    #[error("the URL names no file (for example sqlite://otpost.db?mode=rwc)")]
    NoFile,
    /// A parameter of the URL that is unknown, or would break a promise of the storage.
    #[error("the URL may have one parameter: mode=rwc, mode=rw or mode=ro")]
    Parameter,
    /// The file cannot be created.
    #[error("the database {} cannot be created: {source}", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite is too old to be trusted with a write-ahead log.
    #[error("SQLite {found} is too old: {} or newer is needed", version::oldest())]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The database does not open.
    #[error("the database does not open: {0}")]
    Driver(#[source] Cause),
}

/// Why the schema is not the program's.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It misses migrations.
    #[error("the database misses {pending} migrations: run `otpost migrate`")]
    Behind {
        /// How many.
        pending: usize,
    },
    /// It has migrations that this program does not know.
    #[error("the database was migrated by a newer otpost: run that one")]
    Ahead,
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Driver(#[source] Cause),
}

impl From<DbErr> for ConnectError {
    fn from(error: DbErr) -> Self {
        Self::Driver(error.into())
    }
}

impl From<DbErr> for SchemaError {
    fn from(error: DbErr) -> Self {
        match error {
            // sea-orm-migration says so, and nothing else, when a recorded migration is unknown.
            DbErr::Custom(_) => Self::Ahead,
            other => Self::Driver(other.into()),
        }
    }
}

/// The storage took longer than a request may wait.
#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
pub(crate) struct TooSlow;

/// The port's word for an error of the driver. No value is in it: statements carry theirs as
/// parameters, and SQLite names tables and columns only.
pub(crate) fn unavailable(error: impl Into<Cause>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// As [`unavailable`], for a query whose rows are of `table`: a column that holds another type is
/// a corrupt row.
pub(crate) fn reading(table: &'static str) -> impl Fn(DbErr) -> StoreError {
    move |error| {
        let is_other_type = match &error {
            DbErr::Type(_) | DbErr::TryIntoErr { .. } => true,
            DbErr::Query(RuntimeErr::SqlxError(source)) => matches!(
                **source,
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
            ),
            _ => false,
        };
        if is_other_type {
            StoreError::Corrupt {
                table,
                reason: "a column holds another type".to_owned(),
            }
        } else {
            unavailable(error)
        }
    }
}
