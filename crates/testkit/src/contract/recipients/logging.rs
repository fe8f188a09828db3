//! The audit log.

use otpost_domain::Timestamp;
use otpost_ports::{
    AUDIT_RETENTION_SECS, Actor, AuditAction, AuditEntry, KeyRecord, ProjectRecord, Scope,
};

use super::{acme, entries, named, recipient, stranger};
use crate::contract::Storage;
use crate::contract::quotas::fail;
use crate::sample::{self, NOON, just_before};

/// What changes something is written down with it, to the last field; the newest comes first.
pub async fn each_act_is_written_down(storage: &Storage) {
    let key = sample::key_record(1);
    let project = sample::project_record("acme");
    let (recipient, stranger) = (recipient(storage), stranger(storage));
    fail(storage, 100, 1).await;
    let of_recipient = |action, scope: &Scope, about| sample::recipient_entry(action, scope, about);
    let mut expected = [
        sample::project_entry("acme"),
        sample::key_entry(AuditAction::KeyCreated, &key),
        sample::key_entry(AuditAction::KeyRevoked, &key),
        of_recipient(AuditAction::RecipientShown, &acme(), Some(recipient)),
        of_recipient(
            AuditAction::RecipientReleased,
            &Scope::Installation,
            Some(recipient),
        ),
        of_recipient(AuditAction::RecipientErased, &acme(), None),
    ];
    for (secs, entry) in (1..).zip(&mut expected) {
        entry.at = NOON.plus_secs(secs);
        if secs % 2 == 0 {
            entry.actor = Actor::Key(sample::key(9).id());
        }
    }
    let [created, inserted, mut revoked, shown, released, erased] = expected.clone();
    // The project is that of the key, which nobody needs to know beforehand.
    revoked.project = None;

    assert!(create(storage, project, created).await);
    assert!(insert(storage, key.clone(), inserted).await);
    assert!(revoke(storage, &key, revoked).await);
    let recipients = &storage.recipients;
    let looked = recipients.look_up(&recipient, &acme(), 0, shown).await;
    looked.unwrap();
    let everywhere = Scope::Installation;
    let is_released = recipients.release(&recipient, &everywhere, released).await;
    assert!(is_released.unwrap());
    recipients.erase(&stranger, &acme(), erased).await.unwrap();

    expected.reverse();
    assert_eq!(entries(storage).await, expected);
}

/// What changes nothing is not written down.
pub async fn what_changes_nothing_is_not_written_down(storage: &Storage) {
    let key = sample::key_record(1);
    let created = sample::key_entry(AuditAction::KeyCreated, &key);
    let revoked = sample::key_entry(AuditAction::KeyRevoked, &key);
    let project = sample::project_record("acme");
    let entry = sample::project_entry("acme");
    assert!(!insert(storage, key.clone(), created.clone()).await);
    assert!(!revoke(storage, &key, revoked.clone()).await);
    assert_eq!(entries(storage).await, []);

    assert!(create(storage, project.clone(), entry.clone()).await);
    assert!(insert(storage, key.clone(), created).await);
    assert!(revoke(storage, &key, revoked.clone()).await);
    let before = entries(storage).await;
    assert_eq!(before.len(), 3);

    assert!(!create(storage, project, entry).await);
    assert!(revoke(storage, &key, revoked).await);
    let uses = [(key.id, NOON.plus_secs(9))];
    storage.keys.note_uses(&uses).await.unwrap();
    assert_eq!(entries(storage).await, before);
}

/// The newest entries are shown, no more than were asked for.
pub async fn the_newest_entries_come_first_and_no_more_than_asked_for(storage: &Storage) {
    for secs in 1..=4 {
        shown(storage, NOON.plus_secs(secs), secs % 2 == 0).await;
    }
    for (limit, expected) in [
        (0, vec![]),
        (1, vec![4]),
        (3, vec![4, 3, 2]),
        (9, vec![4, 3, 2, 1]),
    ] {
        let entries = storage.audit.entries(None, limit).await.unwrap();
        assert_eq!(seconds(&entries), expected, "{limit}");
    }
}

/// Asked for a recipient, the log shows the entries about it alone, as many as were asked for.
pub async fn entries_are_shown_of_one_recipient(storage: &Storage) {
    for secs in 1..=5 {
        shown(storage, NOON.plus_secs(secs), secs % 2 == 0).await;
    }
    let of_project = sample::project_entry("acme");
    create(storage, sample::project_record("acme"), of_project).await;

    let (recipient, stranger) = (recipient(storage), stranger(storage));
    assert_eq!(seconds(&named(storage, &recipient).await), [5, 3, 1]);
    assert_eq!(seconds(&named(storage, &stranger).await), [4, 2]);
    let newest = storage.audit.entries(Some(&recipient), 2).await.unwrap();
    assert_eq!(seconds(&newest), [5, 3]);
}

/// A purge forgets entries after two years, and not before.
pub async fn a_purge_forgets_old_entries(storage: &Storage) {
    shown(storage, NOON.plus_secs(1), false).await;
    shown(storage, NOON.plus_secs(2), true).await;
    let over = NOON.plus_secs(AUDIT_RETENTION_SECS).plus_secs(1);

    storage.sessions.purge(just_before(over), 9).await.unwrap();
    assert_eq!(seconds(&entries(storage).await), [2, 1]);

    storage.sessions.purge(over, 9).await.unwrap();
    assert_eq!(seconds(&entries(storage).await), [2]);
}

/// Somebody looked a recipient up.
async fn shown(storage: &Storage, at: Timestamp, is_stranger: bool) {
    let recipient = if is_stranger {
        stranger(storage)
    } else {
        recipient(storage)
    };
    let action = AuditAction::RecipientShown;
    let entry = AuditEntry {
        at,
        ..sample::recipient_entry(action, &acme(), Some(recipient))
    };
    let recipients = &storage.recipients;
    let found = recipients.look_up(&recipient, &acme(), 0, entry).await;
    found.unwrap();
}

/// How long after [`NOON`] they were made.
fn seconds(entries: &[AuditEntry]) -> Vec<u32> {
    entries
        .iter()
        .map(|entry| NOON.secs_until(entry.at))
        .collect()
}

async fn create(storage: &Storage, project: ProjectRecord, entry: AuditEntry) -> bool {
    storage.keys.create_project(project, entry).await.unwrap()
}

async fn insert(storage: &Storage, key: KeyRecord, entry: AuditEntry) -> bool {
    storage.keys.insert_key(key, entry).await.unwrap()
}

async fn revoke(storage: &Storage, key: &KeyRecord, entry: AuditEntry) -> bool {
    storage.keys.revoke_key(&key.id, entry).await.unwrap()
}
