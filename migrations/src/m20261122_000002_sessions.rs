//! Sessions: the state machine, its terms, what it is about, and what its codes are derived from.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, small_integer, small_integer_null, text,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sessions = Table::create()
            .table("sessions")
            // 22 bytes, time first: new rows land at the end of the index.
            .col(blob("id").primary_key())
            .col(text("project"))
            .col(small_integer("mode"))
            .col(blob("address"))
            .col(blob("recipient"))
            .col(text("template"))
            .col(text("language"))
            .col(blob_null("variables"))
            .col(big_integer("lifetime_secs"))
            .col(small_integer("code_length"))
            .col(small_integer("attempts_max"))
            .col(small_integer("resends_max"))
            .col(big_integer("cooldown_secs"))
            .col(big_integer("code_lifetime_max_secs"))
            .col(small_integer("resend_policy"))
            .col(big_integer("opened_at"))
            .col(big_integer("hard_end"))
            .col(big_integer("expires_at"))
            .col(small_integer("attempts"))
            .col(small_integer("state"))
            // Set once the session is closed.
            .col(big_integer_null("closed_at"))
            // Set while the session waits.
            .col(big_integer_null("generation"))
            .col(small_integer_null("resends"))
            .col(big_integer_null("code_issued_at"))
            .col(big_integer_null("mailed_at"))
            .col(big_integer_null("secret_kid"))
            .col(blob_null("secret_nonce"))
            .take();
        manager.create_table(sessions).await?;

        // For the purge: what waits past its hard end, and what is closed past its retention.
        let by_end = Index::create()
            .name("sessions_by_state_and_hard_end")
            .table("sessions")
            .col("state")
            .col("hard_end")
            .take();
        manager.create_index(by_end).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("sessions").take())
            .await
    }
}
