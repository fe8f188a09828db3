//! Copying an installation into another database: all of it, or nothing.

use std::error::Error;

use otpost_domain::Timestamp;
use otpost_migrations::Migrator;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    ModelTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value,
};
use sea_orm_migration::{MigratorTrait, SchemaManager};

use crate::entity::{api_key, audit_entry, counters, delivery, kept_answer, project, session};
use crate::error::reading;
use crate::server_settings::BEGIN_IN_THE_BACKGROUND;
use crate::{SchemaError, Storage};

/// So many rows are in memory at once. `SQLite` takes 32 766 values in a statement, and a session
/// has 28.
const BATCH: u64 = 1_000;

/// Every table, in the order in which whoever writes comes to them.
const TABLES: [&str; 7] = [
    "sessions",
    "deliveries",
    "kept_answers",
    "counters",
    "projects",
    "api_keys",
    "audit_log",
];

type Cause = Box<dyn Error + Send + Sync>;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows were in it, and are in the copy.
    pub rows: u64,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database to copy from cannot be read, or is not at the schema of this program.
    #[error("the database to copy from: {0}")]
    From(#[source] Cause),
    /// The database to copy to cannot be written.
    #[error("the database to copy to: {0}")]
    To(#[source] Cause),
    /// There is something in the database to copy to.
    #[error("the database to copy to is not empty: it has rows in {table}")]
    NotEmpty {
        /// A table that has rows.
        table: &'static str,
    },
    /// The copy of a table has another number of rows.
    #[error("{from} rows of {table} were to be copied, and {to} were")]
    Differs {
        /// Which.
        table: &'static str,
        /// Its rows in the database to copy from.
        from: u64,
        /// Its rows in the copy.
        to: u64,
    },
}

impl Storage {
    /// Copies every row into `target`, which gets its tables first and must have no rows. Nobody
    /// else writes to either database meanwhile: the services on them answer that they cannot.
    ///
    /// # Errors
    ///
    /// [`CopyError`]: `target` then has no rows, or those that it had.
    pub async fn copy_to(&self, target: &Self, now: Timestamp) -> Result<Vec<Copied>, CopyError> {
        let from = alone(self).await.map_err(CopyError::From)?;
        refuse_filled(&target.begin().await.map_err(to)?).await?;
        target.migrate().await.map_err(to)?;
        // A database that is in use, or the same one, is found out soon.
        drop(alone(target).await.map_err(CopyError::To)?);
        // Before there are rows, so that none has to be moved.
        target.keep_partitions(now).await.map_err(to)?;
        let into = alone(target).await.map_err(CopyError::To)?;
        refuse_filled(&into).await?;
        let copied = vec![
            copy::<project::Entity>(&from, &into, project::Column::Name).await?,
            copy::<api_key::Entity>(&from, &into, api_key::Column::Id).await?,
            copy::<session::Entity>(&from, &into, session::Column::Id).await?,
            copy::<delivery::Entity>(&from, &into, delivery::Column::SessionId).await?,
            copy::<kept_answer::Entity>(&from, &into, kept_answer::Column::Key).await?,
            copy::<counters::Entity>(&from, &into, counters::Column::Subject).await?,
            copy::<audit_entry::Entity>(&from, &into, audit_entry::Column::Id).await?,
        ];
        if target.engine.is_server() {
            // SQLite goes on behind the highest number by itself.
            let go_on = "SELECT setval(pg_get_serial_sequence('audit_log', 'id'), max(id)) \
                         FROM audit_log";
            into.execute_unprepared(go_on).await.map_err(to)?;
        }
        into.commit().await.map_err(to)?;
        Ok(copied)
    }
}

fn to(error: impl Into<Cause>) -> CopyError {
    CopyError::To(error.into())
}

/// A transaction that may take long, on the schema of this program, beside which nobody writes or
/// migrates.
async fn alone(storage: &Storage) -> Result<DatabaseTransaction, Cause> {
    let transaction = storage.begin().await?;
    check_schema(&transaction).await?;
    if storage.engine.is_server() {
        let lock = format!(
            "{BEGIN_IN_THE_BACKGROUND}; \
             SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE {}, seaql_migrations IN EXCLUSIVE MODE",
            TABLES.join(", ")
        );
        transaction.execute_unprepared(&lock).await?;
        // Another program may have been faster.
        check_schema(&transaction).await?;
    }
    Ok(transaction)
}

async fn check_schema(transaction: &DatabaseTransaction) -> Result<(), SchemaError> {
    let missing = Migrator::get_pending_migrations_read_only(transaction).await?;
    match missing.len() {
        0 => Ok(()),
        pending => Err(SchemaError::Behind { pending }),
    }
}

/// Refuses a database with a row in one of those tables that it has.
async fn refuse_filled(transaction: &DatabaseTransaction) -> Result<(), CopyError> {
    let schema = SchemaManager::new(transaction);
    for table in TABLES {
        if !schema.has_table(table).await.map_err(to)? {
            continue;
        }
        let query = format!("SELECT 1 FROM {table} LIMIT 1");
        let query = Statement::from_string(transaction.get_database_backend(), query);
        let row = transaction.query_one_raw(query).await.map_err(to)?;
        if row.is_some() {
            return Err(CopyError::NotEmpty { table });
        }
    }
    Ok(())
}

/// Copies the rows of a table as they are, in the order of their `key`.
async fn copy<E>(
    from: &DatabaseTransaction,
    into: &DatabaseTransaction,
    key: E::Column,
) -> Result<Copied, CopyError>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E> + IntoActiveModel<E::ActiveModel> + Sync,
{
    let table = E::default().table_name();
    let unread = |error: DbErr| CopyError::From(reading(table)(error).into());
    let mut last: Option<Value> = None;
    loop {
        let mut rows = E::find().order_by_asc(key).limit(BATCH);
        if let Some(last) = last.take() {
            rows = rows.filter(key.gt(last));
        }
        let rows = rows.all(from).await.map_err(unread)?;
        let Some(row) = rows.last() else {
            break;
        };
        last = Some(row.get(key));
        let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
        E::insert_many(rows)
            .exec_without_returning(into)
            .await
            .map_err(to)?;
    }
    let there = E::find().count(from).await.map_err(unread)?;
    let here = E::find().count(into).await.map_err(to)?;
    if there == here {
        Ok(Copied { table, rows: here })
    } else {
        Err(CopyError::Differs {
            table,
            from: there,
            to: here,
        })
    }
}
