//! `otpost migrate`

use secrecy::{ExposeSecret as _, SecretString};

use crate::compose::{storage_from_url, vault_from_settings};
use crate::settings::{Problems, Settings};
use crate::{Failure, say};

pub(super) async fn up(settings: &Settings) -> Result<(), Failure> {
    let vault = vault_from_settings(&settings.secrets).map_err(|one| Problems(vec![one]))?;
    let storage = storage_from_url(&settings.database.url, vault).await?;
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
    let storage = storage_from_url(&without_creating(&settings.database.url), vault).await?;
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
fn without_creating(url: &SecretString) -> SecretString {
    url.expose_secret().replace("mode=rwc", "mode=rw").into()
}
