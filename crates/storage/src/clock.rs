//! The clock of this node beside that of the server that all nodes share.

use otpost_ports::{Clock, StoreError};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::Storage;
use crate::engine::Engine;
use crate::error::unavailable;
use crate::storage::in_time;

impl Storage {
    /// By how many milliseconds `clock` is ahead of the database's; negative where it is behind,
    /// `None` where both are of one machine. True to half the time that the answer takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`].
    pub async fn millis_ahead(&self, clock: &dyn Clock) -> Result<Option<i64>, StoreError> {
        if self.engine == Engine::Sqlite {
            return Ok(None);
        }
        let query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let query = Statement::from_string(DbBackend::Postgres, query);
        in_time(|| async {
            let connection = self.reading().await?;
            let before = clock.now().as_millis();
            let row = connection.query_one_raw(query.clone()).await;
            let here = i64::midpoint(before, clock.now().as_millis());
            let row = row.map_err(unavailable)?;
            let there: Option<i64> = row
                .map(|row| row.try_get_by_index(0))
                .transpose()
                .map_err(unavailable)?;
            Ok(there.map(|there| here - there))
        })
        .await
    }
}
