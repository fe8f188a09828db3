//! A new master key comes and the old one goes, node by node and under load.

use otpost_cluster::Database;
use tokio::task::block_in_place;

use crate::support::callers::{Callers, Lost};
use crate::support::nodes::Site;
use crate::support::{Api, Otpost, eventually, value_of};

const CALLERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_master_key_is_rotated_under_load_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otpost.db");
    rotate("SQLite", &format!("sqlite://{}?mode=rwc", file.display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_master_key_is_rotated_under_load_on_postgresql() {
    if let Some(database) = Database::create().await {
        rotate("PostgreSQL", database.url()).await;
    }
}

/// Two nodes, one of which is always asked.
struct Pair<'a> {
    site: &'a Site,
    nodes: Vec<Otpost>,
}

impl Pair<'_> {
    fn apis(&self) -> Vec<Api> {
        let apis = self.nodes.iter();
        apis.map(|node| node.api(&self.site.key)).collect()
    }

    /// Restarts one after the other, each asked no more before it is stopped.
    async fn restart(&mut self, callers: &Callers) {
        for _ in 0..2 {
            let old = self.nodes.remove(0);
            callers.turn_to(self.apis());
            let (status, _) = old.terminate().await;
            assert!(status.success(), "{status}");
            self.nodes.push(node(self.site));
            callers.turn_to(self.apis());
        }
    }
}

/// It serves on for a while when it is stopped.
fn node(site: &Site) -> Otpost {
    site.node_with(&[("OTPOST_SERVER__DRAIN_SECS", "1")])
}

/// Writes these keys into the configuration.
fn configure(site: &Site, keys: &[&str], active: u32) {
    let text = site.place.read("otpost.toml");
    let lines = text.lines().map(|line| {
        if line.starts_with("master_keys = ") {
            format!("master_keys = {keys:?}")
        } else if line.starts_with("active_key = ") {
            format!("active_key = {active}")
        } else {
            line.to_owned()
        }
    });
    let text: Vec<_> = lines.collect();
    site.place.write("otpost.toml", &text.join("\n"));
}

/// A session that waits, and its code.
async fn open(site: &Site, api: &Api, email: &str) -> (String, String) {
    let session = api.send(email).await;
    let copy = eventually("the mail", async || site.mails.to(email).pop()).await;
    (session, copy.1)
}

async fn rotate(engine: &str, url: &str) {
    let site = Site::at(url).await;
    let text = site.place.read("otpost.toml");
    let old = text.split('"').find(|part| part.starts_with("1:")).unwrap();
    let fresh = block_in_place(|| site.place.output_of(&["secrets", "new", "--number", "2"]));
    let new = value_of(&fresh, "OTPOST_SECRETS__MASTER_KEYS");
    let mut pair = Pair {
        site: &site,
        nodes: vec![node(&site), node(&site)],
    };
    let mut waiting = Vec::new();
    for number in 0..6 {
        let email = format!("waiting{number}@customer.example");
        waiting.push(open(&site, &pair.apis()[number % 2], &email).await);
    }
    let callers = Callers::start(CALLERS, pair.apis(), &site.mails);
    configure(&site, &[old, &new], 1);
    pair.restart(&callers).await;
    configure(&site, &[old, &new], 2);
    pair.restart(&callers).await;
    for (session, code) in &waiting[..3] {
        let verified = pair.apis()[0].verify(session, code).await;
        assert_eq!(verified.status, 200, "{verified:?}");
    }
    let with_both = callers.stop().await;
    let missing = with_both.reconcile(&pair.apis()[0], &site.mails).await;

    let callers = Callers::start(CALLERS, pair.apis(), &site.mails);
    configure(&site, &[&new], 2);
    pair.restart(&callers).await;
    for (session, code) in &waiting[3..] {
        for api in pair.apis() {
            let refused = api.verify(session, code).await;
            assert_eq!(refused.status, 500, "{refused:?}");
            assert_eq!(refused.text("/error/code"), "INTERNAL_ERROR");
        }
    }
    let with_new = callers.stop().await;
    let missing_then = with_new.reconcile(&pair.apis()[0], &site.mails).await;
    // It was refused, and not judged.
    configure(&site, &[old, &new], 2);
    let callers = Callers::start(0, pair.apis(), &site.mails);
    pair.restart(&callers).await;
    for (session, code) in &waiting[3..] {
        assert_eq!(pair.apis()[0].attempts(session).await, 0);
        let verified = pair.apis()[1].verify(session, code).await;
        assert_eq!(verified.status, 200, "{verified:?}");
    }

    println!(
        "{engine}: a master key rotated on two nodes: {} requests, {} right codes and none refused; \
         sessions of a key that is gone are answered 500 and not judged",
        with_both.asked.len() + with_new.asked.len(),
        with_both.verified() + with_new.verified(),
    );
    for (memory, missing) in [(with_both, missing), (with_new, missing_then)] {
        assert!(memory.verified() > 10, "no load");
        assert!(memory.odd.is_empty(), "{:?}", memory.odd);
        let refused: Vec<_> = memory
            .asked
            .iter()
            .filter(|asked| !matches!(asked.status, Some(200 | 400)))
            .collect();
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(missing, Lost::default());
    }
}
