//! Behind a pooler: its few connections are really shared, and what a node was told stays with it.

use std::time::Instant;

use otpost_cluster::{Database, Pooler};
use otpost_domain::Verdict;
use otpost_migrations::Migrator;
use otpost_ports::SessionStore;
use otpost_storage::{Settings, Storage};
use otpost_testkit::sample::{self, NOON};
use sea_orm::{ConnectionTrait, TransactionTrait};
use sea_orm_migration::MigratorTrait;

use crate::races::{count, guess};
use crate::support::{Place, TOLD, assert_unavailable, find, judged, value};

/// A database, the pooler before its server, and the way through it.
struct Pooled {
    _pooler: Pooler,
    direct: Place,
    settings: Settings,
    _database: Database,
}

impl Pooled {
    async fn new() -> Option<Self> {
        let database = Database::create().await?;
        let url = database.url().to_owned();
        let pooler = tokio::task::spawn_blocking(move || Pooler::for_test(&url));
        let pooler = pooler.await.unwrap().unwrap()?;
        let settings = Settings {
            has_pooler: true,
            ..Settings::at(pooler.url(database.name()))
        };
        Some(Self {
            _pooler: pooler,
            direct: Place::at(database.url().to_owned()),
            settings,
            _database: database,
        })
    }

    async fn node(&self) -> Storage {
        self.direct.connect_with(self.settings.clone()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_few_connections_of_a_pooler_and_count_as_one() {
    let Some(pooled) = Pooled::new().await else {
        return;
    };
    let (one, two) = (pooled.node().await, pooled.node().await);
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    let applied = first.unwrap().len() + second.unwrap().len();
    assert_eq!(applied, Migrator::migrations().len());
    let (opening, right) = pooled.direct.open(&one, 1).await;
    let id = *opening.session.id();

    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let verdicts = guess(&[&one, &two], id, &wrong).await;

    let judged = count(&verdicts, |one| matches!(one, Verdict::WrongCode { .. }));
    assert_eq!((judged, verdicts.len()), (5, 300));
    assert_eq!(find(&two, &id).await.session.attempts(), 5);
    let connections = "SELECT COUNT(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let connections: i64 = value(&pooled.direct.other().await, connections).await;
    assert!((1..=4).contains(&connections), "{connections}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_lock_is_told_in_time_behind_a_pooler() {
    let Some(pooled) = Pooled::new().await else {
        return;
    };
    let storage = pooled.node().await;
    storage.migrate().await.unwrap();
    let (opening, right) = pooled.direct.open(&storage, 1).await;
    let id = opening.session.id();
    let right = sample::submit(&right, NOON);
    let other = pooled.direct.other().await;
    let held = other.begin().await.unwrap();
    held.execute_unprepared("LOCK TABLE sessions")
        .await
        .unwrap();

    let start = Instant::now();
    assert_unavailable(storage.apply(id, right.clone()).await);
    assert!(start.elapsed() < TOLD, "{:?}", start.elapsed());
    held.rollback().await.unwrap();

    judged(storage.apply(id, right).await);
}

/// A pooler refuses what a node without the setting tells a server at the start of a connection.
#[tokio::test]
async fn a_pooler_that_the_settings_do_not_name_is_noticed_at_the_start() {
    let Some(pooled) = Pooled::new().await else {
        return;
    };
    let settings = Settings {
        has_pooler: false,
        ..pooled.settings.clone()
    };

    let refused = Storage::connect(&settings, pooled.direct.vault.clone()).await;

    let reason = refused.unwrap_err().to_string();
    assert!(reason.contains("startup parameter"), "{reason}");
}
