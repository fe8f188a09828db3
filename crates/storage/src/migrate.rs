//! Bringing the schema up to the program, and comparing the two.

use otpost_migrations::Migrator;
use otpost_ports::StoreError;
use sea_orm::ConnectionTrait;
use sea_orm_migration::{MigrationStatus as Status, MigratorTrait};

use crate::server_settings::begin_migration;
use crate::{SchemaError, Storage};

/// A migration that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub is_applied: bool,
}

impl Storage {
    /// Applies every migration that the database misses, all or none, and gives their names.
    ///
    /// Where any are missing it holds a lock meanwhile: of two programs that start at once, one
    /// migrates, and the other waits for it.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Ahead`] for a database of a newer program, which stays as it is;
    /// [`SchemaError::Driver`] when a migration fails.
    pub async fn migrate(&self) -> Result<Vec<String>, SchemaError> {
        if self.migrations().await?.iter().all(|one| one.is_applied) {
            return Ok(Vec::new());
        }
        let transaction = self.begin().await.map_err(driver)?;
        if self.engine.is_server() {
            let alone = begin_migration(self.has_partitions);
            transaction.execute_unprepared(&alone).await?;
        }
        // Asked again under the lock: another program may have been faster.
        let pending = Migrator::get_pending_migrations_read_only(&transaction).await?;
        let names = pending.iter().map(|one| one.name().to_owned()).collect();
        Migrator::up(&transaction, None).await?;
        transaction.commit().await?;
        Ok(names)
    }

    /// Every migration that this program knows, in order, and whether the database has it.
    /// Changes nothing.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Ahead`] for a database of a newer program; [`SchemaError::Driver`].
    pub async fn migrations(&self) -> Result<Vec<MigrationStatus>, SchemaError> {
        let executor = self.reading().await.map_err(driver)?;
        let known = Migrator::get_migration_with_status_read_only(&executor).await?;
        Ok(known
            .iter()
            .map(|one| MigrationStatus {
                name: one.name().to_owned(),
                is_applied: one.status() == Status::Applied,
            })
            .collect())
    }
}

fn driver(error: StoreError) -> SchemaError {
    match error {
        StoreError::Unavailable(source) => SchemaError::Driver(source),
        StoreError::Corrupt { .. } | StoreError::Vault(_) => SchemaError::Driver(error.into()),
    }
}
