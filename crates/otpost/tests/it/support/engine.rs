//! Either engine: a test runs on a file, and again on a database of its own on the server of the
//! tests.

use sea_orm::{ConnectionTrait as _, Database};

use super::process::Program;
use super::{Api, Otpost, Place, Scan};

/// Makes two of each test that takes a [`Place`]: `sqlite::…` and `postgres::…`.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::support::Place::new()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(place) = $crate::support::Place::server().await {
                        super::$test(place).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use on_both;

impl Place {
    /// Whose programs keep everything in a database of PostgreSQL; `None`, which is said, where the
    /// tests have no server.
    pub(crate) async fn server() -> Option<Self> {
        Some(Self {
            database: Some(otpost_cluster::Database::create().await?),
            ..Self::new()
        })
    }

    /// Another one of the same engine.
    pub(crate) async fn another(&self) -> Self {
        match self.database {
            None => Self::new(),
            Some(_) => Self::server().await.unwrap(),
        }
    }

    pub(crate) fn engine(&self) -> &'static str {
        match self.database {
            None => "SQLite",
            Some(_) => "PostgreSQL",
        }
    }

    /// Starts `otpost dev` on a free port and waits until it serves.
    pub(crate) fn dev(&self) -> (Otpost, Api) {
        let otpost = match &self.database {
            None => Otpost::dev(self.path()),
            Some(database) => self.dev_at(database.url()),
        };
        (otpost, Otpost::dev_api(self.path()))
    }

    /// As [`Place::dev`], on the database at `url`.
    pub(crate) fn dev_at(&self, url: &str) -> Otpost {
        let words = ["dev", "--data", "data", "--listen", "127.0.0.1:0"];
        let words = [&words[..], &["--database", url]].concat();
        let otpost = Program::new(self.path(), &words).start();
        otpost.wait_for_banner();
        otpost
    }

    /// Starts `otpost serve` with the configuration that is here, and waits until it serves.
    pub(crate) fn serve(&self) -> Otpost {
        self.serve_with(&[])
    }

    /// As [`Place::serve`], with these variables.
    pub(crate) fn serve_with(&self, variables: &[(&str, &str)]) -> Otpost {
        let mut program = self.otpost(&["serve"]);
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let otpost = program.start();
        otpost.address();
        otpost
    }

    /// The URL of the database, which is this file where it is one.
    pub(crate) fn url_of(&self, file: &str) -> String {
        match &self.database {
            None => format!("sqlite://{}?mode=rwc", self.join(file).display()),
            Some(database) => database.url().to_owned(),
        }
    }

    /// What a development run keeps.
    pub(crate) async fn scan(&self) -> Scan {
        self.scan_of("data/otpost.db").await
    }

    /// What is kept, in this file where it is one.
    pub(crate) async fn scan_of(&self, file: &str) -> Scan {
        match &self.database {
            None => Scan::open(&self.join(file)).await,
            Some(database) => Scan::at(database.url()).await,
        }
    }

    /// Changes the database of a service past the program.
    pub(crate) async fn sql(&self, sql: &str) {
        let connection = Database::connect(self.url_of("otpost.db")).await;
        let connection = connection.unwrap();
        let done = connection.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.unwrap();
    }
}
