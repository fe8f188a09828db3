//! Two nodes behind haproxy, by the configuration of the documentation: a restart of either fails no
//! request, and a crash only what is under way.

mod visitors;

use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use otpost_cluster::Cluster;

use self::visitors::Visitors;
use crate::support::nodes::{DATABASE, Site, server};
use crate::support::{Api, Client, Otpost, eventually};

const CONFIGURATION: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/examples/two-nodes/haproxy.cfg"
);

/// Each node is restarted so often.
const ROUNDS: usize = 3;
const VISITORS: usize = 8;
/// As the documentation has it.
const DRAIN_SECS: &str = "2";
/// How long there is load before a node goes, and after.
const PHASE: Duration = Duration::from_secs(1);

/// Ports from which the system takes none for outgoing connections: a node that is restarted finds
/// its own again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_when_one_node_after_the_other_is_restarted() {
    let Some(mut pair) = Pair::start().await else {
        return;
    };
    let visitors = Visitors::start(VISITORS, &pair.api, &pair.site.mails);
    tokio::time::sleep(PHASE).await;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for node in 0..2 {
            pair.restart(node).await;
        }
    }
    let took = start.elapsed();
    let visits = visitors.stop().await;
    let missing = visits.missing_mails(&pair.site.mails).await;

    println!(
        "{} restarts of two nodes behind HAProxy within {} s: {} requests on {} connections, {} \
         failed; of {} mails {missing} are missing",
        2 * ROUNDS,
        took.as_secs(),
        visits.answered + visits.failed.len(),
        visits.connections,
        visits.failed.len(),
        visits.mails(),
    );
    assert!(visits.answered > 500 && visits.mails() > 50, "no load");
    assert!(visits.failed.is_empty(), "{:?}", visits.failed);
    assert_eq!(missing, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_node_fails_only_what_it_was_asked_at_that_moment() {
    let Some(mut pair) = Pair::start().await else {
        return;
    };
    let visitors = Visitors::start(VISITORS, &pair.api, &pair.site.mails);
    tokio::time::sleep(PHASE).await;
    pair.nodes[0].take().unwrap().kill();
    tokio::time::sleep(3 * PHASE).await;
    let visits = visitors.stop().await;

    println!(
        "a node behind HAProxy was killed: {} requests, {} failed: {:?}",
        visits.answered + visits.failed.len(),
        visits.failed.len(),
        visits.failed
    );
    assert!(visits.answered > 100, "no load");
    // A visitor asks one thing at a time.
    assert!(visits.failed.len() <= VISITORS);
    let broken = ["502 Bad Gateway", "unexpected end of file"];
    for failed in &visits.failed {
        assert!(broken.iter().any(|one| failed.contains(one)), "{failed}");
    }
}

/// Two nodes, and what stands before and behind them; they end in this order.
struct Pair {
    /// Of the proxy.
    api: Api,
    _proxy: Proxy,
    nodes: [Option<Otpost>; 2],
    ports: [u16; 2],
    site: Site,
    _server: Cluster,
}

impl Pair {
    /// `None`, which is said, where haproxy or PostgreSQL is not installed.
    async fn start() -> Option<Self> {
        let haproxy = haproxy()?;
        let server = server(|builder| builder.setting("fsync", "off"))?;
        let site = Site::at(&server.url(DATABASE)).await;
        let [port, a, b] = free_ports();
        let (proxy, ports) = (Proxy::start(&haproxy, [port, a, b]), [a, b]);
        let api = Api::new(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &site.key);
        let mut pair = Self {
            api,
            _proxy: proxy,
            nodes: [None, None],
            ports,
            site,
            _server: server,
        };
        for node in 0..2 {
            pair.nodes[node] = Some(pair.started(node));
        }
        for port in [a, b, port] {
            wait_until_ready(port).await;
        }
        Some(pair)
    }

    fn started(&self, node: usize) -> Otpost {
        let listen = format!("127.0.0.1:{}", self.ports[node]);
        self.site.node_with(&[
            ("OTPOST_SERVER__LISTEN", &listen),
            ("OTPOST_SERVER__DRAIN_SECS", DRAIN_SECS),
            ("OTPOST_POLICY__SESSION_COOLDOWN", "0"),
        ])
    }

    async fn restart(&mut self, node: usize) {
        let old = self.nodes[node].take().unwrap();
        let (status, _) = old.terminate().await;
        assert!(status.success(), "{status}");
        self.nodes[node] = Some(self.started(node));
        wait_until_ready(self.ports[node]).await;
    }
}

async fn wait_until_ready(port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    eventually("/readyz", async || {
        let mut client = Client::try_connect(address).await?;
        let status = client.try_request("GET", "/readyz", "", "").await?;
        (status == 200).then_some(())
    })
    .await;
}

/// It is killed when this is dropped.
struct Proxy(Child);

impl Proxy {
    fn start(haproxy: &PathBuf, [proxy, a, b]: [u16; 3]) -> Self {
        let child = Command::new(haproxy)
            .args(["-db", "-f", CONFIGURATION])
            .env_clear()
            .env("PROXY_PORT", proxy.to_string())
            .env("A_PORT", a.to_string())
            .env("B_PORT", b.to_string())
            .stdin(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program in `PATH`, or in Debian's place; `None` where there is none, which is said, and under
/// `CI=true` a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "where the machine has its programs, and whether they may be missing"
)]
fn haproxy() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("haproxy"))
        .find(|program| program.is_file());
    if found.is_none() {
        let line = "left out: the tests behind a proxy (Debian: apt-get install haproxy)";
        let is_ci = env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        assert!(!is_ci, "under CI=true nothing may be {line}");
        eprintln!("{line}");
    }
    found
}

fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    // All are held until all are found: no two are the same.
    let held = [(); COUNT].map(|()| {
        let count = u64::from(PORTS.end - PORTS.start);
        let random = || RandomState::new().hash_one(()) % count;
        let listener = (0..100).find_map(|_| {
            let port = PORTS.start + u16::try_from(random()).unwrap();
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        listener.unwrap()
    });
    held.map(|listener| listener.local_addr().unwrap().port())
}
