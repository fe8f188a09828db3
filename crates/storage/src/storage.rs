//! The storage itself: its connections, its transactions, and how long anyone waits for them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use otpost_ports::{StoreError, Vault};
use sea_orm::{DatabaseConnection, DatabaseExecutor, DatabaseTransaction};

use crate::batch::{Batches, Place};
use crate::connect::Connections;
use crate::engine::Engine;
use crate::erase::files::Cleaning;
use crate::error::{CommitFailed, TooSlow, is_in_use, is_undone, unavailable};
use crate::lane::Line;
use crate::{ConnectError, Settings, connect};

/// How long a request waits for the storage in all: it is told "not available" within 2 s.
///
/// As long as waiting for a connection and then for a foreign lock takes, so that it ends little but
/// what hangs, such as a disk. On a busy machine the answer itself takes another while. A commit under
/// way is then of unknown outcome.
pub(crate) const DEADLINE: Duration = Duration::from_millis(1_800);

/// Sessions, outbox, projects and keys in one database. A clone is another handle to it.
#[derive(Clone)]
pub struct Storage {
    pub(crate) engine: Engine,
    /// Connections that write, for all but the commands in the line, and on `SQLite` a purge: one where
    /// the engine has one writer.
    pub(crate) writer: DatabaseConnection,
    /// Connections that only read, and see every commit that was acknowledged before.
    pub(crate) reader: DatabaseConnection,
    /// Whether the tables of sessions are to be made of partitions.
    pub(crate) has_partitions: bool,
    /// Where commands wait for their commit.
    pub(crate) line: Line,
    /// Where they are committed.
    pub(crate) place: Place,
    /// Whether the last claim of mails found as many as it asked for: the next need not ask whether there are any.
    pub(crate) more_are_due: Arc<AtomicBool>,
    pub(crate) cleaning: Arc<Cleaning>,
}

impl Storage {
    /// Opens the database; [`Storage::migrate`] gives it its tables. `vault` judges codes.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the URL is wrong, the file is missing or locked, or SQLite is too old.
    pub async fn connect(settings: &Settings, vault: Arc<dyn Vault>) -> Result<Self, ConnectError> {
        let Connections {
            engine,
            writer,
            reader,
            batches: place,
        } = connect::connect(settings).await?;
        let line = Line::start(Batches::new(place.clone(), vault));
        Ok(Self {
            engine,
            writer,
            reader,
            has_partitions: settings.has_partitions,
            line,
            place,
            more_are_due: Arc::default(),
            cleaning: Arc::default(),
        })
    }

    /// Closes every connection once it is idle. Afterwards nothing is available.
    pub async fn close(&self) {
        // The writer last: the last connection brings the write-ahead log into the database.
        if let Place::File(writer) = &self.place {
            writer.close().await;
        }
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.close_by_ref().await {
                tracing::warn!(%error, "a database connection did not close");
            }
        }
    }

    /// Begins a transaction that writes; see [`Engine`]. It is rolled back when it is dropped.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        self.engine.begin(&self.writer).await
    }

    /// What to read with where nothing is written. Behind a pooler a statement may be prepared on
    /// one connection and carried out on another, unless both are in one transaction.
    pub(crate) async fn reading(&self) -> Result<DatabaseExecutor<'_>, StoreError> {
        match self.engine {
            Engine::Postgres { has_pooler: true } => {
                let transaction = self.begin().await?;
                Ok(DatabaseExecutor::OwnedTransaction(transaction))
            }
            Engine::Sqlite | Engine::Postgres { has_pooler: false } => {
                Ok(DatabaseExecutor::Connection(&self.reader))
            }
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storage(..)")
    }
}

/// How long work in the background may take.
pub(crate) const BACKGROUND: Duration = Duration::from_mins(1);

/// Does `work` for nobody who waits, or says [`StoreError::Unavailable`] after a minute: a server
/// that is gone without a word would be waited for until the end of the program.
pub(crate) async fn in_the_background<T>(
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    tokio::time::timeout(BACKGROUND, work)
        .await
        .unwrap_or_else(|_| Err(unavailable(TooSlow)))
}

/// Commits.
pub(crate) async fn end(transaction: DatabaseTransaction) -> Result<(), StoreError> {
    let committed = transaction.commit().await;
    committed.map_err(|error| unavailable(CommitFailed(error.into())))
}

/// Undoes what was begun, before the answer leaves: its locks would outlast a transaction that is
/// only dropped, and whoever passes over locked rows would pass over these. Where the connection is
/// lost, the server undoes it.
pub(crate) async fn undo(transaction: DatabaseTransaction) {
    if let Err(error) = transaction.rollback().await {
        tracing::debug!(%error, "the server undoes a transaction by itself");
    }
}

/// Does `work`, or says [`StoreError::Unavailable`] when [`DEADLINE`] has passed. Where it was
/// undone for a reason that passes, or somebody holds what it needs, it is done again; after a commit of
/// unknown outcome it is not.
pub(crate) async fn in_time<T, F>(work: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send,
{
    let again = async {
        loop {
            match work().await {
                Err(error) if is_undone(&error) || is_in_use(&error) => {
                    tracing::debug!(%error, "again");
                }
                ended => return ended,
            }
        }
    };
    tokio::time::timeout(DEADLINE, again)
        .await
        .unwrap_or_else(|_| Err(unavailable(TooSlow)))
}
