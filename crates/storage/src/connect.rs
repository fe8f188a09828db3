//! Opens the connections.

mod checkpoint;
mod health;
pub(crate) mod postgres;
pub(crate) mod sqlite;
pub(crate) mod version;
pub(crate) mod writer;

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement};

use crate::batch::Place;
use crate::engine::Engine;
use crate::location::Location;
use crate::{ConnectError, Settings};

/// How long a caller waits in line for a connection. One commit takes a few milliseconds: that is
/// a line of some hundred.
const LINE: Duration = Duration::from_secs(1);

/// The connections to a database, and what it is.
pub(crate) struct Connections {
    pub(crate) engine: Engine,
    /// Connections that write, for all but commands, and on `SQLite` a purge: one where the engine has one
    /// writer.
    pub(crate) writer: DatabaseConnection,
    /// Connections that only read, and see every commit that was acknowledged before.
    pub(crate) reader: DatabaseConnection,
    /// Where commands are committed.
    pub(crate) batches: Place,
}

pub(crate) async fn connect(settings: &Settings) -> Result<Connections, ConnectError> {
    match Location::parse(&settings.url)? {
        Location::Sqlite(file) => sqlite::connect(&settings.url, &file).await,
        Location::Postgres(server) => postgres::connect(settings, *server).await,
    }
}

/// What connections to either have in common: nothing of a statement is logged, and none is closed
/// for its age by the driver. Its task for that counts the idle ones, and where that races with their
/// use the count runs below zero: the task then holds a thread for ever (sqlx 0.9.0).
fn options(url: &str, connections_max: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections_max)
        .acquire_timeout(LINE)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// The first column of the only row, as text.
async fn text(connection: &impl ConnectionTrait, query: &str) -> Result<String, DbErr> {
    let query = Statement::from_string(connection.get_database_backend(), query);
    let row = connection.query_one_raw(query).await?;
    row.ok_or_else(|| DbErr::Query(RuntimeErr::Internal("no version was answered".to_owned())))?
        .try_get_by_index(0)
}
