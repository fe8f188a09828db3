//! Whether a connection to a server is of use: it answers, and the server takes writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Error, Row};

/// A connection that was idle for longer is asked before it is used.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How long a connection that is about to be used may take to answer. In the time that is left of
/// a caller's, another one is made.
const BEFORE_USE: Duration = Duration::from_millis(500);

/// How long a connection that was used may take, what was cut off in it included. Without an answer
/// it would count as in use for as long as the system believes in it, which is a quarter of an hour.
const AFTER_USE: Duration = Duration::from_secs(2);

/// What is known of the connections of a pool. A clone knows the same.
///
/// What one connection met, the others will: where the name of the server has moved to another one,
/// they hang on the old one, or are refused by it, each in turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    last_bad: Arc<Mutex<Option<Instant>>>,
}

impl Health {
    /// Whether a connection that was idle for so long may be used.
    pub(super) async fn before_use(
        &self,
        connection: &mut PgConnection,
        idle: Duration,
    ) -> Result<bool, Error> {
        let is_doubtful = idle > IDLE_MAX || self.is_bad_within(idle);
        if !is_doubtful {
            return Ok(true);
        }
        takes_writes(connection, BEFORE_USE).await
    }

    /// Whether a connection that was used may be kept.
    pub(super) async fn after_use(&self, connection: &mut PgConnection) -> Result<bool, Error> {
        let is_good = takes_writes(connection, AFTER_USE).await;
        if !matches!(is_good, Ok(true)) {
            let mut last_bad = self.last_bad.lock().unwrap_or_else(PoisonError::into_inner);
            *last_bad = Some(Instant::now());
        }
        is_good
    }

    fn is_bad_within(&self, time: Duration) -> bool {
        let last_bad = self.last_bad.lock().unwrap_or_else(PoisonError::into_inner);
        last_bad.is_some_and(|last_bad| last_bad.elapsed() <= time)
    }
}

/// Refuses a connection to a server that takes no writes, such as a standby: what is read there may
/// be older than what was answered.
pub(super) async fn refuse_read_only(connection: &mut PgConnection) -> Result<(), Error> {
    if takes_writes(connection, AFTER_USE).await? {
        Ok(())
    } else {
        Err(Error::Configuration("the server is read-only".into()))
    }
}

async fn takes_writes(connection: &mut PgConnection, within: Duration) -> Result<bool, Error> {
    let question = sqlx::raw_sql("SHOW transaction_read_only").fetch_one(connection);
    let answer = tokio::time::timeout(within, question).await;
    let row = answer.map_err(|_| Error::PoolTimedOut)??;
    Ok(row.try_get_unchecked::<String, _>(0)? == "off")
}
