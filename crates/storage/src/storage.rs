//! The storage itself: its connections, its transactions, and how long anyone waits for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use otpost_ports::{StoreError, Vault};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use crate::erase::Cleaning;
use crate::error::{TooSlow, unavailable};
use crate::{ConnectError, Settings, connect};

/// How long a request waits for the storage in all: it is told "not available" within 2 s.
///
/// Longer than waiting for the writer and then for a foreign lock takes, so that it ends only
/// what hangs, such as a disk. A commit under way is then of unknown outcome.
const DEADLINE: Duration = Duration::from_millis(1_900);

/// Sessions, outbox, projects and keys in one database. A clone is another handle to it.
#[derive(Clone)]
pub struct Storage {
    /// The one connection that writes.
    pub(crate) writer: DatabaseConnection,
    /// Connections that only read, and see every commit that was acknowledged before.
    pub(crate) reader: DatabaseConnection,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) cleaning: Arc<Cleaning>,
}

impl Storage {
    /// Opens the database; [`Storage::migrate`] gives it its tables. `vault` judges codes.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the URL is wrong, the file is missing or locked, or SQLite is too old.
    pub async fn connect(settings: &Settings, vault: Arc<dyn Vault>) -> Result<Self, ConnectError> {
        let (writer, reader) = connect::connect(settings).await?;
        Ok(Self {
            writer,
            reader,
            vault,
            cleaning: Arc::default(),
        })
    }

    /// Closes every connection once it is idle. Afterwards nothing is available.
    pub async fn close(&self) {
        // The writer last: the last connection folds the write-ahead log into the database.
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "a database connection did not close");
            }
        }
    }

    /// Begins a transaction that holds the write lock from its start. A deferred one that reads
    /// and then writes fails at once under load, whatever the busy timeout.
    ///
    /// It is rolled back when it is dropped.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.writer
            .begin_with_options(options)
            .await
            .map_err(unavailable)
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage(..)")
    }
}

/// Does `work`, or says [`StoreError::Unavailable`] when [`DEADLINE`] has passed.
pub(crate) async fn in_time<T>(
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(unavailable(TooSlow)))
}
