//! The schema: there and back, once, and never of another program.

use otpost_migrations::Migrator;
use otpost_ports::{AuditAction, KeyStore, Readiness, SessionStore};
use otpost_storage::SchemaError;
use otpost_testkit::sample::{self, NOON};
use sea_orm::{DatabaseConnection, DbBackend};
use sea_orm_migration::MigratorTrait;
use tokio::task::JoinSet;

use crate::support::{Place, assert_unavailable, find, on_both, run, value};

on_both! {
    the_schema_goes_up_and_down_and_up_again
    every_single_migration_undoes_itself
    a_session_from_before_is_not_exempt_of_limits
    a_key_from_before_is_accepted_from_anywhere_and_never_used
    migrating_twice_changes_nothing
    of_four_programs_that_start_at_once_one_migrates
    a_database_without_its_schema_is_not_ready_and_says_how_to_help
    a_database_of_a_newer_program_is_refused_and_stays_as_it_is
}

mod postgres_without_partitions {
    use crate::support::Place;

    #[tokio::test]
    async fn the_schema_goes_up_and_down_and_up_again() {
        if let Some(place) = Place::server_without_partitions().await {
            super::the_schema_goes_up_and_down_and_up_again(place).await;
        }
    }
}

/// How many tables and indexes there are, besides primary keys and partitions.
async fn objects(other: &DatabaseConnection) -> i64 {
    let objects = match other.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT COUNT(*) FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid \
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'i', 'I') \
             AND NOT relispartition AND indisprimary IS DISTINCT FROM true \
             AND relname <> 'seaql_migrations'"
        }
        _ => {
            "SELECT COUNT(*) FROM sqlite_schema WHERE type IN ('table', 'index') \
             AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'"
        }
    };
    value(other, objects).await
}

/// Whether a table has such a column, or is there.
async fn is_there(other: &DatabaseConnection, table: &str, column: &str) -> bool {
    let query = match other.get_database_backend() {
        DbBackend::Postgres => format!(
            "SELECT COUNT(*) FROM information_schema.columns \
             WHERE table_name = '{table}' AND column_name = '{column}'"
        ),
        _ => format!("SELECT COUNT(*) FROM pragma_table_info('{table}') WHERE name = '{column}'"),
    };
    value::<i64>(other, &query).await > 0
}

async fn the_schema_goes_up_and_down_and_up_again(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    assert_eq!(objects(&other).await, 18);
    let ready = storage.ready().await;
    assert!(ready.is_ok(), "{ready:?}");

    Migrator::down(&other, None).await.unwrap();
    assert_eq!(objects(&other).await, 0);
    assert_unavailable(storage.ready().await);

    assert_eq!(
        storage.migrate().await.unwrap().len(),
        Migrator::migrations().len()
    );
    assert_eq!(objects(&other).await, 18);
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

async fn every_single_migration_undoes_itself(place: Place) {
    place.storage().await;
    let other = place.other().await;

    for _ in Migrator::migrations() {
        Migrator::down(&other, Some(1)).await.unwrap();
        Migrator::up(&other, Some(1)).await.unwrap();
        Migrator::down(&other, Some(1)).await.unwrap();
    }

    assert_eq!(objects(&other).await, 0);
}

async fn a_session_from_before_is_not_exempt_of_limits(place: Place) {
    let storage = place.storage().await;
    let (opening, _) = place.open(&storage, 1).await;
    let other = place.other().await;

    down_before(&other, "exempt_recipients").await;
    assert!(!is_there(&other, "sessions", "is_exempt").await);
    storage.migrate().await.unwrap();

    let stored = find(&storage, opening.session.id()).await;
    assert_eq!(stored, opening.into());
    assert!(!stored.context.is_exempt);
}

async fn a_key_from_before_is_accepted_from_anywhere_and_never_used(place: Place) {
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

async fn migrating_twice_changes_nothing(place: Place) {
    let storage = place.storage().await;

    assert_eq!(storage.migrate().await.unwrap(), Vec::<String>::new());
    assert!(storage.ready().await.is_ok());
}

async fn of_four_programs_that_start_at_once_one_migrates(place: Place) {
    let mut programs = JoinSet::new();
    for _ in 0..4 {
        let storage = place.connect().await;
        programs.spawn(async move { storage.migrate().await.unwrap().len() });
    }

    let applied: usize = programs.join_all().await.iter().sum();

    let known = Migrator::migrations().len();
    assert_eq!(applied, known);
    let recorded = "SELECT COUNT(*) FROM seaql_migrations";
    let recorded = value::<i64>(&place.other().await, recorded).await;
    assert_eq!(usize::try_from(recorded).unwrap(), known);
}

async fn a_database_without_its_schema_is_not_ready_and_says_how_to_help(place: Place) {
    let storage = place.connect().await;

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

async fn a_database_of_a_newer_program_is_refused_and_stays_as_it_is(place: Place) {
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

    assert!(!is_there(&other, "deliveries", "session_id").await);
}
