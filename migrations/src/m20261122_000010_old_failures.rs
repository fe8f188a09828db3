//! Since when a recipient fails, and finding failures that nobody added to for long.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let counters = Table::alter()
            .table("counters")
            .add_column(big_integer_null("failing_since"))
            .take();
        manager.alter_table(counters).await?;

        // For the purge. Rows without failures have an index of their own.
        let with_failures = Index::create()
            .name("counters_with_failures_by_used_at")
            .table("counters")
            .col("used_at")
            .and_where(Expr::col("failures").gt(0))
            .take();
        manager.create_index(with_failures).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let with_failures = Index::drop()
            .name("counters_with_failures_by_used_at")
            .table("counters")
            .to_owned();
        manager.drop_index(with_failures).await?;
        let counters = Table::alter()
            .table("counters")
            .drop_column("failing_since")
            .take();
        manager.alter_table(counters).await
    }
}
