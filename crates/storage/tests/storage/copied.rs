//! Copying into another database: every row or none, while nobody else writes.

use std::time::{Duration, Instant};

use otpost_ports::{AuditAction, KeyStore, Opening, SessionStore};
use otpost_storage::{CopyError, Storage};
use otpost_testkit::sample::{self, NOON};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::counted::{opening, quotas, wrong_guess};
use crate::support::{Place, assert_unavailable, find, judged, on_both, open, run, value};

on_both! {
    a_copy_that_fails_leaves_the_database_empty
    nobody_writes_to_either_database_during_a_copy
    a_database_is_not_copied_to_itself
}

const TABLES: [&str; 7] = [
    "projects",
    "api_keys",
    "sessions",
    "deliveries",
    "kept_answers",
    "counters",
    "audit_log",
];

/// Rows in every table, some more than one time round, with nulls and without.
async fn filled(place: &Place) -> Storage {
    let storage = place.storage().await;
    let entry = sample::project_entry("acme");
    let acme = sample::project_record("acme");
    assert!(storage.create_project(acme, entry).await.unwrap());
    for number in 1..=2 {
        let key = sample::key_record(number);
        let entry = sample::key_entry(AuditAction::KeyCreated, &key);
        assert!(storage.insert_key(key.clone(), entry).await.unwrap());
        let entry = sample::key_entry(AuditAction::KeyRevoked, &key);
        let is_revoked = number == 1;
        assert!(!is_revoked || storage.revoke_key(&key.id, entry).await.unwrap());
    }
    let quotas = quotas(9);
    let once = sample::once(&*place.vault, "key", "body", NOON.plus_secs(60));
    let waiting = Opening {
        once: Some(once),
        ..opening(place, 1, &quotas)
    };
    open(&storage, waiting.clone()).await;
    let guess = wrong_guess(place, &waiting, &quotas);
    judged(storage.apply(waiting.session.id(), guess).await);
    open(&storage, sample::closed_opening(&*place.vault, 2)).await;
    storage
}

/// 2500 further rows of a file.
async fn fill_more(other: &DatabaseConnection) {
    let rows = "INSERT INTO counters (subject, paid_1, paid_2, paid_3, failures, used_at) \
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
                SELECT CAST(printf('%05d', i) AS BLOB), i, -i, 9007199254740993, i % 3, 0 FROM n";
    run(other, rows).await;
}

/// How many rows each table has.
async fn counts(other: &DatabaseConnection) -> [i64; 7] {
    let mut counts = [0; 7];
    for (count, table) in counts.iter_mut().zip(TABLES) {
        *count = value(other, &format!("SELECT COUNT(*) FROM {table}")).await;
    }
    counts
}

/// Every value of every row of a file, with its type.
async fn values(other: &DatabaseConnection) -> Vec<String> {
    let mut values = Vec::new();
    for table in TABLES {
        let columns = format!(
            "SELECT group_concat('''{table}.' || name || '='' || quote(' || name || ')', ' || ') \
             FROM (SELECT name FROM pragma_table_info('{table}') ORDER BY name)"
        );
        let columns: String = value(other, &columns).await;
        let rows = format!("SELECT {columns} AS row FROM {table} ORDER BY row");
        let rows = Statement::from_string(DbBackend::Sqlite, rows);
        for row in other.query_all_raw(rows).await.unwrap() {
            values.push(row.try_get_by_index::<String>(0).unwrap());
        }
    }
    values
}

#[tokio::test]
async fn everything_goes_to_a_server_and_back_and_is_equal() {
    for there in [
        Place::server().await,
        Place::server_without_partitions().await,
    ] {
        let Some(there) = there else { return };
        there_and_back(&Place::file(), &there, &Place::file()).await;
    }
}

async fn there_and_back(here: &Place, there: &Place, back: &Place) {
    let from = filled(here).await;
    fill_more(&here.other().await).await;
    let before = values(&here.other().await).await;
    let server = there.connect().await;

    let copied = from.copy_to(&server, NOON).await.unwrap();

    let rows: Vec<_> = copied.iter().map(|one| (one.table, one.rows)).collect();
    let expected = [1, 2, 2, 2, 1, 2_502, 4];
    assert_eq!(rows, TABLES.into_iter().zip(expected).collect::<Vec<_>>());
    let on_server = there.other().await;
    assert_eq!(counts(&on_server).await, expected.map(u64::cast_signed));
    assert_eq!(values(&here.other().await).await, before);

    let again = from.copy_to(&server, NOON).await;
    assert!(
        matches!(again, Err(CopyError::NotEmpty { table: "sessions" })),
        "{again:?}"
    );
    let file = back.connect().await;
    assert_eq!(server.copy_to(&file, NOON).await.unwrap(), copied);
    let after = values(&back.other().await).await;
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(before) {
        assert_eq!(*after, before);
    }

    // Whoever writes next goes on behind what was copied.
    for storage in [server, file] {
        let (next, entry) = (
            sample::project_record("next"),
            sample::project_entry("next"),
        );
        assert!(storage.create_project(next, entry).await.unwrap());
    }
    for other in [on_server, back.other().await] {
        let ids = "SELECT MAX(id) FROM audit_log";
        assert_eq!(value::<i64>(&other, ids).await, 5);
    }
}

#[tokio::test]
async fn no_table_is_forgotten() {
    let place = Place::file();
    place.storage().await;
    let tables = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema \
                  WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                  AND name <> 'seaql_migrations' ORDER BY name)";
    let mut expected = TABLES;
    expected.sort_unstable();
    let found = value::<String>(&place.other().await, tables).await;
    assert_eq!(found, expected.join(","), "copy_to copies these");
}

#[tokio::test]
async fn sessions_land_in_the_partition_of_their_day() {
    let Some(there) = Place::server().await else {
        return;
    };
    let here = Place::file();
    let from = filled(&here).await;
    from.copy_to(&there.connect().await, NOON).await.unwrap();

    let other = there.other().await;
    for (partition, rows) in [
        ("sessions_20260109", 2),
        ("sessions_default", 0),
        ("deliveries_20260109", 2),
        ("deliveries_default", 0),
    ] {
        let count = format!("SELECT COUNT(*) FROM {partition}");
        assert_eq!(value::<i64>(&other, &count).await, rows, "{partition}");
    }
}

/// Has `sql` done by `PostgreSQL` before each row of `table` is written.
async fn before_each(other: &DatabaseConnection, table: &str, sql: &str) {
    let trigger = format!(
        "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN {sql}; RETURN NEW; END'; \
         CREATE TRIGGER fault BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fault()"
    );
    run(other, &trigger).await;
}

async fn a_copy_that_fails_leaves_the_database_empty(there: Place) {
    let here = Place::file();
    let from = filled(&here).await;
    let into = there.storage().await;
    let (source, target) = (here.other().await, there.other().await);

    // In the last table: all others are written by then.
    run(&source, "UPDATE audit_log SET at = 'noon' WHERE id = 3").await;
    let failed = from.copy_to(&into, NOON).await.unwrap_err();
    assert!(matches!(failed, CopyError::From(_)), "{failed:?}");
    let reason = failed.to_string();
    assert!(reason.contains("audit_log"), "{reason}");
    assert!(!reason.contains("noon"), "{reason}");
    assert_eq!(counts(&target).await, [0; 7]);
    run(&source, "UPDATE audit_log SET at = 9 WHERE id = 3").await;

    let faults = if there.is_on_a_server() {
        vec![
            "RAISE EXCEPTION ''fault''",
            "PERFORM pg_terminate_backend(pg_backend_pid())",
        ]
    } else {
        vec!["SELECT RAISE(ABORT, 'fault')"]
    };
    for fault in faults {
        let mend = if there.is_on_a_server() {
            before_each(&target, "audit_log", fault).await;
            "DROP FUNCTION fault CASCADE"
        } else {
            let trigger = format!(
                "CREATE TRIGGER fault BEFORE INSERT ON audit_log WHEN NEW.id = 4 BEGIN {fault}; END"
            );
            run(&target, &trigger).await;
            "DROP TRIGGER fault"
        };
        let failed = from.copy_to(&into, NOON).await;
        assert!(matches!(failed, Err(CopyError::To(_))), "{failed:?}");
        assert_eq!(counts(&target).await, [0; 7], "{fault}");
        run(&target, mend).await;
    }

    from.copy_to(&into, NOON).await.unwrap();
    assert_eq!(counts(&target).await, counts(&source).await);
}

async fn nobody_writes_to_either_database_during_a_copy(here: Place) {
    let Some(there) = Place::server().await else {
        return;
    };
    let from = filled(&here).await;
    let into = there.storage().await;
    let target = there.other().await;
    let wait = "PERFORM set_config(''lock_timeout'', ''0'', true), pg_advisory_xact_lock(1)";
    before_each(&target, "audit_log", wait).await;
    run(&target, "SELECT pg_advisory_lock(1)").await;
    let before = counts(&here.other().await).await;

    let copying = {
        let (from, into) = (from.clone(), into.clone());
        tokio::spawn(async move { from.copy_to(&into, NOON).await })
    };
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let start = Instant::now();
    while value::<i64>(&target, waiting).await == 0 {
        assert!(start.elapsed() < Duration::from_secs(20) && !copying.is_finished());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let late = sample::opening(&*here.vault, 3);
    // Another node, as the file has one connection that writes.
    let (node, other_node) = (here.connect().await, there.connect().await);
    assert_unavailable(node.open(late.clone()).await);
    assert_unavailable(other_node.open(late.clone()).await);
    let first = sample::session_id(1, NOON);
    assert_eq!(find(&node, &first).await.session.attempts(), 1);

    run(&target, "SELECT pg_advisory_unlock(1)").await;
    copying.await.unwrap().unwrap();
    assert_eq!(counts(&target).await, before);
    open(&other_node, late.clone()).await;
    open(&node, late).await;
}

async fn a_database_is_not_copied_to_itself(place: Place) {
    let storage = place.storage().await;
    for into in [storage.clone(), place.connect().await] {
        let refused = storage.copy_to(&into, NOON).await;
        assert!(matches!(refused, Err(CopyError::To(_))), "{refused:?}");
    }
    place.open(&storage, 1).await;
    let refused = storage.copy_to(&place.connect().await, NOON).await;
    assert!(refused.is_err());
    assert_eq!(counts(&place.other().await).await[2], 1);
}

#[tokio::test]
async fn a_database_of_another_schema_is_neither_copied_nor_filled() {
    let (here, there) = (Place::file(), Place::file());
    let (from, into) = (here.connect().await, there.connect().await);
    let behind = from.copy_to(&into, NOON).await.unwrap_err();
    assert!(matches!(behind, CopyError::From(_)), "{behind:?}");
    assert!(behind.to_string().contains("otpost migrate"), "{behind}");
    let made = into.migrations().await.unwrap();
    assert!(made.iter().all(|one| !one.is_applied), "{made:?}");

    let from = filled(&here).await;
    into.migrate().await.unwrap();
    let newer = "INSERT INTO seaql_migrations VALUES ('m29990101_000001_future', 0)";
    let (source, target) = (here.other().await, there.other().await);
    run(&target, newer).await;
    let refused = from.copy_to(&into, NOON).await.unwrap_err();
    assert!(matches!(refused, CopyError::To(_)), "{refused:?}");
    assert!(refused.to_string().contains("newer otpost"), "{refused}");
    run(&source, newer).await;
    let refused = from.copy_to(&into, NOON).await.unwrap_err();
    assert!(matches!(refused, CopyError::From(_)), "{refused:?}");
    assert_eq!(counts(&target).await, [0; 7]);
}
