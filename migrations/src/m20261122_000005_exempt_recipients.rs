//! Whether mails of a session are exempt from the limits of recipients.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::boolean;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sessions = Table::alter()
            .table("sessions")
            .add_column(boolean("is_exempt").default(false))
            .take();
        manager.alter_table(sessions).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sessions = Table::alter()
            .table("sessions")
            .drop_column("is_exempt")
            .take();
        manager.alter_table(sessions).await
    }
}
