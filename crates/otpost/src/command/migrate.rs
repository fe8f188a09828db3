//! `otpost migrate`

use secrecy::ExposeSecret as _;

use crate::compose::{storage_from_settings, vault_from_settings};
use crate::settings::{Database, Problems, Settings};
use crate::{Failure, say};

pub(super) async fn up(settings: &Settings) -> Result<(), Failure> {
    let vault = vault_from_settings(&settings.secrets).map_err(|one| Problems(vec![one]))?;
    let storage = storage_from_settings(&settings.database, vault).await?;
    let names = storage.migrate().await?;
    storage.close().await;
    if names.is_empty() {
        return say("The database has every migration already.");
    }
    names
        .iter()
        .try_for_each(|name| say(&format!("applied  {name}")))
}

pub(super) async fn status(settings: &Settings) -> Result<(), Failure> {
    let vault = vault_from_settings(&settings.secrets).map_err(|one| Problems(vec![one]))?;
    let storage = storage_from_settings(&without_creating(&settings.database), vault).await?;
    let migrations = storage.migrations().await?;
    storage.close().await;
    for migration in &migrations {
        let state = if migration.is_applied {
            "applied"
        } else {
            "missing"
        };
        say(&format!("{state}  {}", migration.name))?;
    }
    let missing = migrations.iter().filter(|one| !one.is_applied).count();
    if missing == 0 {
        Ok(())
    } else {
        Err(format!("{missing} migrations are missing: run `otpost migrate`").into())
    }
}

/// The same database, which is not made when it is missing.
pub(super) fn without_creating(database: &Database) -> Database {
    let url = database.url.expose_secret();
    let url = if url.starts_with("sqlite:") {
        url.replace("mode=rwc", "mode=rw")
    } else {
        url.to_owned()
    };
    Database {
        url: url.into(),
        ..database.clone()
    }
}
