//! What a [`RecipientStore`](otpost_ports::RecipientStore) and an
//! [`AuditLog`](otpost_ports::AuditLog) promise.

mod erasing;
mod logging;
mod looking;
mod releasing;

pub use erasing::*;
pub use logging::*;
pub use looking::*;
pub use releasing::*;

use otpost_domain::{Address, FoldedAddress, Mode, SessionId};
use otpost_ports::{
    Admitted, AuditAction, AuditEntry, Command, Erased, Opening, Owner, Quotas, RecipientDigest,
    RecipientRecord, Scope, SealedField,
};

use super::Storage;
use super::quotas::counted;
use crate::sample::{self, NOON};

/// One who has nothing to do with [`sample::address`].
const STRANGER: &str = "stranger@example.com";

fn acme() -> Scope {
    Scope::Project(sample::project("acme"))
}

fn other() -> Scope {
    Scope::Project(sample::project("other"))
}

fn tests() -> Scope {
    Scope::Tests(sample::project("acme"))
}

fn recipient(storage: &Storage) -> RecipientDigest {
    sample::recipient(&*storage.vault)
}

fn stranger(storage: &Storage) -> RecipientDigest {
    let address = Address::parse(STRANGER).unwrap();
    storage.vault.digest(&FoldedAddress::of(&address))
}

fn owner(project: &str, mode: Mode) -> Owner {
    Owner {
        project: sample::project(project),
        mode,
    }
}

/// Sample `number` of another owner, opened `number` seconds after [`NOON`].
fn opening_of(storage: &Storage, number: u8, owner: Owner) -> Opening {
    let at = NOON.plus_secs(number.into());
    let mut opening = sample::opening_at(&*storage.vault, number, sample::terms(), at);
    opening.context.owner = owner;
    opening
}

/// The same opening, to [`STRANGER`].
fn to_stranger(storage: &Storage, mut opening: Opening) -> Opening {
    let sealed = storage.vault.seal(
        opening.session.id(),
        SealedField::Address,
        STRANGER.as_bytes(),
    );
    opening.context.address = sealed.unwrap();
    opening.context.recipient = stranger(storage);
    opening
}

async fn look_up(storage: &Storage, scope: &Scope, limit: u32) -> RecipientRecord {
    let recipient = recipient(storage);
    let entry = sample::recipient_entry(AuditAction::RecipientShown, scope, Some(recipient));
    let found = storage.recipients.look_up(&recipient, scope, limit, entry);
    found.await.unwrap()
}

async fn release(storage: &Storage, scope: &Scope) -> bool {
    let recipient = recipient(storage);
    let entry = sample::recipient_entry(AuditAction::RecipientReleased, scope, Some(recipient));
    let released = storage.recipients.release(&recipient, scope, entry);
    released.await.unwrap()
}

async fn erase(storage: &Storage, scope: &Scope) -> u64 {
    let erased = erase_of(storage, &recipient(storage), scope).await;
    erased.sessions
}

async fn erase_of(storage: &Storage, recipient: &RecipientDigest, scope: &Scope) -> Erased {
    let entry = sample::recipient_entry(AuditAction::RecipientErased, scope, None);
    let erased = storage.recipients.erase(recipient, scope, entry);
    erased.await.unwrap()
}

async fn entries(storage: &Storage) -> Vec<AuditEntry> {
    storage.audit.entries(None, 99).await.unwrap()
}

async fn named(storage: &Storage, recipient: &RecipientDigest) -> Vec<AuditEntry> {
    storage.audit.entries(Some(recipient), 99).await.unwrap()
}

/// Asks to open a session in a project, against `quotas`.
async fn open(storage: &Storage, number: u8, project: &str, quotas: &Quotas) -> Admitted {
    let opening = Opening {
        quotas: Some(quotas.clone()),
        ..opening_of(storage, number, owner(project, Mode::Live))
    };
    storage.sessions.open(opening).await.unwrap()
}

/// A wrong guess of a project at a session of it.
fn guess(storage: &Storage, opening: &Opening) -> Command {
    let right = sample::code(&*storage.vault, opening, 0);
    let at = opening.session.opened_at();
    let submit = sample::submit(&sample::wrong(&right), at);
    Command {
        owner: opening.context.owner.clone(),
        ..counted(submit, &sample::verify_quotas(&[]))
    }
}

/// Whether a session is there, for its owner.
async fn is_there(storage: &Storage, owner: &Owner, id: &SessionId) -> bool {
    let found = storage.sessions.find(owner, id).await.unwrap();
    found.is_some()
}
