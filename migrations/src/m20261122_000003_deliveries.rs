//! The outbox: the last mail of each session, one row per session.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, small_integer, small_integer_null, text_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No foreign key to `sessions`: where tables are partitioned, one cannot be had.
        let deliveries = Table::create()
            .table("deliveries")
            .col(blob("session_id").primary_key())
            .col(blob("message"))
            .col(big_integer("generation"))
            .col(small_integer("state"))
            .col(big_integer("due_at"))
            .col(big_integer("tries"))
            .col(blob_null("lease_token"))
            .col(big_integer_null("lease_until"))
            .col(small_integer_null("reply_code"))
            .col(text_null("reply_enhanced"))
            .take();
        manager.create_table(deliveries).await?;

        // Only what waits is in it (state 0 is queued): a poll reads no mail that was sent.
        let queued = Index::create()
            .name("deliveries_queued_by_due_at")
            .table("deliveries")
            .col("due_at")
            .and_where(Expr::col("state").eq(0))
            .take();
        manager.create_index(queued).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("deliveries").take())
            .await
    }
}
