//! Finding the sessions of a recipient on `PostgreSQL` in the order of their time, and nothing else by the same index.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const NAME: &str = "sessions_by_recipient";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    /// With the identifier in it, it could be read from one end to the other for one session: `PostgreSQL` does
    /// so where it knows that a partition is empty, and keeps the plan when it no longer is. The time, with which an
    /// identifier begins, gives the same order.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace(manager, &["recipient", "opened_at"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        replace(manager, &["recipient", "id"]).await
    }
}

async fn replace(manager: &SchemaManager<'_>, columns: &[&'static str]) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let old = Index::drop().name(NAME).table("sessions").to_owned();
    manager.drop_index(old).await?;
    let mut new = Index::create();
    new.name(NAME).table("sessions");
    for column in columns {
        new.col(*column);
    }
    manager.create_index(new).await
}
