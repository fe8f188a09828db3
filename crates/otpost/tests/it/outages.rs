//! The database out of reach in every way: 503 in time, nothing half done, and healed by itself.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use otpost_cluster::{Cluster, Stop};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::support::Api;
use crate::support::callers::{Callers, Lost};
use crate::support::nodes::{DATABASE, Site, server, sql};

/// More than a node has connections.
const CALLERS: usize = 24;
/// How long there is load before an outage.
const BEFORE: Duration = Duration::from_secs(2);
/// And how long it lasts.
const OUTAGE: Duration = Duration::from_secs(5);
/// Every answer comes within this time.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Without any restart.
const HEALED_MAX: Duration = Duration::from_secs(5);

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    Stopped,
    Frozen,
    ReadOnly,
    /// Somebody holds the tables.
    Locked,
    /// Others have every connection.
    Crowded,
    DiskFull,
}

/// A server, and what is done to it.
struct Bench {
    server: Cluster,
    others: Vec<DatabaseConnection>,
    disk: Option<Disk>,
}

impl Bench {
    async fn begin(&mut self, outage: Outage) {
        match outage {
            Outage::Stopped => block_in_place(|| self.server.stop(Stop::Fast)).unwrap(),
            Outage::Frozen => block_in_place(|| self.server.freeze()).unwrap(),
            Outage::ReadOnly => self.set_read_only("on").await,
            Outage::Locked => {
                let other = connect(&self.url()).await.unwrap();
                let lock = "BEGIN; LOCK TABLE sessions, deliveries IN ACCESS EXCLUSIVE MODE";
                other.execute_unprepared(lock).await.unwrap();
                self.others.push(other);
            }
            Outage::Crowded => self.crowd().await,
            Outage::DiskFull => self.disk.as_ref().unwrap().fill(),
        }
    }

    async fn end(&mut self, outage: Outage) {
        for other in self.others.drain(..) {
            other.close().await.unwrap();
        }
        match outage {
            Outage::Stopped => block_in_place(|| self.server.resume()).unwrap(),
            Outage::Frozen => block_in_place(|| self.server.thaw()).unwrap(),
            Outage::ReadOnly => self.set_read_only("off").await,
            Outage::Locked | Outage::Crowded => {}
            Outage::DiskFull => self.disk.as_ref().unwrap().free(),
        }
    }

    fn url(&self) -> String {
        self.server.url(DATABASE)
    }

    async fn set_read_only(&self, value: &str) {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        sql(&self.server, &set);
        sql(&self.server, "SELECT pg_reload_conf()");
        // What is under way is still carried out.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// Takes every connection, those of the node included.
    async fn crowd(&mut self) {
        loop {
            if let Ok(other) = connect(&self.url()).await {
                self.others.push(other);
                continue;
            }
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE application_name = 'otpost'";
            let first = &self.others[0];
            let cut = Statement::from_string(first.get_database_backend(), cut);
            let row = first.query_one_raw(cut).await.unwrap().unwrap();
            if row.try_get_by_index::<i64>(0).unwrap() == 0 {
                return;
            }
        }
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, sea_orm::DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(300))
        .sqlx_logging(false);
    Database::connect(options).await
}

/// A file system so small that it can be filled.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// `None`, which is said, where nothing can be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m,mode=0777", "otpost"])
            .arg(folder.path())
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        println!("left out: a full disk, because nothing can be mounted here");
        None
    }

    /// For the data of this server, too.
    fn give_to(&self, server: &Cluster) {
        let owner = server.data_folder().metadata().unwrap();
        chown(self.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).unwrap();
        for bytes in [1 << 20, 1 << 12, 1] {
            while file.write(&vec![0; bytes]).is_ok_and(|written| written > 0) {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmount.unwrap().success());
    }
}

/// Judges what callers were told before, in and after an outage, and shows it as one line. Gives what
/// was answered too late.
async fn judge(
    what: &str,
    is_total: bool,
    callers: Callers,
    (begin, end): (Instant, Instant),
    (healthy, api, site): (Instant, &Api, &Site),
) -> Option<String> {
    tokio::time::sleep(HEALED_MAX).await;
    let memory = callers.stop().await;
    let served = memory.served_within(begin, end);
    let healed = memory.healed_after(healthy);
    let missing = memory.reconcile(api, &site.mails).await;
    println!(
        "{what}: {} of {} requests refused with 503, the slowest answer after {} ms, healed after {} \
         ms; of {} sessions, {} attempts, {} verifications and their mails lost: {missing:?}",
        memory.refused(),
        memory.asked.len(),
        memory.slowest().as_millis(),
        healed.as_millis(),
        memory.stories.len(),
        memory.judged(),
        memory.verified(),
    );
    assert!(memory.verified() > 10, "no load");
    assert!(memory.odd.is_empty(), "{:?}", memory.odd);
    assert!(memory.refused() > 0, "{what}: no outage");
    assert!(!is_total || served.is_empty(), "{what}: {served:?}");
    assert!(healed < HEALED_MAX, "{what}");
    assert_eq!(missing, Lost::default(), "{what}");
    (memory.slowest() >= ANSWER_MAX).then(|| format!("{what}: {:?}", memory.slowest()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_out_of_reach_is_503_in_time_and_heals_with_nothing_half_done() {
    let Some(server) = server(|builder| builder.setting("max_connections", "40")) else {
        return;
    };
    let disk = Disk::mount();
    if let Some(disk) = &disk {
        disk.give_to(&server);
        let folder = disk.path().display();
        block_in_place(|| {
            let make = format!("CREATE TABLESPACE small LOCATION '{folder}'");
            server.sql("postgres", &make).unwrap();
            let move_there = "ALTER DATABASE otpost SET TABLESPACE small";
            server.sql("postgres", move_there).unwrap();
        });
    }
    let mut outages = vec![
        Outage::Stopped,
        Outage::Frozen,
        Outage::ReadOnly,
        Outage::Locked,
        Outage::Crowded,
    ];
    outages.extend(disk.is_some().then_some(Outage::DiskFull));
    let site = Site::at(&server.url(DATABASE)).await;
    let mut bench = Bench {
        server,
        others: Vec::new(),
        disk,
    };
    let node = site.node();
    let api = node.api(&site.key);
    let mut late = Vec::new();
    for outage in outages {
        let callers = Callers::start(CALLERS, vec![api.clone()], &site.mails);
        tokio::time::sleep(BEFORE).await;
        bench.begin(outage).await;
        let begin = Instant::now();
        tokio::time::sleep(OUTAGE).await;
        let end = Instant::now();
        bench.end(outage).await;
        let what = format!("PostgreSQL, {outage:?}");
        // On a full disk there is room in a page here and there.
        let is_total = outage != Outage::DiskFull;
        let healthy = (Instant::now(), &api, &site);
        late.extend(judge(&what, is_total, callers, (begin, end), healthy).await);
        let halves = "SELECT count(*) FROM sessions FULL JOIN deliveries ON id = session_id \
                      WHERE id IS NULL OR session_id IS NULL";
        assert_eq!(sql(&bench.server, halves), "0", "{what}");
    }
    assert!(late.is_empty(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_on_a_full_disk_is_503_in_time_and_heals() {
    let Some(disk) = Disk::mount() else {
        return;
    };
    let file = disk.path().join("otpost.db");
    let site = Site::at(&format!("sqlite://{}?mode=rwc", file.display())).await;
    let node = site.node();
    let api = node.api(&site.key);
    let callers = Callers::start(CALLERS, vec![api.clone()], &site.mails);
    tokio::time::sleep(BEFORE).await;
    disk.fill();
    let begin = Instant::now();
    tokio::time::sleep(OUTAGE).await;
    let end = Instant::now();
    disk.free();
    let healthy = (Instant::now(), &api, &site);
    let late = judge("SQLite, DiskFull", false, callers, (begin, end), healthy).await;
    assert_eq!(late, None);
}
