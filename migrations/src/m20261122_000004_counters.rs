//! Counters: what a subject has used of its limits, and the wrong guesses against an address.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let counters = Table::create()
            .table("counters")
            // Its first byte is the kind; a person is in it as a keyed digest only.
            .col(blob("subject").primary_key())
            // When what was admitted is paid back, in microseconds since the Unix epoch; which
            // limit has which of the three depends on the kind.
            .col(big_integer("paid_1"))
            .col(big_integer("paid_2"))
            .col(big_integer("paid_3"))
            .col(big_integer("failures"))
            // When the row was last written, in milliseconds.
            .col(big_integer("used_at"))
            .take();
        manager.create_table(counters).await?;

        // For the purge. A row with failures is kept, and is not in it.
        let without_failures = Index::create()
            .name("counters_without_failures_by_used_at")
            .table("counters")
            .col("used_at")
            .and_where(Expr::col("failures").eq(0))
            .take();
        manager.create_index(without_failures).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("counters").take())
            .await
    }
}
