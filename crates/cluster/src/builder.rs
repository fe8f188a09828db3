//! How a cluster is made: its settings, and its data by `initdb` or from another cluster.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use crate::cluster::{OWNER, checked};
use crate::environment::random;
use crate::home::Home;
use crate::{Binaries, Cluster};

/// PostgreSQL's own, for the name of the socket; each cluster has a folder to itself.
const PORT: u16 = 5432;

/// Ports from which the system takes none for outgoing connections: one that a restarted server
/// left is there when it comes back.
const PORTS: std::ops::Range<u64> = 20_000..32_000;

/// The parts of a cluster that is not started yet.
#[derive(Debug, Clone)]
pub struct Builder {
    binaries: Binaries,
    settings: Vec<(String, String)>,
    tcp: bool,
}

impl Builder {
    pub(crate) fn new(binaries: &Binaries) -> Self {
        Self {
            binaries: binaries.clone(),
            // A crash of the machine is the one thing that tests do not try. What a standby has
            // not read yet is kept, as no slot keeps it.
            settings: vec![
                ("fsync".into(), "off".into()),
                ("wal_keep_size".into(), "256MB".into()),
            ],
            tcp: false,
        }
    }

    /// A line of `postgresql.conf`; the last of a name counts. `ALTER SYSTEM` can change it later.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Listens on a free port of 127.0.0.1 too, where every user of the machine may enter.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Makes the data, and starts the server on it.
    ///
    /// # Errors
    /// Where a program fails or the server does not come up in time: the text holds what it said.
    pub fn start(self) -> io::Result<Cluster> {
        let home = Home::new()?;
        let mut initdb = home.command(self.binaries.program("initdb"));
        initdb
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .arg(format!("--username={OWNER}"))
            .arg("--pgdata=data");
        checked(&mut initdb)?;
        let mut lines = String::new();
        for (name, value) in &self.settings {
            let value = value.replace('\'', "''");
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{name} = '{value}'");
        }
        OpenOptions::new()
            .append(true)
            .open(home.folder().join("data/postgresql.conf"))?
            .write_all(lines.as_bytes())?;
        self.run(home)
    }

    /// Starts a server on data that is in the folder already.
    pub(crate) fn run(self, home: Home) -> io::Result<Cluster> {
        let port = if self.tcp { free_port()? } else { PORT };
        let mut cluster = Cluster::stopped(self.binaries, home, port, self.tcp);
        cluster.resume()?;
        Ok(cluster)
    }

    /// The same for another server: only what is not in the data matters.
    pub(crate) fn like(binaries: &Binaries, tcp: bool) -> Self {
        Self {
            tcp,
            ..Self::new(binaries)
        }
    }
}

fn free_port() -> io::Result<u16> {
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..100 {
        let number = PORTS.start + random() % (PORTS.end - PORTS.start);
        let port = u16::try_from(number).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
