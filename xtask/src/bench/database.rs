//! The database of a measurement: a SQLite file, or a PostgreSQL server of its own that syncs.

use std::path::{Path, PathBuf};
use std::process::Command;

use otpost_cluster::{Binaries, Cluster};

use crate::postgres::INSTALL;
use crate::problem::{Outcome, Problem};
use crate::process::read;

/// The database of the product on a server of ours.
pub(super) const NAME: &str = "postgres";

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(super) fn named(word: &str) -> Outcome<Self> {
        match word {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            other => Err(Problem::new(
                format!("there is no engine `{other}`"),
                "sqlite or postgres",
            )),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A database that goes with this value.
pub(super) enum Database {
    File(PathBuf),
    Server(Box<Cluster>),
}

impl Database {
    /// An empty one. Every commit of either is on the disk before it is answered.
    pub(super) fn start(engine: Engine, folder: &Path) -> Outcome<Self> {
        match engine {
            Engine::Sqlite => Ok(Self::File(folder.join("otpost.db"))),
            Engine::Postgres => {
                let cluster = Cluster::builder(&binaries()?)
                    .setting("fsync", "on")
                    .setting("synchronous_commit", "on")
                    .setting("full_page_writes", "on")
                    .setting("shared_buffers", "512MB")
                    .setting("max_wal_size", "4GB")
                    .start();
                let cluster = cluster.map_err(|error| {
                    Problem::new(
                        format!("cannot start PostgreSQL: {error}"),
                        "mend what it names",
                    )
                })?;
                Ok(Self::Server(Box::new(cluster)))
            }
        }
    }

    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::File(_) => Engine::Sqlite,
            Self::Server(_) => Engine::Postgres,
        }
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite://{}?mode=rwc", path.display()),
            Self::Server(cluster) => cluster.url(NAME),
        }
    }

    /// What the engine's own client answers, a row a line, columns apart by `|`.
    pub(super) fn sql(&self, statements: &str) -> Outcome<String> {
        match self {
            Self::File(path) => read(
                Command::new("sqlite3")
                    .arg("-bail")
                    .args(["-cmd", ".timeout 10000"])
                    .arg(path)
                    .arg(statements),
            ),
            Self::Server(cluster) => cluster.sql(NAME, statements).map_err(|error| {
                Problem::new(format!("PostgreSQL refuses: {error}"), "mend the statement")
            }),
        }
    }
}

/// Those of PostgreSQL, which a measurement on it cannot do without.
pub(super) fn binaries() -> Outcome<Binaries> {
    Binaries::find().ok_or_else(|| Problem::new("PostgreSQL is not installed", INSTALL))
}
