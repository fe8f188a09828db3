//! Nodes on servers of their own, which fail; and the name under which nodes find the server.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use otpost_cluster::{Binaries, Builder, Cluster};
use otpost_testkit::relay::{Relay, Security};
use tempfile::TempDir;
use tokio::task::block_in_place;

use super::service::UNLIMITED;
use super::{Otpost, Place, code_in};

/// The database of the nodes on a server.
pub(crate) const DATABASE: &str = "otpost";

/// A server that keeps its word (`fsync`), with an empty database; `None`, which is said, where
/// there is none on this machine.
pub(crate) fn server(settings: impl FnOnce(Builder) -> Builder) -> Option<Cluster> {
    let binaries = Binaries::for_test()?;
    let builder = Cluster::builder(&binaries).setting("fsync", "on");
    block_in_place(|| {
        let cluster = settings(builder).start().unwrap();
        cluster.sql("postgres", "CREATE DATABASE otpost").unwrap();
        Some(cluster)
    })
}

/// What `psql` says to this.
pub(crate) fn sql(cluster: &Cluster, sql: &str) -> String {
    block_in_place(|| cluster.sql(DATABASE, sql)).unwrap()
}

/// A name of a server that can be given to another, as one of the DNS or an address can: the folder
/// of its socket, by a link.
pub(crate) struct Name {
    folder: TempDir,
}

impl Name {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let name = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        name.give_to(cluster);
        name
    }

    /// From now on this server is found under the name.
    pub(crate) fn give_to(&self, cluster: &Cluster) {
        let new = self.folder.path().join("new");
        symlink(cluster.socket_folder(), &new).unwrap();
        std::fs::rename(new, self.link()).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        let folder = self.link().display().to_string().replace('/', "%2F");
        format!("postgres://otpost@{folder}/{DATABASE}")
    }

    fn link(&self) -> PathBuf {
        self.folder.path().join("db")
    }
}

/// A configuration for nodes, and the relay that they mail over.
pub(crate) struct Site {
    pub(crate) place: Place,
    pub(crate) mails: Arc<Mails>,
    /// Of a project that may do everything as often as it likes.
    pub(crate) key: String,
}

impl Site {
    /// On the database at `url`, which is made ready.
    pub(crate) async fn at(url: &str) -> Self {
        let relay = Relay::start(Security::Plain).await;
        let place = Place::new();
        place.init(&format!("[\"{}\"]", relay.url()));
        let text = place.read("otpost.toml");
        place.write(
            "otpost.toml",
            &text.replace("sqlite://otpost.db?mode=rwc", url),
        );
        let key = block_in_place(|| place.key(&[]));
        Self {
            place,
            mails: Arc::new(Mails::of(relay)),
            key,
        }
    }

    /// Starts a node with these further settings and waits until it serves.
    pub(crate) fn node_with(&self, variables: &[(&str, &str)]) -> Otpost {
        let mut program = self.place.otpost(&["serve"]);
        for name in UNLIMITED {
            program = program.env(&format!("OTPOST_LIMITS__{name}"), "0");
        }
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let node = program.start();
        block_in_place(|| node.address());
        node
    }

    pub(crate) fn node(&self) -> Otpost {
        self.node_with(&[])
    }
}

/// A copy of a mail: its `Message-ID` and its code.
pub(crate) type Copy = (String, String);

/// What the relay was given, by recipient.
pub(crate) struct Mails {
    relay: Relay,
    read: Mutex<Read>,
}

struct Read {
    at: Instant,
    count: usize,
    copies: BTreeMap<String, Vec<Copy>>,
}

impl Mails {
    /// The relay is looked at so often at most: many ask.
    const PAUSE: Duration = Duration::from_millis(100);

    fn of(relay: Relay) -> Self {
        let read = Mutex::new(Read {
            at: Instant::now(),
            count: 0,
            copies: BTreeMap::new(),
        });
        Self { relay, read }
    }

    pub(crate) fn relay(&self) -> &Relay {
        &self.relay
    }

    /// The copies of the mail for an address so far.
    pub(crate) fn to(&self, email: &str) -> Vec<Copy> {
        let mut read = self.read.lock().unwrap();
        if read.at.elapsed() > Self::PAUSE {
            read.at = Instant::now();
            let all = self.relay.messages();
            for received in &all[read.count..] {
                let message = received.message();
                let parsed = mail_parser::MessageParser::default().parse(&message);
                let id = parsed.unwrap().message_id().unwrap().to_owned();
                let copy = (id, code_in(&message, 6));
                for recipient in &received.recipients {
                    let copies = read.copies.entry(recipient.clone()).or_default();
                    copies.push(copy.clone());
                }
            }
            read.count = all.len();
        }
        read.copies.get(email).cloned().unwrap_or_default()
    }
}
