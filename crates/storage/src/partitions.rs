//! Partitions of the tables that grow with every session, one for each day of their creation: made
//! ahead, and dropped whole when no row in them is retained any more.

use std::collections::BTreeSet;
use std::time::Duration;

use otpost_domain::{Terms, Timestamp};
use otpost_ports::{RETENTION_SECS, StoreError};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};
use time::Date;

use crate::Storage;
use crate::engine::Engine;
use crate::error::{is_in_use, unavailable};
use crate::server_settings::BEGIN_IN_THE_BACKGROUND;
use crate::storage::{end, in_the_background};

/// How many days ahead partitions are made. Nobody has to look for as long.
const DAYS_AHEAD: i64 = 7;

/// How long a session is kept at most, in seconds: to its hard end, and its retention.
const LIFE_SECS_MAX: u32 = 2 * Terms::LIFETIME_SECS_MAX + RETENTION_SECS;

/// The number of the lock: drawn, and no other program's.
const LOCK: i64 = 7_310_584_012_345_909;

const DAY_MILLIS: i64 = 86_400_000;

/// How often a partition is tried while the tables are in use, and what is left to others between:
/// most of the time.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(400);

/// Takes the sessions of every day that has no partition.
pub(crate) const SESSIONS_DEFAULT: &str = "sessions_default";

/// The tables, and the identifier of the session in each. A session's row goes before its mail's,
/// for nothing is found without it.
const TABLES: [(&str, &str); 2] = [("sessions", "id"), ("deliveries", "session_id")];

/// What became of the partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitions {
    /// Those that were made.
    pub made: Vec<String>,
    /// Those that were dropped, with their rows.
    pub dropped: Vec<String>,
}

impl Storage {
    /// Makes the partitions of the next days where they are missing, and drops those whose every
    /// session is past its retention at `now`. Of several nodes that ask at once, one does it, and
    /// the others wait for it.
    ///
    /// Does nothing where the tables have no partitions. A row that came before its partition was
    /// made is moved into it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`]: what was not done is done the next time.
    pub async fn keep_partitions(&self, now: Timestamp) -> Result<Partitions, StoreError> {
        in_the_background(async {
            let mut kept = Partitions::default();
            if !are_there(self).await? {
                return Ok(kept);
            }
            let mut ended = Ok(());
            for (table, key) in TABLES {
                // What one table fails at is no reason to leave the other.
                ended = ended.and(self.keep_partitions_of(table, key, now, &mut kept).await);
            }
            ended.map(|()| kept)
        })
        .await
    }

    async fn keep_partitions_of(
        &self,
        table: &str,
        key: &str,
        now: Timestamp,
        kept: &mut Partitions,
    ) -> Result<(), StoreError> {
        while let Some(step) = patiently(|| self.step(table, key, now)).await? {
            match step {
                Step::Made(partition) => kept.made.push(partition),
                Step::Dropped(partition) => kept.dropped.push(partition),
            }
        }
        Ok(())
    }

    /// One partition, in a transaction of its own: whoever holds a lock on one table while it waits
    /// for another can wait in a circle.
    async fn step(
        &self,
        table: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Step>, StoreError> {
        let transaction = begin_alone(self).await?;
        let days = days(&transaction, table).await.map_err(unavailable)?;
        let today = now.as_millis().div_euclid(DAY_MILLIS);
        let oldest = now.minus_secs(LIFE_SECS_MAX).as_millis();
        let mut wanted = today..=today + DAYS_AHEAD;
        let is_over = |day: &&i64| (*day + 1) * DAY_MILLIS <= oldest;
        let (step, sql) = if let Some(&day) = days.iter().find(is_over) {
            let partition = name(table, day);
            let sql = format!("DROP TABLE {partition}");
            (Step::Dropped(partition), sql)
        } else if let Some(day) = wanted.find(|day| !days.contains(day)) {
            (Step::Made(name(table, day)), making(table, key, day))
        } else {
            // At once: the next table needs to be alone too.
            transaction.rollback().await.map_err(unavailable)?;
            return Ok(None);
        };
        let done = transaction.execute_unprepared(&sql).await;
        done.map_err(unavailable)?;
        end(transaction).await?;
        Ok(Some(step))
    }
}

/// What was done for one partition.
enum Step {
    Made(String),
    Dropped(String),
}

/// Does `work`, and again where others were in its way.
async fn patiently<T, F>(work: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>> + Send,
{
    for _ in 1..TRIES {
        match work().await {
            Err(error) if is_in_use(&error) => tokio::time::sleep(PAUSE).await,
            ended => return ended,
        }
    }
    work().await
}

/// Whether the tables have partitions.
pub(crate) async fn are_there(storage: &Storage) -> Result<bool, StoreError> {
    if storage.engine == Engine::Sqlite {
        return Ok(false);
    }
    let query = "SELECT EXISTS (SELECT FROM pg_class \
                 WHERE oid = to_regclass('sessions') AND relkind = 'p')";
    let query = Statement::from_string(DbBackend::Postgres, query);
    let row = storage.reading().await?.query_one_raw(query).await;
    let row = row.map_err(unavailable)?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0))
        .map_err(unavailable)
}

/// A transaction that no other node has the like of.
async fn begin_alone(storage: &Storage) -> Result<DatabaseTransaction, StoreError> {
    let transaction = storage.begin().await?;
    let alone = format!("{BEGIN_IN_THE_BACKGROUND}; SELECT pg_advisory_xact_lock({LOCK})");
    let is_alone = transaction.execute_unprepared(&alone).await;
    is_alone.map_err(unavailable)?;
    Ok(transaction)
}

/// The days that `table` has a partition for, since the Unix epoch.
async fn days(transaction: &DatabaseTransaction, table: &str) -> Result<BTreeSet<i64>, DbErr> {
    let query = format!(
        "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid \
         WHERE inhparent = '{table}'::regclass"
    );
    let query = Statement::from_string(DbBackend::Postgres, query);
    let mut days = BTreeSet::new();
    for row in transaction.query_all_raw(query).await? {
        let name: String = row.try_get_by_index(0)?;
        days.extend(day_in(table, &name));
    }
    Ok(days)
}

/// Makes the partition of `day`, with the rows of that day that lie in the default one.
///
/// It locks the whole table, for a moment: whoever had looked up its partitions before, and waited for
/// the default one alone, would then look for the rows where they no longer are.
fn making(table: &str, key: &str, day: i64) -> String {
    let partition = name(table, day);
    let [from, to] = [day, day + 1].map(first_id);
    format!(
        "CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS); \
         LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; \
         WITH moved AS (DELETE FROM {table}_default \
         WHERE {key} >= {from} AND {key} < {to} RETURNING *) \
         INSERT INTO {partition} SELECT * FROM moved; \
         ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({from}) TO ({to})"
    )
}

/// The first identifier of `day`, as a literal: 6 bytes of time, and nothing after them.
fn first_id(day: i64) -> String {
    format!("'\\x{:012x}'::bytea", day * DAY_MILLIS)
}

/// The name of a partition, with its day as an operator reads it.
fn name(table: &str, day: i64) -> String {
    let date = i32::try_from(day)
        .ok()
        .and_then(|day| Date::from_julian_day(day.saturating_add(EPOCH)).ok())
        .unwrap_or(Date::MAX);
    let (year, month, day) = date.to_calendar_date();
    format!("{table}_{year:04}{:02}{day:02}", u8::from(month))
}

/// The day in the name of a partition; `None` for the default one, and for what others made.
fn day_in(table: &str, name: &str) -> Option<i64> {
    let date = name.strip_prefix(table)?.strip_prefix('_')?;
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let [year, month, day] = [&date[..4], &date[4..6], &date[6..]];
    let month: u8 = month.parse().ok()?;
    let date = Date::from_calendar_date(
        year.parse().ok()?,
        month.try_into().ok()?,
        day.parse().ok()?,
    );
    Some(i64::from(date.ok()?.to_julian_day() - EPOCH))
}

/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_after_its_day() {
        for (day, expected) in [
            (0, "sessions_19700101"),
            (20_780, "sessions_20261123"),
            (20_880, "sessions_20270303"),
        ] {
            assert_eq!(name("sessions", day), expected);
            assert_eq!(day_in("sessions", expected), Some(day), "{expected}");
        }
        for other in ["sessions_default", "sessions_2026112", "sessions_20261301"] {
            assert_eq!(day_in("sessions", other), None, "{other}");
        }
    }

    #[test]
    fn a_day_begins_with_the_first_identifier_of_its_first_millisecond() {
        let now = Timestamp::from_millis(20_780 * DAY_MILLIS);
        let id = otpost_domain::SessionId::new(now, [0; 16]);
        let time = id.as_bytes()[..6].iter();
        let time = time.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        assert_eq!(first_id(20_780), format!("'\\x{time:012x}'::bytea"));
    }
}
