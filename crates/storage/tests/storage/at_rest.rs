//! What lies on the disk: who may read it, what is erased, what survives. What is about files is for
//! `SQLite` alone: those of a server are its own.

use std::fs;

use otpost_ports::{
    AuditAction, CodeSecret, Command, Context, Once, Opening, RETENTION_SECS, RecipientStore,
    Scope, SessionStore,
};
use otpost_testkit::sample::{self, NOON};

use crate::support::{Place, find, is_on_disk, judged, on_both, open, value};

on_both! {
    a_session_that_ends_loses_its_secret_in_that_commit
    a_purge_closes_as_the_domain_does_and_erases_the_secret
    a_secret_handed_in_with_a_closed_session_is_not_kept
}

/// Sessions with anything that is erased when they end.
const SECRETS: &str = "SELECT COUNT(*) FROM sessions WHERE variables IS NOT NULL \
                       OR secret_kid IS NOT NULL OR secret_nonce IS NOT NULL";

#[tokio::test]
async fn a_fresh_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::file();
    let storage = place.storage().await;
    place.open(&storage, 1).await;

    let path = place.path();
    let log = path.with_extension("db-wal");
    for file in [path, log] {
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_created_unasked() {
    let place = Place::file();
    let settings = place.file_settings("rw");

    let refused = otpost_storage::Storage::connect(&settings, place.vault.clone()).await;

    assert!(refused.is_err());
    assert!(!place.path().exists());
}

async fn a_session_that_ends_loses_its_secret_in_that_commit(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;

    let (verified, right) = place.open(&storage, 1).await;
    assert_eq!(value::<i64>(&other, SECRETS).await, 1);
    judged(
        storage
            .apply(verified.session.id(), sample::submit(&right, NOON))
            .await,
    );
    assert_eq!(value::<i64>(&other, SECRETS).await, 0, "verified");

    let (exhausted, right) = place.open(&storage, 2).await;
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    for left in (0..5).rev() {
        judged(storage.apply(exhausted.session.id(), wrong.clone()).await);
        let secrets = value::<i64>(&other, SECRETS).await;
        assert_eq!(secrets, i64::from(left > 0), "{left} attempts left");
    }

    let (over, right) = place.open(&storage, 3).await;
    assert_eq!(value::<i64>(&other, SECRETS).await, 1);
    let late = sample::submit(&right, over.session.hard_end());
    judged(storage.apply(over.session.id(), late).await);
    assert_eq!(value::<i64>(&other, SECRETS).await, 0, "hard end");
}

async fn a_purge_closes_as_the_domain_does_and_erases_the_secret(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    let (opening, _) = place.open(&storage, 1).await;
    let now = opening.session.hard_end().plus_secs(5);

    let purged = storage.purge(now, 10).await.unwrap();

    assert_eq!((purged.closed, purged.deleted), (1, 0));
    assert_eq!(value::<i64>(&other, SECRETS).await, 0);
    let stored = find(&storage, opening.session.id()).await;
    assert_eq!(stored.context.variables, None);
    assert_eq!(stored.session, opening.session.close_at_hard_end(now));
}

#[tokio::test]
async fn what_is_erased_is_overwritten_on_the_disk() {
    let place = Place::file();
    let storage = place.storage().await;
    let is_on_disk = |secret: &[u8]| is_on_disk(&place, secret);
    let mut erased = Vec::new();
    for number in 1..=20 {
        let (opening, right) = place.open(&storage, number).await;
        let id = opening.session.id();
        let nonce = opening.secret.unwrap().nonce;
        assert!(is_on_disk(&nonce), "the scan finds what is there");
        judged(storage.apply(id, sample::submit(&right, NOON)).await);
        let Context {
            address, variables, ..
        } = opening.context;
        erased.extend([nonce.to_vec(), address.0, variables.unwrap().0]);
    }
    let later = NOON.plus_secs(2 * RETENTION_SECS);
    let kept = sample::opening_at(&*place.vault, 21, sample::terms(), later);
    open(&storage, kept.clone()).await;
    assert_eq!(storage.purge(later, 99).await.unwrap().deleted, 20);
    storage.close().await;

    for secret in erased {
        assert!(!is_on_disk(&secret));
    }
    assert!(is_on_disk(&kept.secret.unwrap().nonce), "a row that stays");
}

#[tokio::test]
async fn no_file_holds_a_code_or_an_address_or_a_request_in_clear() {
    let place = Place::file();
    let storage = place.storage().await;
    let once = |key: &str, body: &str| -> Option<Once> {
        let until = NOON.plus_secs(86_400);
        Some(sample::once(&*place.vault, key, body, until))
    };
    let opening = Opening {
        once: once("key of the mail", r#"{"email":"person@example.com"}"#),
        ..sample::opening(&*place.vault, 1)
    };
    open(&storage, opening.clone()).await;
    let right = sample::code(&*place.vault, &opening, 0);
    let guesses = [sample::wrong(&right), right];
    for guess in &guesses {
        let body = format!(r#"{{"code":"{}"}}"#, guess.reveal());
        let command = Command {
            once: once(&format!("key of {}", guess.reveal()), &body),
            ..sample::submit(guess, NOON)
        };
        judged(storage.apply(opening.session.id(), command).await);
    }
    let recipient = sample::recipient(&*place.vault);
    let scope = Scope::Installation;
    let entry = sample::recipient_entry(AuditAction::RecipientShown, &scope, Some(recipient));
    storage.look_up(&recipient, &scope, 1, entry).await.unwrap();
    let other = place.other().await;
    let answers = "SELECT COUNT(*) FROM kept_answers";
    assert_eq!(value::<i64>(&other, answers).await, 3);

    assert!(
        is_on_disk(&place, &recipient.0),
        "the scan finds what is there"
    );
    for text in ["person@", "example.com", "key of", "\"code\"", "Firefox"] {
        assert!(!is_on_disk(&place, text.as_bytes()), "{text}");
    }
    for guess in &guesses {
        assert!(!is_on_disk(&place, guess.reveal().as_bytes()));
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_program_that_just_ends() {
    let place = Place::file();
    let storage = place.storage().await;
    let (opening, right) = place.open(&storage, 1).await;
    let id = opening.session.id();
    judged(
        storage
            .apply(id, sample::submit(&sample::wrong(&right), NOON))
            .await,
    );
    let before = find(&storage, id).await;
    // A copy of the files as they lie there is what a killed program leaves: nothing was closed.
    let left = Place::file();
    for file in ["otpost.db", "otpost.db-wal"] {
        let name = |place: &Place| place.path().with_file_name(file);
        fs::copy(name(&place), name(&left)).unwrap();
    }

    let again = left.storage().await;
    assert_eq!(find(&again, id).await, before);
    assert_eq!(before.session.attempts(), 1);

    drop(storage);
    let reopened = place.storage().await;
    assert_eq!(find(&reopened, id).await, before);
    judged(reopened.apply(id, sample::submit(&right, NOON)).await);
}

async fn a_secret_handed_in_with_a_closed_session_is_not_kept(place: Place) {
    let storage = place.storage().await;
    let mut opening = sample::closed_opening(&*place.vault, 1);
    opening.secret = Some(CodeSecret {
        kid: 1,
        nonce: [7; 32],
    });

    assert!(opening.context.variables.is_some());

    open(&storage, opening.clone()).await;

    let stored = find(&storage, opening.session.id()).await;
    assert_eq!((stored.secret, stored.context.variables), (None, None));
    assert_eq!(value::<i64>(&place.other().await, SECRETS).await, 0);
}
