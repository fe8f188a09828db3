//! The fakes keep every promise of their ports.

use std::sync::Arc;

use otpost_testkit::contract::{Mailbox, Storage};
use otpost_testkit::{FakeVault, MemoryInbox, MemoryStore};

#[expect(
    clippy::unused_async,
    reason = "the form in which a suite asks for an adapter"
)]
async fn storage() -> Option<((), Storage)> {
    let vault = Arc::new(FakeVault::new());
    let store = Arc::new(MemoryStore::new(vault.clone()));
    Some(((), Storage::of(store, vault)))
}

#[expect(
    clippy::unused_async,
    reason = "the form in which a suite asks for an adapter"
)]
async fn mailbox() -> Option<((), Mailbox)> {
    Some(((), Mailbox::of(Arc::new(MemoryInbox::new()))))
}

mod session_store {
    otpost_testkit::session_store_contract!(super::storage());
}

mod quotas {
    otpost_testkit::quotas_contract!(super::storage());
}

mod idempotency {
    otpost_testkit::idempotency_contract!(super::storage());
}

mod outbox {
    otpost_testkit::outbox_contract!(super::storage());
}

mod key_store {
    otpost_testkit::key_store_contract!(super::storage());
}

mod recipients {
    otpost_testkit::recipients_contract!(super::storage());
}

mod inbox {
    otpost_testkit::inbox_contract!(super::mailbox());
}

mod vault {
    otpost_testkit::vault_contract!(otpost_testkit::FakeVault::new());
}
