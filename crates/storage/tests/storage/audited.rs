//! The audit log: no change without its entry, and no entry without its change.

use otpost_ports::{AuditAction, AuditLog, KeyStore, RecipientStore, Scope, SessionStore};
use otpost_testkit::sample;
use sea_orm::{DatabaseConnection, DbBackend};

use crate::counted::{counters, opening, quotas, recipient, wrong_guess};
use crate::support::{Place, assert_unavailable, find, judged, on_both, open, run};

on_both! {
    where_no_entry_can_be_written_nothing_is_done
}

async fn fail_entries(other: &DatabaseConnection) {
    let trigger = match other.get_database_backend() {
        DbBackend::Postgres => {
            "CREATE FUNCTION no_entry() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''no entry''; END'; \
             CREATE TRIGGER no_entry BEFORE INSERT ON audit_log \
             FOR EACH ROW EXECUTE FUNCTION no_entry()"
        }
        _ => {
            "CREATE TRIGGER no_entry BEFORE INSERT ON audit_log \
             BEGIN SELECT RAISE(ABORT, 'no entry'); END"
        }
    };
    run(other, trigger).await;
}

async fn where_no_entry_can_be_written_nothing_is_done(place: Place) {
    let storage = place.storage().await;
    let quotas = quotas(9);
    let (acme, key) = (sample::project_record("acme"), sample::key_record(1));
    let entry = sample::project_entry("acme");
    assert!(storage.create_project(acme, entry).await.unwrap());
    let created = |key| sample::key_entry(AuditAction::KeyCreated, key);
    assert!(
        storage
            .insert_key(key.clone(), created(&key))
            .await
            .unwrap()
    );
    let opened = opening(&place, 1, &quotas);
    open(&storage, opened.clone()).await;
    let guess = wrong_guess(&place, &opened, &quotas);
    judged(storage.apply(opened.session.id(), guess).await);
    let stored = find(&storage, opened.session.id()).await;
    fail_entries(&place.other().await).await;

    let umbrella = sample::project_record("umbrella");
    let entry = sample::project_entry("umbrella");
    assert_unavailable(storage.create_project(umbrella, entry).await);
    let other = sample::key_record(2);
    assert_unavailable(storage.insert_key(other.clone(), created(&other)).await);
    let revoked = sample::key_entry(AuditAction::KeyRevoked, &key);
    assert_unavailable(storage.revoke_key(&key.id, revoked).await);
    let (digest, scope) = (sample::recipient(&*place.vault), Scope::Installation);
    let entry = |action| sample::recipient_entry(action, &scope, Some(digest));
    let shown = entry(AuditAction::RecipientShown);
    assert_unavailable(storage.look_up(&digest, &scope, 9, shown).await);
    let released = entry(AuditAction::RecipientReleased);
    assert_unavailable(storage.release(&digest, &scope, released).await);
    let erased = sample::recipient_entry(AuditAction::RecipientErased, &scope, None);
    assert_unavailable(storage.erase(&digest, &scope, erased).await);

    assert_eq!(storage.projects().await.unwrap().len(), 1);
    assert!(storage.find_key(&other.id).await.unwrap().is_none());
    let kept = storage.find_key(&key.id).await.unwrap().unwrap();
    assert_eq!(kept.revoked_at, None);
    assert_eq!(counters(&storage, &recipient(&place)).await.failures, 1);
    assert_eq!(find(&storage, opened.session.id()).await, stored);
    assert_eq!(storage.entries(None, 9).await.unwrap().len(), 2);
}
