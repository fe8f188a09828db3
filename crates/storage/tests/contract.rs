//! The promises of the ports, kept by either engine.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;

use otpost_cluster::{Database, Pooler};
use otpost_storage::{Settings, Storage};
use otpost_testkit::{FakeVault, contract};
use tempfile::TempDir;

async fn migrated(settings: Settings) -> contract::Storage {
    let vault = Arc::new(FakeVault::new());
    let storage = Storage::connect(&settings, vault.clone()).await.unwrap();
    storage.migrate().await.unwrap();
    contract::Storage::of(Arc::new(storage), vault)
}

/// In a file, as in production. The folder lives as long as the test.
async fn file() -> Option<(TempDir, contract::Storage)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("otpost.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    Some((folder, migrated(Settings::at(url)).await))
}

/// On a server, in a database that lives as long as the test.
async fn server() -> Option<(Database, contract::Storage)> {
    let database = Database::create().await?;
    let storage = migrated(Settings::at(database.url())).await;
    Some((database, storage))
}

/// On a server, without partitions.
async fn plain_tables() -> Option<(Database, contract::Storage)> {
    let database = Database::create().await?;
    let settings = Settings {
        has_partitions: false,
        ..Settings::at(database.url())
    };
    Some((database, migrated(settings).await))
}

/// On a server behind a pooler, whose few connections all requests share.
async fn pooler() -> Option<((Pooler, Database), contract::Storage)> {
    let database = Database::create().await?;
    let url = database.url().to_owned();
    let pooler = tokio::task::spawn_blocking(move || Pooler::for_test(&url));
    let pooler = pooler.await.unwrap().unwrap()?;
    let settings = Settings {
        has_pooler: true,
        ..Settings::at(pooler.url(database.name()))
    };
    let storage = migrated(settings).await;
    Some(((pooler, database), storage))
}

/// Every suite, on what `$build` makes.
macro_rules! promises {
    ($build:expr) => {
        mod session_store {
            otpost_testkit::session_store_contract!($build);
        }

        mod quotas {
            otpost_testkit::quotas_contract!($build);
        }

        mod idempotency {
            otpost_testkit::idempotency_contract!($build);
        }

        mod outbox {
            otpost_testkit::outbox_contract!($build);
        }

        mod key_store {
            otpost_testkit::key_store_contract!($build);
        }

        mod recipients {
            otpost_testkit::recipients_contract!($build);
        }
    };
}

mod sqlite {
    promises!(crate::file());
}

mod postgres {
    promises!(crate::server());
}

mod postgres_through_a_pooler {
    promises!(crate::pooler());
}

mod postgres_without_partitions {
    otpost_testkit::session_store_contract!(crate::plain_tables());
}
