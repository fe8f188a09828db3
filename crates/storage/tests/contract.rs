//! The promises of the ports, kept by SQLite.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;

use otpost_storage::{Settings, Storage};
use otpost_testkit::{FakeVault, contract};
use tempfile::TempDir;

async fn migrated(url: String) -> contract::Storage {
    let vault = Arc::new(FakeVault::new());
    let storage = Storage::connect(&Settings { url }, vault.clone())
        .await
        .unwrap();
    storage.migrate().await.unwrap();
    contract::Storage::of(Arc::new(storage), vault)
}

/// In a file, as in production. The folder lives as long as the test.
async fn file() -> (TempDir, contract::Storage) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("otpost.db");
    let storage = migrated(format!("sqlite://{}?mode=rwc", path.display())).await;
    (folder, storage)
}

mod session_store {
    otpost_testkit::session_store_contract!(super::file());
}

mod quotas {
    otpost_testkit::quotas_contract!(super::file());
}

mod idempotency {
    otpost_testkit::idempotency_contract!(super::file());
}

mod outbox {
    otpost_testkit::outbox_contract!(super::file());
}

mod key_store {
    otpost_testkit::key_store_contract!(super::file());
}

mod recipients {
    otpost_testkit::recipients_contract!(super::file());
}
