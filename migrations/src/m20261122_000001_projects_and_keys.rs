//! Projects, and the API keys that belong to them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, small_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let projects = Table::create()
            .table("projects")
            .col(text("name").primary_key())
            .col(big_integer("created_at"))
            .take();
        manager.create_table(projects).await?;

        let api_keys = Table::create()
            .table("api_keys")
            .col(text("id").primary_key())
            .col(text("project"))
            .col(small_integer("mode"))
            .col(text("permissions"))
            .col(blob("digest"))
            .col(big_integer("created_at"))
            .col(big_integer_null("expires_at"))
            .col(big_integer_null("revoked_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("api_keys", "project")
                    .to("projects", "name"),
            )
            .take();
        manager.create_table(api_keys).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["api_keys", "projects"] {
            manager
                .drop_table(Table::drop().table(table).take())
                .await?;
        }
        Ok(())
    }
}
