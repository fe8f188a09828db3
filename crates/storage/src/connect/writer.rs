//! The connection on which commands are committed to SQLite, without the driver's thread between: a
//! batch reads and writes some hundred rows, and handing over each of them costs more than the row.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use otpost_ports::StoreError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::checkpoint::{Checkpoints, Log};
use super::sqlite::{BUSY, PRAGMAS};
use crate::batch::Failure;
use crate::error::{CommitFailed, TooSlow, unavailable, without_connection};
use crate::location::sqlite::{File, Mode};

/// So many statements stay prepared: those for commands are a dozen.
const STATEMENTS_KEPT: usize = 32;

/// What the connection keeps of the file: the upper pages of every tree, so that a commit reads little
/// more than the leaves. Below zero it is in KiB.
const CACHE: (&str, &str) = ("cache_size", "-8192");

/// The connection, and whose turn it is.
pub(crate) struct FileWriter {
    /// `None` once it is closed.
    connection: Arc<Mutex<Option<Connection>>>,
    /// The one connection of all others who write. Who has it has the turn: SQLite itself keeps no
    /// line, and who came first might wait longest.
    others: DatabaseConnection,
    checkpoints: Arc<Checkpoints>,
}

/// The storage was closed.
#[derive(Debug, thiserror::Error)]
#[error("the storage is closed")]
struct Closed;

impl FileWriter {
    /// A connection to this file, which is there.
    pub(crate) fn open(file: &File, others: DatabaseConnection) -> rusqlite::Result<Self> {
        let connection = open(file)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        connection.pragma_update(None, CACHE.0, CACHE.1)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(Some(connection))),
            checkpoints: Arc::new(Checkpoints::new(file.clone(), others.clone())),
            others,
        })
    }

    /// Closes the connection once it is idle, and no checkpoint is under way.
    pub(crate) async fn close(&self) {
        let _paused = self.pause_checkpoints().await;
        let connection = self.connection.lock();
        *connection.unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits for the end of a checkpoint that is under way. None begins as long as this is kept.
    pub(crate) async fn pause_checkpoints(&self) -> OwnedMutexGuard<()> {
        self.checkpoints.pause().await
    }

    /// Does `work` on `subject` in a transaction that holds the write lock from its start: one that
    /// takes it only to write fails at once under load. It is committed where `work` says that there
    /// is anything to commit, unless `until` is over.
    pub(crate) async fn transaction<T: Send + 'static>(
        &self,
        mut subject: T,
        until: Instant,
        work: impl FnOnce(&Transaction<'_>, &mut T) -> Result<bool, StoreError> + Send + 'static,
    ) -> (T, Result<(), Failure>) {
        let others = self.others.get_sqlite_connection_pool();
        let Ok(turn) = others.acquire().await else {
            return (subject, Err(Failure::Broken(no_turn())));
        };
        let connection = Arc::clone(&self.connection);
        let checkpoints = Arc::clone(&self.checkpoints);
        let done = tokio::task::spawn_blocking(move || {
            // After a panic the transaction was undone, and the connection is as it was.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let done = match &mut *connection {
                Some(connection) => transaction(connection, until, |transaction| {
                    work(transaction, &mut subject)
                }),
                None => Err(Failure::Broken(unavailable(Closed))),
            };
            drop(turn);
            // Before the connection is let go, for then it can be closed.
            let done = done.map(|log| checkpoints.begin_if_due(log));
            (subject, done)
        });
        match done.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and with it whoever waits here.
                Err(_cancelled) => pending().await,
            },
        }
    }
}

/// Another connection to this file, with the settings of all that write.
pub(super) fn open(file: &File) -> rusqlite::Result<Connection> {
    let access = match file.mode {
        Mode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Mode::Write | Mode::Create => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    // One thread at a time has it, and the path is no URL.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file.path, flags)?;
    connection.busy_timeout(BUSY)?;
    for (name, value) in PRAGMAS {
        connection.pragma_update(None, name, value)?;
    }
    Ok(connection)
}

/// The log as it is after this transaction, where anything was committed and it can be asked for.
fn transaction(
    connection: &mut Connection,
    until: Instant,
    work: impl FnOnce(&Transaction<'_>) -> Result<bool, StoreError>,
) -> Result<Option<Log>, Failure> {
    // What could not be undone is, now: or nobody would write again.
    if !connection.is_autocommit() {
        let undone = connection.execute_batch("ROLLBACK");
        undone.map_err(|error| Failure::Broken(unavailable(error)))?;
    }
    // It is undone where it is dropped.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| Failure::of(unavailable(error)))?;
    if !work(&transaction).map_err(Failure::Undone)? {
        return Ok(None);
    }
    if until <= Instant::now() {
        return Err(Failure::Broken(unavailable(TooSlow)));
    }
    let committed = transaction.commit();
    committed.map_err(|error| Failure::Broken(unavailable(CommitFailed(error.into()))))?;
    Ok(Log::of(connection).ok())
}

fn no_turn() -> StoreError {
    unavailable(without_connection(DbErr::ConnectionAcquire(
        ConnAcquireErr::Timeout,
    )))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otpost_ports::{Admitted, SessionStore};
    use otpost_testkit::{FakeVault, sample};

    use super::*;
    use crate::batch::Place;
    use crate::connect::sqlite::tests::file;
    use crate::storage::Storage;

    fn writer(storage: &Storage) -> &FileWriter {
        match &storage.place {
            Place::File(writer) => writer,
            Place::Server { .. } => panic!("it is a file"),
        }
    }

    /// Makes a table, where that is committed by `until`.
    async fn make_table(storage: &Storage, until: Instant) -> Result<(), Failure> {
        let make = |transaction: &Transaction<'_>, (): &mut ()| {
            let made = transaction.execute_batch("CREATE TABLE made (id INTEGER)");
            made.map(|()| true).map_err(unavailable)
        };
        writer(storage).transaction((), until, make).await.1
    }

    #[tokio::test]
    async fn what_comes_to_its_commit_too_late_is_undone() {
        let (_folder, storage) = file().await;

        let late = make_table(&storage, Instant::now()).await;

        let Err(Failure::Broken(StoreError::Unavailable(cause))) = late else {
            panic!("it was committed, or is tried again");
        };
        assert!(cause.is::<TooSlow>(), "{cause}");
        // It is not there, or this would fail.
        let in_time = make_table(&storage, Instant::now() + Duration::from_secs(5)).await;
        assert!(in_time.is_ok());
    }

    #[tokio::test]
    async fn a_batch_waits_for_its_turn_and_not_for_the_lock() {
        let (_folder, storage) = file().await;
        let others = storage.begin().await.unwrap();
        // SQLite itself would say at once that the file is locked.
        writer(&storage)
            .connection
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .busy_timeout(Duration::ZERO)
            .unwrap();

        let vault = FakeVault::new();
        let opening = sample::opening(&vault, 1);
        let opened = tokio::spawn({
            let storage = storage.clone();
            async move { storage.open(opening).await }
        });
        // In the one thread of this test: the caller, the lane and the batch, as far as each comes.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!opened.is_finished());
        others.commit().await.unwrap();

        let opened = opened.await.unwrap();
        assert!(matches!(opened, Ok(Admitted::Open(_))), "{opened:?}");
    }
}
