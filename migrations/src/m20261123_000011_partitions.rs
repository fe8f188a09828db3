//! Partitions of the tables that grow with every session; on `PostgreSQL`, unless they are not wanted.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// The tables, each with the identifier of the session that it is partitioned by, and its indexes.
const TABLES: [(&str, &str, &[&str]); 2] = [
    (
        "sessions",
        "id",
        &[
            "CREATE INDEX sessions_by_state_and_hard_end ON sessions (state, hard_end)",
            "CREATE INDEX sessions_by_recipient ON sessions (recipient, id)",
        ],
    ),
    (
        "deliveries",
        "session_id",
        &["CREATE INDEX deliveries_queued_by_due_at ON deliveries (due_at) WHERE state = 0"],
    ),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !are_wanted(manager).await? {
            return Ok(());
        }
        for (table, key, indexes) in TABLES {
            // Rows come to lie in the default partition until those of days are made: what makes
            // them knows the time.
            run(
                manager,
                &format!(
                    "ALTER TABLE {table} RENAME TO {table}_before; \
                     CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS) \
                     PARTITION BY RANGE ({key}); \
                     CREATE TABLE {table}_default PARTITION OF {table} DEFAULT; \
                     INSERT INTO {table} SELECT * FROM {table}_before; \
                     DROP TABLE {table}_before; \
                     ALTER TABLE {table} ADD PRIMARY KEY ({key})"
                ),
            )
            .await?;
            for index in indexes {
                run(manager, index).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !are_wanted(manager).await? {
            return Ok(());
        }
        for (table, key, indexes) in TABLES {
            run(
                manager,
                &format!(
                    "CREATE TABLE {table}_after (LIKE {table} INCLUDING DEFAULTS); \
                     INSERT INTO {table}_after SELECT * FROM {table}; \
                     DROP TABLE {table}; \
                     ALTER TABLE {table}_after RENAME TO {table}; \
                     ALTER TABLE {table} ADD PRIMARY KEY ({key})"
                ),
            )
            .await?;
            for index in indexes {
                run(manager, index).await?;
            }
        }
        Ok(())
    }
}

/// Whoever migrates says so for the length of the transaction; where nobody does, they are.
async fn are_wanted(manager: &SchemaManager<'_>) -> Result<bool, DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(false);
    }
    let query = "SELECT current_setting('otpost.has_partitions', true) IS DISTINCT FROM 'false'";
    let query = Statement::from_string(DbBackend::Postgres, query);
    let row = manager.get_connection().query_one_raw(query).await?;
    row.map_or(Ok(true), |row| row.try_get_by_index(0))
}

async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager
        .get_connection()
        .execute_unprepared(sql)
        .await
        .map(|_| ())
}
