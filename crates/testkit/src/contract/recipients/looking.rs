//! Looking recipients up.

use otpost_domain::{Mode, ProjectName};
use otpost_ports::{Scope, StoredSession};

use super::{acme, look_up, opening_of, other, owner, release, tests, to_stranger};
use crate::contract::Storage;
use crate::contract::quotas::{everyone, fail};
use crate::sample::{self, NOON};

/// A look shows the sessions of the recipient in its scope, whole, the newest first, and no
/// other's.
pub async fn a_look_shows_the_sessions_of_its_scope(storage: &Storage) {
    let live = opening_of(storage, 1, owner("acme", Mode::Live));
    let test = opening_of(storage, 2, owner("acme", Mode::Test));
    let elsewhere = opening_of(storage, 3, owner("other", Mode::Live));
    let strange = opening_of(storage, 4, owner("acme", Mode::Live));
    let strange = to_stranger(storage, strange);
    for opening in [&test, &live, &elsewhere, &strange] {
        storage.keep(opening.clone()).await;
    }
    let [live, test, elsewhere] = [live, test, elsewhere].map(StoredSession::from);

    for (scope, expected) in [
        (Scope::Installation, vec![&elsewhere, &test, &live]),
        (acme(), vec![&test, &live]),
        (other(), vec![&elsewhere]),
        (tests(), vec![&test]),
        (Scope::Tests(sample::project("other")), vec![]),
        (Scope::Project(sample::project("acm")), vec![]),
    ] {
        let found = look_up(storage, &scope, 9).await;
        let newest: Vec<_> = found.newest.iter().collect();
        assert_eq!(newest, expected, "{scope:?}");
        let sessions = u64::try_from(expected.len()).unwrap();
        assert_eq!(found.sessions, sessions, "{scope:?}");
        assert_eq!(found.failures, 0, "{scope:?}");
    }
}

/// A look shows no more sessions than were asked for, the newest, and counts all.
pub async fn a_look_shows_the_newest_and_counts_all(storage: &Storage) {
    for number in [2, 4, 1, 3] {
        let opening = opening_of(storage, number, sample::owner());
        storage.keep(opening).await;
    }
    for scope in [Scope::Installation, acme()] {
        for (limit, expected) in [(0, vec![]), (2, vec![4, 3]), (9, vec![4, 3, 2, 1])] {
            let found = look_up(storage, &scope, limit).await;
            let opened = found.newest.iter().map(|one| one.session.opened_at());
            let expected: Vec<_> = expected
                .into_iter()
                .map(|secs| NOON.plus_secs(secs))
                .collect();
            assert_eq!(opened.collect::<Vec<_>>(), expected, "{scope:?}: {limit}");
            assert_eq!(found.sessions, 4, "{scope:?}: {limit}");
        }
    }
}

/// A look shows the failures as they count in its scope, and changes none.
pub async fn a_look_shows_the_failures_of_its_scope(storage: &Storage) {
    fail(storage, 100, 3).await;
    let before = everyone(storage).await;
    assert_failures(storage, [3, 3, 3]).await;
    assert_eq!(everyone(storage).await, before);

    assert!(release(storage, &acme()).await);
    assert_failures(storage, [3, 0, 3]).await;
    fail(storage, 110, 1).await;
    assert_failures(storage, [4, 1, 4]).await;
}

/// The failures over the installation, in the project that was guessed at, and in another one;
/// among tests there are none.
async fn assert_failures(storage: &Storage, expected: [u32; 3]) {
    let scopes = [Scope::Installation, acme(), other()];
    for (scope, expected) in scopes.into_iter().zip(expected) {
        let failures = look_up(storage, &scope, 0).await.failures;
        assert_eq!(failures, expected, "{scope:?}");
    }
    let project: ProjectName = sample::owner().project;
    let tests = look_up(storage, &Scope::Tests(project), 0).await;
    assert_eq!(tests.failures, 0);
}
