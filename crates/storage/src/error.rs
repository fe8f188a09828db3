//! Errors of this crate, and the way from the driver's to the ports'.

use std::error::Error;
use std::path::PathBuf;

use otpost_ports::StoreError;
use sea_orm::sqlx;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

use crate::connect::version;

/// The driver's own error, for a log.
type Cause = Box<dyn Error + Send + Sync>;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Another engine, or no URL.
    #[error(
        "a database URL begins with sqlite: or postgres: (for example sqlite://otpost.db?mode=rwc)"
    )]
    Scheme,
    /// The URL names no file.
    #[error("the URL names no file (for example sqlite://otpost.db?mode=rwc)")]
    NoFile,
    /// A parameter of the URL that is unknown, or would break a promise of the storage.
    #[error("the URL may have one parameter: mode=rwc, mode=rw or mode=ro")]
    Parameter,
    /// The URL of a server cannot be read. Why would show a part of it, and there may be a password
    /// in it.
    #[error(
        "the URL of a server is like postgres://otpost@db.example:5432/otpost?sslmode=verify-full"
    )]
    Server,
    /// A parameter of the URL of a server that is unknown.
    #[error(
        "the URL of a server may have the parameters sslmode, sslrootcert, sslcert, sslkey, host, \
         port, user, dbname and application_name"
    )]
    ServerParameter,
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
    /// PostgreSQL is too old.
    #[error("the server is PostgreSQL {found}: version 14 (140000) or newer is needed")]
    ServerTooOld {
        /// Its `server_version_num`.
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
        Self::Driver(without_connection(error))
    }
}

/// No connection was had in time. The driver tries until then, and does not say why it failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "no connection in time: nobody listens there, the server is full or takes no writes, or too \
     many wait in line here"
)]
struct NoConnection;

/// The cause, in words of use where it is that no connection was had.
pub(crate) fn without_connection(error: DbErr) -> Cause {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => NoConnection.into(),
        other => other.into(),
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

/// A commit failed. Unless the database says that it undid the transaction, it may have been
/// committed all the same.
#[derive(Debug, thiserror::Error)]
#[error("the commit failed: {0}")]
pub(crate) struct CommitFailed(#[source] pub(crate) Cause);

/// Another transaction was the first to insert a row that this one did not find. The next try will.
#[derive(Debug, thiserror::Error)]
#[error("others inserted the same row")]
pub(crate) struct Overtaken;

/// Whether the transaction was undone for a reason that another try may not meet.
///
/// Either others did the same at the same time: they inserted the same row, `PostgreSQL` says so of
/// deadlocks, and databases that speak its protocol of whatever they could not serialise. Or the
/// connection was lost before the commit, as each that was idle while the server restarted.
pub(crate) fn is_undone(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else {
        return false;
    };
    if source.is::<Overtaken>() {
        return true;
    }
    if let Some(CommitFailed(error)) = source.downcast_ref() {
        let error = error.downcast_ref().and_then(driver);
        return error.is_some_and(is_conflict);
    }
    source
        .downcast_ref()
        .and_then(driver)
        .is_some_and(|error| is_conflict(error) || is_lost(error))
}

/// Whether others held a lock for too long: SQLSTATE `lock_not_available`, or they waited for us too.
pub(crate) fn is_in_use(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else {
        return false;
    };
    let said = source.downcast_ref().and_then(driver);
    said.is_some_and(|error| is_conflict(error) || has_state(error, &["55P03"]))
}

/// What the driver said of a statement. To get no connection is another matter: the next try would
/// get none either.
fn driver(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            Some(error)
        }
        _ => None,
    }
}

/// SQLSTATE `serialization_failure` or `deadlock_detected`.
fn is_conflict(error: &sqlx::Error) -> bool {
    has_state(error, &["40001", "40P01"])
}

/// SQLSTATE `admin_shutdown` or `crash_shutdown`, or no answer at all.
fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || has_state(error, &["57P01", "57P02"])
}

fn has_state(error: &sqlx::Error, states: &[&str]) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| states.contains(&&*code))
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
