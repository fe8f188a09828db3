//! Finding the sessions of a recipient.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // For what is shown and erased of a recipient. An identifier begins with its time, so that
        // the newest are read in order.
        let by_recipient = Index::create()
            .name("sessions_by_recipient")
            .table("sessions")
            .col("recipient")
            .col("id")
            .take();
        manager.create_index(by_recipient).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let by_recipient = Index::drop()
            .name("sessions_by_recipient")
            .table("sessions")
            .to_owned();
        manager.drop_index(by_recipient).await
    }
}
