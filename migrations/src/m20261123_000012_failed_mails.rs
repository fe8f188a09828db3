//! Finding mails that failed, among all that were sent.

use sea_orm_migration::prelude::*;

/// For the newest that failed, and for the one with an identifier that an operator begins to write.
/// Few fail: what is sent writes to neither.
const INDEXES: [(&str, &str); 2] = [
    ("deliveries_failed_by_session_id", "session_id"),
    ("deliveries_failed_by_message", "message"),
];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in INDEXES {
            // State 2 is failed.
            let failed = Index::create()
                .name(name)
                .table("deliveries")
                .col(column)
                .and_where(Expr::col("state").eq(2))
                .take();
            manager.create_index(failed).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            let failed = Index::drop().name(name).table("deliveries").to_owned();
            manager.drop_index(failed).await?;
        }
        Ok(())
    }
}
