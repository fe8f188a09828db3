//! The promises of [`KeyStore`](otpost_ports::KeyStore).

use otpost_domain::{Mode, Permissions, Timestamp};
use otpost_ports::{AuditAction, AuditEntry, KeyRecord, ProjectRecord};

use super::Storage;
use crate::sample::{self, NOON};

/// A project of a name that is taken is refused, and the first one stays as it is.
pub async fn a_project_is_created_once(storage: &Storage) {
    let project = sample::project_record("acme");
    let again = ProjectRecord {
        created_at: NOON.plus_secs(1),
        ..project.clone()
    };

    assert!(create(storage, project.clone()).await);
    assert!(!create(storage, again).await);
    assert_eq!(storage.keys.projects().await.unwrap(), [project]);
}

/// Projects are listed in the order of their names.
pub async fn projects_are_listed_by_name(storage: &Storage) {
    for name in ["beta", "acme", "gamma"] {
        assert!(create(storage, sample::project_record(name)).await);
    }

    let projects = storage.keys.projects().await.unwrap();
    let names: Vec<_> = projects.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["acme", "beta", "gamma"]);
}

/// What is kept of a key is found as it was, to the last field.
pub async fn a_key_is_found_with_every_field(storage: &Storage) {
    create(storage, sample::project_record("acme")).await;
    let live = sample::key_record(1);
    let test = KeyRecord {
        mode: Mode::Test,
        permissions: Permissions::default(),
        expires_at: None,
        revoked_at: Some(NOON.plus_secs(9)),
        last_used_at: Some(NOON.plus_secs(8)),
        ..sample::key_record(2)
    };
    let ranges = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"];
    let narrow = KeyRecord {
        permissions: Permissions::parse("otp admin").unwrap(),
        allowed_from: ranges.map(|range| range.parse().unwrap()).to_vec(),
        ..sample::key_record(3)
    };

    for key in [live, test, narrow] {
        assert!(insert(storage, &key).await);
        assert_eq!(fields(&find(storage, &key).await.unwrap()), fields(&key));
    }
}

/// An unknown key is an answer, not an error, and not somebody else's key.
pub async fn a_key_that_was_never_kept_is_none(storage: &Storage) {
    keep(storage, &[1]).await;

    assert!(find(storage, &sample::key_record(1)).await.is_some());
    assert!(find(storage, &sample::key_record(2)).await.is_none());
}

/// A key of a project that does not exist is refused and not kept.
pub async fn a_key_needs_its_project(storage: &Storage) {
    let key = sample::key_record(1);

    assert!(!insert(storage, &key).await);
    assert!(find(storage, &key).await.is_none());
    assert!(storage.keys.keys().await.unwrap().is_empty());
}

/// Keys are listed in the order of their creation.
pub async fn keys_are_listed_oldest_first(storage: &Storage) {
    keep(storage, &[2, 3, 1]).await;

    let keys = storage.keys.keys().await.unwrap();
    let created: Vec<_> = keys.iter().map(|key| key.created_at).collect();
    assert_eq!(created, [1, 2, 3].map(|secs| NOON.plus_secs(secs)));
}

/// A revoked key is still found, revoked, since the first time it was.
pub async fn a_key_is_revoked_for_good(storage: &Storage) {
    keep(storage, &[1]).await;
    let key = sample::key_record(1);
    let first = NOON.plus_secs(60);

    for now in [first, first.plus_secs(60)] {
        assert!(revoke(storage, &key, now).await);
        let found = find(storage, &key).await.unwrap();
        assert_eq!(found.revoked_at, Some(first));
    }
}

/// To revoke a key that is not there says so, and leaves the others alone.
pub async fn nothing_else_is_revoked(storage: &Storage) {
    keep(storage, &[1, 2]).await;

    assert!(!revoke(storage, &sample::key_record(3), NOON).await);
    assert!(revoke(storage, &sample::key_record(2), NOON).await);
    let other = find(storage, &sample::key_record(1)).await.unwrap();
    assert_eq!(other.revoked_at, None);
}

/// The last use of a key is the latest that was told, in whatever order.
pub async fn the_last_use_moves_only_forwards(storage: &Storage) {
    keep(storage, &[1, 2]).await;
    let (first, second) = (sample::key_record(1), sample::key_record(2));

    for (secs, expected) in [(60, 60), (30, 60), (60, 60), (90, 90)] {
        note_use(storage, &first, secs).await;
        let found = find(storage, &first).await.unwrap();
        assert_eq!(found.last_used_at, Some(NOON.plus_secs(expected)));
    }
    let other = find(storage, &second).await.unwrap();
    assert_eq!(other.last_used_at, None);
}

/// The use of a key that is not there is no error, makes no key, and hides no other use.
pub async fn the_use_of_an_unknown_key_is_passed_over(storage: &Storage) {
    keep(storage, &[1, 3]).await;
    let records = [1, 2, 3].map(sample::key_record);
    let at = NOON.plus_secs(60);
    let uses = [1, 2, 3].map(|number| (sample::key(number).id(), at));

    storage.keys.note_uses(&uses).await.unwrap();
    storage.keys.note_uses(&[]).await.unwrap();

    assert!(find(storage, &records[1]).await.is_none());
    for known in [&records[0], &records[2]] {
        let found = find(storage, known).await.unwrap();
        assert_eq!(found.last_used_at, Some(at));
    }
}

async fn note_use(storage: &Storage, key: &KeyRecord, secs: u32) {
    let uses = [(key.id, NOON.plus_secs(secs))];
    storage.keys.note_uses(&uses).await.unwrap();
}

async fn create(storage: &Storage, project: ProjectRecord) -> bool {
    let entry = sample::project_entry(project.name.as_str());
    storage.keys.create_project(project, entry).await.unwrap()
}

async fn insert(storage: &Storage, key: &KeyRecord) -> bool {
    let entry = sample::key_entry(AuditAction::KeyCreated, key);
    storage.keys.insert_key(key.clone(), entry).await.unwrap()
}

async fn keep(storage: &Storage, numbers: &[u8]) {
    create(storage, sample::project_record("acme")).await;
    for number in numbers {
        let key = sample::key_record(*number);
        assert!(insert(storage, &key).await);
    }
}

async fn find(storage: &Storage, key: &KeyRecord) -> Option<KeyRecord> {
    storage.keys.find_key(&key.id).await.unwrap()
}

async fn revoke(storage: &Storage, key: &KeyRecord, now: Timestamp) -> bool {
    let entry = AuditEntry {
        at: now,
        ..sample::key_entry(AuditAction::KeyRevoked, key)
    };
    storage.keys.revoke_key(&key.id, entry).await.unwrap()
}

/// A key in a form that can be compared and shown: digests cannot be, on purpose.
fn fields(key: &KeyRecord) -> String {
    format!("{key:?}")
}
