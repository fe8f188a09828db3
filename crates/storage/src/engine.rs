//! Which database this is, and what the two differ in.

use otpost_ports::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use crate::error::{unavailable, without_connection};
use crate::server_settings::{BEGIN_PATIENTLY, begin_behind_a_pooler};

/// Which database this is, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A file, with one writer at a time: whoever writes holds the lock from the start.
    Sqlite,
    /// A server. Whoever writes locks rows: sessions first, then their mails, kept answers and
    /// counters, each in the order of their keys, so that no two wait for one another.
    Postgres {
        /// Whether a connection may be another one after each transaction.
        has_pooler: bool,
    },
}

impl Engine {
    /// Begins a transaction that writes. It is rolled back when it is dropped.
    ///
    /// On `SQLite` it holds the write lock from its start: a deferred one that reads and then
    /// writes fails at once under load, whatever the busy timeout.
    pub(crate) async fn begin(
        self,
        writer: &DatabaseConnection,
    ) -> Result<DatabaseTransaction, StoreError> {
        let begun = self.transaction(writer).await;
        begun.map_err(|error| unavailable(without_connection(error)))
    }

    /// As [`Engine::begin`], with the driver's own error.
    pub(crate) async fn transaction(
        self,
        writer: &DatabaseConnection,
    ) -> Result<DatabaseTransaction, DbErr> {
        match self {
            Self::Sqlite => {
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..Default::default()
                };
                writer.begin_with_options(options).await
            }
            Self::Postgres { has_pooler } => {
                begin_on_server(writer, has_pooler, Patience::OfOne).await
            }
        }
    }

    /// Whether it is a server, which several nodes may share.
    pub(crate) fn is_server(self) -> bool {
        matches!(self, Self::Postgres { .. })
    }
}

/// How long a transaction waits for a row that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not long: many share it.
    OfMany,
    /// Nearly as long as its caller does.
    OfOne,
}

/// Begins a transaction on a server. It is rolled back when it is dropped.
pub(crate) async fn begin_on_server(
    connections: &DatabaseConnection,
    has_pooler: bool,
    patience: Patience,
) -> Result<DatabaseTransaction, DbErr> {
    let transaction = connections.begin().await?;
    let mut said = Vec::new();
    if has_pooler {
        said.push(begin_behind_a_pooler());
    }
    if patience == Patience::OfOne {
        said.push(BEGIN_PATIENTLY.to_owned());
    }
    if !said.is_empty() {
        transaction.execute_unprepared(&said.join("; ")).await?;
    }
    Ok(transaction)
}
