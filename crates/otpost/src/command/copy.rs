//! `otpost copy`

use std::sync::Arc;

use otpost_ports::{Clock as _, Vault};
use otpost_storage::Storage;
use secrecy::SecretString;

use super::migrate::without_creating;
use super::table::table;
use crate::cli::CopyArgs;
use crate::clock::SystemClock;
use crate::compose::vault_from_settings;
use crate::settings::{Database, Problems, Settings};
use crate::{Failure, say};

pub(super) async fn run(settings: &Settings, args: CopyArgs) -> Result<(), Failure> {
    let vault = vault_from_settings(&settings.secrets).map_err(|one| Problems(vec![one]))?;
    let place = |url: Option<SecretString>| Database {
        url: url.unwrap_or_else(|| settings.database.url.clone()),
        ..settings.database.clone()
    };
    let (from, to) = (without_creating(&place(args.from)), place(args.to));
    let from = open("copy from", &from, &vault).await?;
    let to = open("copy to", &to, &vault).await?;

    let copied = from.copy_to(&to, SystemClock.now()).await;
    to.close().await;
    from.close().await;
    let copied = copied.map_err(|error| format!("nothing was copied: {error}"))?;

    let rows: Vec<_> = copied
        .iter()
        .map(|one| [one.table.to_owned(), one.rows.to_string()])
        .collect();
    say(&format!(
        "{}\n\
         \n\
         Everything is copied, and the rows are counted on both sides. Next:\n\
         \n\
         \x20 1. Set database.url to the new database, where it does not name it yet.\n\
         \x20 2. Keep the secrets as they are: the new database is of use with them alone.\n\
         \x20 3. otpost serve\n\
         \x20 4. Delete the old database once all is well: it holds personal data.",
        table(["TABLE", "ROWS"], &rows)
    ))
}

async fn open(what: &str, database: &Database, vault: &Arc<dyn Vault>) -> Result<Storage, Failure> {
    let opened = Storage::connect(&database.storage(), Arc::clone(vault)).await;
    Ok(opened.map_err(|error| format!("nothing was copied: the database to {what}: {error}"))?)
}
