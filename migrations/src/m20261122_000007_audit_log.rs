//! The audit log: what was done with projects, keys and recipients, and by whom.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_pk_auto, blob_null, small_integer, text, text_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let audit_log = Table::create()
            .table("audit_log")
            // Drawn by the database, so that any number of nodes may write. It is unique, and tells
            // entries of one instant apart; the order is that of `at`.
            .col(big_pk_auto("id"))
            .col(big_integer("at"))
            .col(small_integer("actor_kind"))
            .col(text("actor"))
            .col(text("action"))
            .col(text_null("project"))
            .col(text_null("key_id"))
            // A keyed digest, and null once that recipient was erased.
            .col(blob_null("recipient"))
            .take();
        manager.create_table(audit_log).await?;

        // For the newest entries, and for the purge.
        let by_time = Index::create()
            .name("audit_log_by_at")
            .table("audit_log")
            .col("at")
            .col("id")
            .take();
        manager.create_index(by_time).await?;
        // For the newest entries about a recipient, and for its erasure.
        let by_recipient = Index::create()
            .name("audit_log_by_recipient")
            .table("audit_log")
            .col("recipient")
            .col("at")
            .col("id")
            .and_where(Expr::col("recipient").is_not_null())
            .take();
        manager.create_index(by_recipient).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("audit_log").take())
            .await
    }
}
