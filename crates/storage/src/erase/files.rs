//! Leaving nothing of what was erased in the files of `SQLite`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::sync::Mutex;

use crate::Storage;
use crate::batch::Place;

/// The most pages of a database that is rewritten after an erasure: 8 MiB, which takes a fraction
/// of the second for which others wait in line.
const REWRITTEN_PAGES_MAX: i64 = 2_048;

/// How long the files are cleaned once the rows are gone.
const CLEANING: Duration = Duration::from_secs(2);

/// Erasures that want the files cleaned. One cleaning serves all that were committed before it
/// began: it holds the connection that writes.
#[derive(Debug, Default)]
pub(crate) struct Cleaning {
    asked: AtomicU64,
    done: Mutex<u64>,
}

/// Leaves nothing of what was erased in the files, and says whether that was done. The rows are
/// gone already, and what fails here is made up for by the next erasure.
pub(crate) async fn clean(storage: &Storage, rows: u64) -> bool {
    let steps = async {
        let wanted = u64::from(rows > 0);
        let mine = storage.cleaning.asked.fetch_add(wanted, Ordering::SeqCst) + wanted;
        let mut done = storage.cleaning.done.lock().await;
        if *done >= mine {
            return true;
        }
        let asked = storage.cleaning.asked.load(Ordering::SeqCst);
        let is_rewritten = rewrite(storage).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the database could not be rewritten");
            false
        });
        let is_emptied = empty_log(storage).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log could not be emptied");
            false
        });
        let is_clean = is_rewritten && is_emptied;
        if is_clean {
            *done = asked;
        }
        is_clean
    };
    let cleaned = tokio::time::timeout(CLEANING, steps).await;
    cleaned.unwrap_or(false)
}

/// Writes every page anew, and says whether that was done. `secure_delete` overwrites the row that
/// is deleted, but not every copy that was left behind when a page was split.
async fn rewrite(storage: &Storage) -> Result<bool, DbErr> {
    let pages = number(storage, "PRAGMA page_count").await?;
    if pages.is_none_or(|pages| pages > REWRITTEN_PAGES_MAX) {
        return Ok(false);
    }
    storage.writer.execute_unprepared("VACUUM").await?;
    Ok(true)
}

/// Writes the log into the database and empties it, for what was erased stands in its older
/// pages. `false` while another connection reads from it.
async fn empty_log(storage: &Storage) -> Result<bool, DbErr> {
    // Beside another checkpoint it would say at once that the log is in use.
    let _paused = match &storage.place {
        Place::File(writer) => Some(writer.pause_checkpoints().await),
        Place::Server { .. } => None,
    };
    let is_busy = number(storage, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(is_busy == Some(0))
}

/// The first column that the connection which writes answers.
async fn number(storage: &Storage, query: &str) -> Result<Option<i64>, DbErr> {
    let query = Statement::from_string(DbBackend::Sqlite, query);
    let answer = storage.writer.query_one_raw(query).await?;
    answer.map(|row| row.try_get_by_index(0)).transpose()
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::connect::sqlite::tests::file;

    #[tokio::test]
    async fn the_log_is_emptied_once_no_checkpoint_is_under_way() {
        let (_folder, storage) = file().await;
        let Place::File(writer) = &storage.place else {
            panic!("it is a file");
        };
        let paused = writer.pause_checkpoints().await;

        let emptied = timeout(Duration::from_millis(100), empty_log(&storage)).await;
        assert!(emptied.is_err(), "{emptied:?}");
        drop(paused);

        assert!(empty_log(&storage).await.unwrap());
    }
}
