//! The statements of a purge within its transaction, on a file or on a server. On a file they have the
//! connection of the commands: with a thread between, others would wait for each of them.

use otpost_ports::StoreError;
use rusqlite::params_from_iter;
use sea_orm::DeleteMany;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryTrait, Statement, UpdateMany};

use crate::convert::Table;
use crate::error::{reading, unavailable};
use crate::tables::file::{Bound, FileTables, other_type};

/// What a purge asks of a transaction, and before that of a connection.
pub(super) trait Statements {
    /// The first column of each row, which is bytes.
    async fn keys(&self, of: Table, rows: &SelectStatement) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Whether there is any row.
    async fn is_any(&self, rows: &SelectStatement) -> Result<bool, StoreError>;

    /// Changes rows, and says how many.
    async fn update<E: EntityTrait>(&self, rows: UpdateMany<E>) -> Result<u64, StoreError>;

    /// Deletes rows, and says how many.
    async fn delete<E: EntityTrait>(&self, rows: DeleteMany<E>) -> Result<u64, StoreError>;
}

impl<C: ConnectionTrait> Statements for C {
    async fn keys(&self, of: Table, rows: &SelectStatement) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = self.query_all(rows).await.map_err(unavailable)?;
        let keys = rows.iter().map(|row| row.try_get_by_index(0));
        keys.collect::<Result<_, _>>().map_err(reading(of.0))
    }

    async fn is_any(&self, rows: &SelectStatement) -> Result<bool, StoreError> {
        let one = self.query_one(rows).await.map_err(unavailable)?;
        Ok(one.is_some())
    }

    async fn update<E: EntityTrait>(&self, rows: UpdateMany<E>) -> Result<u64, StoreError> {
        let updated = rows.exec(self).await.map_err(unavailable)?;
        Ok(updated.rows_affected)
    }

    async fn delete<E: EntityTrait>(&self, rows: DeleteMany<E>) -> Result<u64, StoreError> {
        let deleted = rows.exec(self).await.map_err(unavailable)?;
        Ok(deleted.rows_affected)
    }
}

impl Statements for FileTables<'_> {
    async fn keys(&self, of: Table, rows: &SelectStatement) -> Result<Vec<Vec<u8>>, StoreError> {
        let (sql, values) = built(DbBackend::Sqlite.build(rows));
        let mut select = self.0.prepare(&sql).map_err(unavailable)?;
        let keys = select.query_map(params_from_iter(values), |row| row.get(0));
        keys.and_then(Iterator::collect)
            .map_err(|error| match error {
                rusqlite::Error::InvalidColumnType(..) => other_type(of),
                error => unavailable(error),
            })
    }

    async fn is_any(&self, rows: &SelectStatement) -> Result<bool, StoreError> {
        let (sql, values) = built(DbBackend::Sqlite.build(rows));
        let mut select = self.0.prepare(&sql).map_err(unavailable)?;
        select.exists(params_from_iter(values)).map_err(unavailable)
    }

    async fn update<E: EntityTrait>(&self, rows: UpdateMany<E>) -> Result<u64, StoreError> {
        self.execute(rows.build(DbBackend::Sqlite))
    }

    async fn delete<E: EntityTrait>(&self, rows: DeleteMany<E>) -> Result<u64, StoreError> {
        self.execute(rows.build(DbBackend::Sqlite))
    }
}

impl FileTables<'_> {
    /// The text of most is another for each number of rows: none is kept beside those of commands.
    fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        let (sql, values) = built(statement);
        let mut statement = self.0.prepare(&sql).map_err(unavailable)?;
        let changed = statement.execute(params_from_iter(values));
        let changed = changed.map_err(unavailable)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }
}

fn built(statement: Statement) -> (String, impl Iterator<Item = Bound>) {
    let values = statement.values.into_iter().flatten().map(Bound);
    (statement.sql, values)
}
