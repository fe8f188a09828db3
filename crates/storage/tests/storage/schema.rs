//! The schema: there and back, once, and never of another program.

use otpost_migrations::Migrator;
use otpost_ports::{AuditAction, KeyStore, Readiness, SessionStore};
use otpost_storage::SchemaError;
use otpost_testkit::sample::{self, NOON};
use sea_orm::DatabaseConnection;
use sea_orm_migration::MigratorTrait;

use crate::support::{Place, assert_unavailable, find, run, value};

const TABLES: &str = "SELECT COUNT(*) FROM sqlite_schema WHERE type IN ('table', 'index') \
                      AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'";

#[tokio::test]
async fn the_schema_goes_up_and_down_and_up_again() {
    let place = Place::new();
    let storage = place.storage().await;
    let other = place.other().await;
    assert_eq!(value::<i64>(&other, TABLES).await, 16);
    let ready = storage.ready().await;
    assert!(ready.is_ok(), "{ready:?}");

    Migrator::down(&other, None).await.unwrap();
    assert_eq!(value::<i64>(&other, TABLES).await, 0);
    assert_unavailable(storage.ready().await);

    assert_eq!(
        storage.migrate().await.unwrap().len(),
        Migrator::migrations().len()
    );
    assert_eq!(value::<i64>(&other, TABLES).await, 16);
    place.open(&storage, 1).await;
    assert!(
        storage
            .create_project(
                sample::project_record("acme"),
                sample::project_entry("acme")
            )
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn every_single_migration_undoes_itself() {
    let place = Place::new();
    place.storage().await;
    let other = place.other().await;

    for _ in Migrator::migrations() {
        Migrator::down(&other, Some(1)).await.unwrap();
        Migrator::up(&other, Some(1)).await.unwrap();
        Migrator::down(&other, Some(1)).await.unwrap();
    }

    assert_eq!(value::<i64>(&other, TABLES).await, 0);
}

#[tokio::test]
async fn a_session_from_before_is_not_exempt_of_limits() {
    let place = Place::new();
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let other = place.other().await;
    let column = "SELECT COUNT(*) FROM pragma_table_info('sessions') WHERE name = 'is_exempt'";

    down_before(&other, "exempt_recipients").await;
    assert_eq!(value::<i64>(&other, column).await, 0);
    storage.migrate().await.unwrap();

    let stored = find(&storage, opening.session.id()).await;
    assert_eq!(stored, opening.into());
    assert!(!stored.context.is_exempt);
}

#[tokio::test]
async fn a_key_from_before_is_accepted_from_anywhere_and_never_used() {
    let place = Place::new();
    let storage = place.storage().await;
    let (acme, key) = (sample::project_record("acme"), sample::key_record(1));
    let entry = sample::project_entry("acme");
    assert!(storage.create_project(acme, entry).await.unwrap());
    let entry = sample::key_entry(AuditAction::KeyCreated, &key);
    assert!(storage.insert_key(key.clone(), entry).await.unwrap());
    let other = place.other().await;

    down_before(&other, "uses_of_keys").await;
    storage.migrate().await.unwrap();

    let found = storage.find_key(&key.id).await.unwrap().unwrap();
    assert_eq!(found.digest.0, key.digest.0);
    assert_eq!(found.allowed_from, []);
    assert_eq!(found.last_used_at, None);
}

/// Takes back the migration of this name, and every later one.
async fn down_before(connection: &DatabaseConnection, name: &str) {
    let migrations = Migrator::migrations();
    let place = migrations.iter().position(|one| one.name().ends_with(name));
    let steps = migrations.len() - place.unwrap();
    let steps = u32::try_from(steps).unwrap();
    Migrator::down(connection, Some(steps)).await.unwrap();
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let place = Place::new();
    let storage = place.storage().await;

    assert_eq!(storage.migrate().await.unwrap(), Vec::<String>::new());
    assert!(storage.ready().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_programs_that_start_at_once_one_migrates() {
    let place = Place::new();
    let (one, two) = (place.connect("rwc").await, place.connect("rwc").await);

    let (first, second) = tokio::join!(one.migrate(), two.migrate());

    let applied = first.unwrap().len() + second.unwrap().len();
    assert_eq!(applied, Migrator::migrations().len());
}

#[tokio::test]
async fn a_database_without_its_schema_is_not_ready_and_says_how_to_help() {
    let place = Place::new();
    let storage = place.connect("rwc").await;

    let reason = assert_unavailable(storage.ready().await);
    assert!(reason.contains("otpost migrate"), "{reason}");
    let status = storage.migrations().await.unwrap();
    assert_eq!(status.len(), Migrator::migrations().len());
    assert!(status.iter().all(|one| !one.is_applied), "{status:?}");
    let id = sample::session_id(1, NOON);
    assert_unavailable(storage.find(&sample::owner(), &id).await);

    storage.migrate().await.unwrap();
    let status = storage.migrations().await.unwrap();
    assert!(status.iter().all(|one| one.is_applied), "{status:?}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    let storage = place.storage().await;
    let other = place.other().await;
    run(
        &other,
        "DELETE FROM seaql_migrations WHERE version LIKE '%deliveries'",
    )
    .await;
    run(&other, "DROP TABLE deliveries").await;
    run(
        &other,
        "INSERT INTO seaql_migrations VALUES ('m29990101_000001_future', 0)",
    )
    .await;

    let reason = assert_unavailable(storage.ready().await);
    assert!(reason.contains("newer otpost"), "{reason}");
    let refused = storage.migrate().await;
    assert!(matches!(refused, Err(SchemaError::Ahead)), "{refused:?}");
    let listed = storage.migrations().await;
    assert!(matches!(listed, Err(SchemaError::Ahead)), "{listed:?}");

    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'deliveries'";
    assert_eq!(value::<i64>(&other, tables).await, 0);
}
