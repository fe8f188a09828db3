//! Answers that are kept to be said again to a request that its caller wants carried out once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, small_integer};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kept_answers = Table::create()
            .table("kept_answers")
            // Keyed digests: neither the key nor the request, which may contain a code, is here.
            .col(blob("key").primary_key())
            .col(blob("request"))
            // Zeros where the answer is about no session. No foreign key: where tables are
            // partitioned, one cannot be had.
            .col(blob("session_id"))
            .col(blob("answer"))
            // The first instant at which it is forgotten.
            .col(big_integer("until_at"))
            // How often another request to verify came under the key.
            .col(small_integer("conflicts"))
            .take();
        manager.create_table(kept_answers).await?;

        // For the purge.
        let by_time = Index::create()
            .name("kept_answers_by_until_at")
            .table("kept_answers")
            .col("until_at")
            .take();
        manager.create_index(by_time).await?;
        // For the erasure of a recipient.
        let by_session = Index::create()
            .name("kept_answers_by_session_id")
            .table("kept_answers")
            .col("session_id")
            .take();
        manager.create_index(by_session).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("kept_answers").take())
            .await
    }
}
