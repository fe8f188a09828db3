//! Where a key is accepted from, and when it was last used.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Ranges of addresses, blanks between them; anywhere where there are none.
        let allowed_from = text("allowed_from").default("").take();
        // SQLite alters one column at a time.
        for column in [allowed_from, big_integer_null("last_used_at")] {
            let api_keys = Table::alter().table("api_keys").add_column(column).take();
            manager.alter_table(api_keys).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["last_used_at", "allowed_from"] {
            let api_keys = Table::alter().table("api_keys").drop_column(column).take();
            manager.alter_table(api_keys).await?;
        }
        Ok(())
    }
}
