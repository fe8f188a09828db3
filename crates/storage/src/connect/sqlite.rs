//! Opens the connections to SQLite: one that writes, some that read.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::Connection;
use sea_orm::{Database, DatabaseConnection, DbErr};

use super::checkpoint::BY_A_COMMIT;
use super::writer::FileWriter;
use super::{Connections, options, text, version};
use crate::ConnectError;
use crate::batch::Place;
use crate::engine::Engine;
use crate::location::sqlite::File;

/// How long SQLite waits for a lock that another process holds.
pub(super) const BUSY: Duration = Duration::from_millis(700);

const READERS: u32 = 4;

/// What each connection that writes is told.
pub(super) const PRAGMAS: [(&str, &str); 6] = [
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    // What is erased is overwritten, in the file too.
    ("secure_delete", "ON"),
    // What is rewritten passes through no other file.
    ("temp_store", "MEMORY"),
    ("wal_autocheckpoint", BY_A_COMMIT),
];

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Write,
    Read,
}

/// The connection that writes and those that read.
pub(super) async fn connect(url: &str, file: &File) -> Result<Connections, ConnectError> {
    file.prepare()?;
    let writer = pool(url, Role::Write).await?;
    let reader = pool(url, Role::Read).await?;
    let found = text(&writer, "SELECT sqlite_version()").await?;
    if !version::is_new_enough(&found) {
        return Err(ConnectError::TooOld { found });
    }
    let batches = FileWriter::open(file, writer.clone());
    let batches = batches.map_err(|error| ConnectError::Driver(error.into()))?;
    Ok(Connections {
        engine: Engine::Sqlite,
        writer,
        reader,
        batches: Place::File(Arc::new(batches)),
    })
}

async fn pool(url: &str, role: Role) -> Result<DatabaseConnection, DbErr> {
    let connections_max = match role {
        Role::Write => 1,
        Role::Read => READERS,
    };
    let mut options = options(url, connections_max);
    options
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options.busy_timeout(BUSY);
            let options = PRAGMAS.iter().fold(options, |options, (name, value)| {
                options.pragma(*name, *value)
            });
            match role {
                Role::Write => options,
                Role::Read => options.pragma("query_only", "ON"),
            }
        })
        .map_sqlx_sqlite_before_acquire(move |connection, _| {
            // A full or failing disk makes SQLite roll back by itself, and the driver then counts
            // a transaction that is none: the next BEGIN IMMEDIATE would be a savepoint.
            let is_clean = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_clean) })
        });
    Database::connect(options).await
}

#[cfg(test)]
pub(crate) mod tests {
    use otpost_ports::{Admitted, SessionStore, StoreError};
    use otpost_testkit::{FakeVault, sample};
    use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
    use tempfile::TempDir;

    use super::*;
    use crate::{Settings, Storage};

    /// A migrated database in a folder that goes with it.
    pub(crate) async fn file() -> (TempDir, Storage) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("otpost.db");
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let vault = Arc::new(FakeVault::new());
        let storage = Storage::connect(&Settings::at(url), vault).await.unwrap();
        storage.migrate().await.unwrap();
        (folder, storage)
    }

    /// How SQLite goes about `query` on the schema of this program.
    pub(crate) async fn plan(query: Statement) -> String {
        let (_folder, storage) = file().await;
        let explained = Statement {
            sql: format!("EXPLAIN QUERY PLAN {}", query.sql),
            ..query
        };
        let rows = storage.reader.query_all_raw(explained).await.unwrap();
        let lines = rows
            .iter()
            .map(|row| row.try_get::<String>("", "detail").unwrap());
        lines.collect::<Vec<_>>().join("; ")
    }

    async fn pragma(connection: &impl ConnectionTrait, name: &str) -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        let query = Statement::from_string(DbBackend::Sqlite, sql);
        let row = connection.query_one_raw(query).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    #[tokio::test]
    async fn every_connection_is_durable_and_checks_references() {
        let (_folder, storage) = file().await;
        let writer = storage.begin().await.unwrap();
        // As many at once as there are: each is another connection.
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(storage.reader.begin().await.unwrap());
        }

        for (role, connection) in readers
            .iter()
            .map(|reader| ("1", reader))
            .chain([("0", &writer)])
        {
            for (name, expected) in [
                ("journal_mode", "wal"),
                ("synchronous", "2"),
                ("foreign_keys", "1"),
                ("secure_delete", "1"),
                ("temp_store", "2"),
                ("query_only", role),
            ] {
                assert_eq!(pragma(connection, name).await, expected, "{name}");
            }
        }
        writer.rollback().await.unwrap();

        on_the_lane(&storage, |connection| {
            for (name, expected) in [
                ("journal_mode", "wal"),
                ("synchronous", "2"),
                ("foreign_keys", "1"),
                ("secure_delete", "1"),
                ("temp_store", "2"),
                ("query_only", "0"),
            ] {
                let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
                let told = connection.query_row(&sql, (), |row| row.get::<_, String>(0));
                assert_eq!(told.unwrap(), expected, "{name}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn there_is_one_writer_and_it_holds_the_lock_from_the_start() {
        let (_folder, storage) = file().await;
        let transaction = storage.begin().await.unwrap();

        let other = pool(&url(&storage).await, Role::Write).await.unwrap();
        let second = other
            .execute_unprepared("CREATE TABLE other (id INTEGER)")
            .await;
        assert!(second.unwrap_err().to_string().contains("locked"));

        let waiting = storage.begin().await;
        assert!(
            matches!(waiting, Err(StoreError::Unavailable(_))),
            "{waiting:?}"
        );
        drop(transaction);
        storage.begin().await.unwrap();
    }

    /// Lets the file grow to so many pages, whoever writes.
    async fn allow(storage: &Storage, pages: &str) {
        let full = format!("PRAGMA max_page_count = {pages}");
        storage.writer.execute_unprepared(&full).await.unwrap();
        on_the_lane(storage, move |connection| {
            connection.execute_batch(&full).unwrap();
        })
        .await;
    }

    /// Does `work` on the connection on which commands are committed.
    async fn on_the_lane(
        storage: &Storage,
        work: impl FnOnce(&rusqlite::Connection) + Send + 'static,
    ) {
        let Place::File(writer) = &storage.place else {
            panic!("it is a file");
        };
        let work = |transaction: &rusqlite::Transaction<'_>, (): &mut ()| {
            work(transaction);
            Ok(false)
        };
        let until = tokio::time::Instant::now() + Duration::from_secs(5);
        assert!(writer.transaction((), until, work).await.1.is_ok());
    }

    async fn url(storage: &Storage) -> String {
        let query = Statement::from_string(
            DbBackend::Sqlite,
            "SELECT file FROM pragma_database_list WHERE name = 'main'",
        );
        let row = storage.reader.query_one_raw(query).await.unwrap().unwrap();
        format!("sqlite://{}", row.try_get_by_index::<String>(0).unwrap())
    }

    #[tokio::test]
    async fn a_full_disk_is_told_leaves_nothing_half_and_heals() {
        let (_folder, storage) = file().await;
        let pages = pragma(&storage.writer, "page_count").await;
        allow(&storage, &pages).await;

        let vault = FakeVault::new();
        let mut kept = 0;
        let refused = loop {
            match storage.open(sample::opening(&vault, kept)).await {
                Ok(Admitted::Open(_)) => kept += 1,
                Ok(refused) => panic!("{refused:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert!(refused.to_string().contains("full"), "{refused}");

        // The same on the connection of all others. The driver then still counts the transaction that
        // SQLite ended by itself: a BEGIN that took it at its word would be a savepoint, and take no
        // lock.
        let transaction = storage.begin().await.unwrap();
        let fill = "CREATE TABLE filling AS SELECT zeroblob(1000000) AS bytes";
        let refused = transaction.execute_unprepared(fill).await;
        assert!(refused.unwrap_err().to_string().contains("full"));
        drop(transaction);
        let transaction = storage.begin().await.unwrap();
        let other = pool(&url(&storage).await, Role::Write).await.unwrap();
        let second = other.execute_unprepared("DELETE FROM sessions").await;
        assert!(second.unwrap_err().to_string().contains("locked"));
        transaction.rollback().await.unwrap();

        allow(&storage, "1000000").await;
        let opened = storage.open(sample::opening(&vault, 200)).await;
        assert!(matches!(opened, Ok(Admitted::Open(_))), "{opened:?}");
        for table in ["sessions", "deliveries"] {
            let query = format!("SELECT COUNT(*) FROM {table}");
            let query = Statement::from_string(DbBackend::Sqlite, query);
            let row = storage.reader.query_one_raw(query).await.unwrap().unwrap();
            let rows = row.try_get_by_index::<i64>(0).unwrap();
            assert_eq!(rows, i64::from(kept) + 1, "{table}");
        }
    }
}
