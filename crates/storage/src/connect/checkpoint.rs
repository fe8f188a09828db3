//! Bringing what was committed from the write-ahead log of `SQLite` into its file, beside the commits. A
//! commit that does it takes as long as the disk takes for all of it, and everybody waits: up to half a
//! second for 64 MiB of pages that lie apart.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use sea_orm::DatabaseConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::writer;
use crate::location::sqlite::File;

/// So many pages that are only in the log, 4 MiB of them, are brought into the file, and the log is begun
/// anew: the longer it is, the longer takes looking for a page in it, and the longer takes the disk for
/// what it was given at once.
const DUE: i64 = 1_024;

/// So many pages, half a MiB of them, may be left for when nobody else writes: others wait for them.
const LAST_MAX: i64 = 128;

/// So often what was committed meanwhile is brought over too, at most, before others have to wait.
const PASSES_MAX: u32 = 5;

/// How long none begins after one that could do nothing.
const REST: Duration = Duration::from_secs(1);

/// From a log of so many pages on, 128 MiB, a commit does it by itself: nobody else has, for what the
/// connection of commands commits alone begins a checkpoint.
pub(super) const BY_A_COMMIT: &str = "32768";

/// How long the log is, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    length: i64,
    /// So many of them are in the file too.
    in_file: i64,
}

impl Log {
    /// As this connection finds it.
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        Self::told(connection, "PRAGMA wal_checkpoint(NOOP)")
    }

    /// As it is once this connection has brought into the file what no reader needs in the log.
    fn brought_into_file(connection: &Connection) -> rusqlite::Result<Self> {
        Self::told(connection, "PRAGMA wal_checkpoint(PASSIVE)")
    }

    /// So many pages are not in the file.
    fn is_only_there(self) -> i64 {
        self.length - self.in_file
    }

    fn told(connection: &Connection, pragma: &str) -> rusqlite::Result<Self> {
        connection.query_row(pragma, (), |row| {
            Ok(Self {
                length: row.get(1)?,
                in_file: row.get(2)?,
            })
        })
    }
}

/// The checkpoints of a file, one at a time.
pub(super) struct Checkpoints {
    file: File,
    /// The one connection of all who write, for as long as somebody writes: it is their turn.
    turns: DatabaseConnection,
    under_way: Arc<Mutex<()>>,
}

impl Checkpoints {
    pub(super) fn new(file: File, turns: DatabaseConnection) -> Self {
        Self {
            file,
            turns,
            under_way: Arc::default(),
        }
    }

    /// Waits for the end of one that is under way. None begins as long as this is kept.
    pub(super) async fn pause(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.under_way).lock_owned().await
    }

    /// Begins one where a commit left enough in the log, and none is under way.
    pub(super) fn begin_if_due(self: &Arc<Self>, log: Option<Log>) {
        if log.is_some_and(|log| log.is_only_there() >= DUE)
            && let Ok(under_way) = Arc::clone(&self.under_way).try_lock_owned()
        {
            let checkpoints = Arc::clone(self);
            tokio::spawn(async move {
                // What is not brought over stays in the log, and the next commit finds it due again.
                if let Err(error) = checkpoints.carry_out().await {
                    tracing::warn!(%error, "the log of the database could not be brought into its file");
                }
                drop(under_way);
            });
        }
    }

    async fn carry_out(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let file = self.file.clone();
        let beside_commits = spawn_blocking(move || -> rusqlite::Result<_> {
            let connection = writer::open(&file)?;
            let before = Log::of(&connection)?;
            for _ in 0..PASSES_MAX {
                Log::brought_into_file(&connection)?;
                // What is committed during a pass becomes less, for each takes less time.
                if Log::of(&connection)?.is_only_there() <= LAST_MAX {
                    break;
                }
            }
            let is_stuck = Log::of(&connection)?.in_file == before.in_file;
            Ok((connection, is_stuck))
        });
        let (connection, is_stuck) = beside_commits.await??;
        if is_stuck {
            // Somebody reads what stood in the file before: to try again at each commit is of no use.
            sleep(REST).await;
            return Ok(());
        }
        // Nothing is committed now: the rest of the log comes into the file, and the next who writes begins
        // it anew.
        let turn = self.turns.get_sqlite_connection_pool().acquire().await?;
        let last = spawn_blocking(move || {
            let log = Log::brought_into_file(&connection);
            drop(turn);
            log
        });
        last.await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Transaction;
    use sea_orm::ConnectionTrait;
    use tempfile::TempDir;
    use tokio::time::Instant;

    use super::*;
    use crate::batch::Place;
    use crate::connect::sqlite::tests::file;
    use crate::connect::writer::FileWriter;
    use crate::error::unavailable;
    use crate::storage::{Storage, end};

    /// Bytes that one page of a long value holds.
    const PAGE: i64 = 4_092;

    /// A migrated database with an empty log, and a connection that watches it.
    async fn database() -> (TempDir, Storage, Connection) {
        let (folder, storage) = file().await;
        let emptied = "PRAGMA wal_checkpoint(TRUNCATE)";
        storage.writer.execute_unprepared(emptied).await.unwrap();
        let watching = Connection::open(folder.path().join("otpost.db")).unwrap();
        (folder, storage, watching)
    }

    fn writer(storage: &Storage) -> &FileWriter {
        match &storage.place {
            Place::File(writer) => writer,
            Place::Server { .. } => panic!("it is a file"),
        }
    }

    /// Commits so many pages, and a few more, as commands are committed.
    async fn commit(storage: &Storage, pages: i64) {
        let bytes = pages * PAGE;
        let fill = move |transaction: &Transaction<'_>, (): &mut ()| {
            let filled = transaction.execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS filling (bytes BLOB);
                 INSERT INTO filling VALUES (zeroblob({bytes}))"
            ));
            filled.map(|()| true).map_err(unavailable)
        };
        let until = Instant::now() + Duration::from_mins(1);
        let committed = writer(storage).transaction((), until, fill).await.1;
        assert!(committed.is_ok());
    }

    /// The log once no checkpoint is under way.
    async fn afterwards(storage: &Storage, watching: &Connection) -> Log {
        let _paused = writer(storage).pause_checkpoints().await;
        Log::of(watching).unwrap()
    }

    #[tokio::test]
    async fn what_commits_leave_in_the_log_comes_into_the_file() {
        let (_folder, storage, watching) = database().await;

        commit(&storage, DUE / 2).await;
        let log = afterwards(&storage, &watching).await;
        assert!(log.length >= DUE / 2, "{log:?}");
        assert_eq!(log.in_file, 0, "it was not due");

        commit(&storage, DUE / 2).await;
        let log = afterwards(&storage, &watching).await;
        assert!(log.length >= DUE, "{log:?}");
        assert_eq!(log.in_file, log.length);
    }

    #[tokio::test]
    async fn a_long_log_is_begun_anew_although_another_commits_meanwhile() {
        let (_folder, storage, watching) = database().await;

        commit(&storage, DUE).await;
        let other = storage.begin().await.unwrap();
        while Log::of(&watching).unwrap().in_file < DUE {
            sleep(Duration::from_millis(1)).await;
        }
        let made = "CREATE TABLE made (id INTEGER)";
        other.execute_unprepared(made).await.unwrap();
        end(other).await.unwrap();
        afterwards(&storage, &watching).await;

        commit(&storage, 1).await;
        let log = Log::of(&watching).unwrap();
        assert!(log.length < DUE, "{log:?}");
    }

    #[tokio::test]
    async fn none_begins_at_each_commit_while_a_reader_needs_what_stood_there_before() {
        let (folder, storage, watching) = database().await;
        let reader = Connection::open(folder.path().join("otpost.db")).unwrap();
        let reading = "BEGIN; SELECT * FROM sessions";
        reader.execute_batch(reading).unwrap();
        commit(&storage, DUE).await;
        let committed = Instant::now();

        let log = afterwards(&storage, &watching).await;

        assert_eq!(log.in_file, 0);
        assert!(committed.elapsed() >= REST, "another could have begun");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_checkpoint_but_who_ends_the_storage() {
        let (_folder, storage, watching) = database().await;
        let paused = writer(&storage).pause_checkpoints().await;

        // It is due, none begins, and no commit does its work.
        commit(&storage, DUE).await;
        commit(&storage, 1).await;
        assert_eq!(Log::of(&watching).unwrap().in_file, 0);

        let closed = tokio::spawn({
            let storage = storage.clone();
            async move { storage.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closed.is_finished());
        drop(paused);

        closed.await.unwrap();
    }
}
