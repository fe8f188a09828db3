//! A server with a database that has grown for days, on which every plan is logged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otpost_cluster::{Binaries, Cluster};
use otpost_domain::Timestamp;
use otpost_ports::{Readiness, RecipientDigest};
use otpost_storage::{Settings, Storage};
use otpost_testkit::FakeVault;
use otpost_testkit::sample::NOON;

/// The midnight after [`NOON`], up to which there are rows: the partition of the next day is empty,
/// and nothing is known of it.
pub(crate) const MIDNIGHT: Timestamp = NOON.plus_secs(43_200);

/// How long there have been partitions.
const DAYS: u32 = 4;

/// How long a connection may keep what it did to itself.
const PATIENCE: Duration = Duration::from_secs(10);

const DATABASE: &str = "postgres";

pub(crate) struct Grown {
    pub(crate) cluster: Cluster,
    pub(crate) storage: Storage,
    pub(crate) vault: Arc<FakeVault>,
}

impl Grown {
    /// Fills a new database with `rows` sessions and what belongs to them.
    pub(crate) async fn to(rows: u64, binaries: &Binaries, connections_max: u32) -> Self {
        let begin = Instant::now();
        let cluster = Cluster::builder(binaries)
            .setting("shared_buffers", "1GB")
            .setting("max_wal_size", "4GB")
            .setting("checkpoint_timeout", "1h")
            // What is known of the tables is the same in every run.
            .setting("autovacuum", "off")
            .setting("session_preload_libraries", "auto_explain")
            .setting("auto_explain.log_min_duration", "-1")
            .setting("auto_explain.log_analyze", "on")
            .setting("auto_explain.log_buffers", "on")
            .setting("auto_explain.log_nested_statements", "on")
            .setting("auto_explain.log_format", "json")
            .start()
            .unwrap();
        let settings = Settings {
            connections_max,
            ..Settings::at(cluster.url(DATABASE))
        };
        let vault = Arc::new(FakeVault::new());
        let storage = Storage::connect(&settings, vault.clone()).await.unwrap();
        storage.migrate().await.unwrap();
        let first = MIDNIGHT.minus_secs(DAYS * 86_400);
        storage.keep_partitions(first).await.unwrap();
        let grown = Self {
            cluster,
            storage,
            vault,
        };
        grown.fill(rows);
        // All of it, as an operator may: of the next days it is then known that nothing is there,
        // and such a table is read whole by whoever may.
        grown.sql("VACUUM ANALYZE; SELECT pg_stat_reset()");
        println!(
            "{rows} sessions, {} in all, after {:.0} s",
            grown.sql("SELECT pg_size_pretty(pg_database_size(current_database()))"),
            begin.elapsed().as_secs_f64(),
        );
        grown
    }

    /// The indexes come after the rows, which takes half the time.
    fn fill(&self, rows: u64) {
        let until = MIDNIGHT.as_millis();
        let variables = format!("\\set rows {rows}\n\\set until {until}::bigint\n");
        let indexes = self.sql(
            "SELECT indexdef || ';' FROM pg_indexes JOIN pg_class ON relname = indexname \
             JOIN pg_index ON indexrelid = oid \
             WHERE NOT indisprimary AND NOT relispartition AND schemaname = 'public'",
        );
        self.sql(
            "SELECT format('DROP INDEX %I', relname) FROM pg_class JOIN pg_index ON indexrelid = oid \
             WHERE NOT indisprimary AND NOT relispartition \
             AND relnamespace = 'public'::regnamespace \\gexec",
        );
        std::thread::scope(|scope| {
            for statements in [include_str!("sessions.sql"), include_str!("others.sql")] {
                let script = format!("{variables}{statements}");
                scope.spawn(move || self.sql(&script));
            }
        });
        self.sql(&indexes.replace(" ON ONLY ", " ON "));
    }

    /// From now on every plan is in the log.
    pub(crate) fn explain(&self) {
        self.sql("ALTER SYSTEM SET auto_explain.log_min_duration = 0");
        self.sql("SELECT pg_reload_conf()");
    }

    /// A recipient that many rows are about.
    pub(crate) fn recipient(&self, number: u32) -> RecipientDigest {
        let hex = self.sql(&format!("SELECT md5('{number}')"));
        let half = (0..16).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
        let bytes: Vec<u8> = half.clone().chain(half).collect();
        RecipientDigest(bytes.try_into().unwrap())
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.cluster.sql(DATABASE, sql).unwrap()
    }

    /// Indexes that nothing was read by, those of all partitions taken as one. A connection tells
    /// what it did a little later, with what it does next.
    pub(crate) async fn unused_indexes(&self) -> String {
        let query = "SELECT coalesce(whole.relname, indexrelname) FROM pg_stat_user_indexes \
             LEFT JOIN pg_inherits ON inhrelid = indexrelid \
             LEFT JOIN pg_class AS whole ON whole.oid = inhparent \
             WHERE pg_stat_user_indexes.relname <> 'seaql_migrations' \
             GROUP BY 1 HAVING sum(idx_scan) = 0";
        let begin = Instant::now();
        loop {
            self.storage.ready().await.unwrap();
            let unused = self.sql(query);
            if unused.is_empty() || begin.elapsed() > PATIENCE {
                return unused;
            }
            tokio::time::sleep(PATIENCE / 50).await;
        }
    }
}
