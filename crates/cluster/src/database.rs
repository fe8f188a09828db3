//! A database of its own for a test, on a server that many tests share.

use sea_orm::{ConnectOptions, ConnectionTrait, DbErr};
use tokio::runtime::Builder;

use crate::environment::{left_out, random, variable};

/// The variable that names the server: a `postgres://` URL of a user who may create databases.
const SERVER: &str = "TEST_POSTGRES_URL";

/// Nobody is ever connected to it, and nobody has left anything in it.
const EMPTY: &str = "template0";

/// A database that goes, sessions and all, with this value. One that is left by a killed process
/// goes with the server.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// An empty one; `None` where the tests have no server, which is said on standard error, once.
    ///
    /// # Panics
    /// Where the server does not do it; and without a server under `CI=true`, where nothing is left
    /// out.
    pub async fn create() -> Option<Self> {
        Self::from_template(EMPTY).await
    }

    /// A copy of a database of the server, to which nobody may be connected meanwhile.
    ///
    /// # Panics
    /// As [`Self::create`].
    pub async fn from_template(template: &str) -> Option<Self> {
        let Some(server) = variable(SERVER) else {
            left_out(&format!("{SERVER} is not set"));
            return None;
        };
        let server = server.to_string_lossy().into_owned();
        let name = format!("otpost_test_{:016x}", random());
        // From PostgreSQL 15 on the copy goes by the log, without a checkpoint, if nothing is said.
        let sql = format!(r#"CREATE DATABASE "{name}" TEMPLATE "{template}""#);
        if let Err(error) = execute(&server, &sql).await {
            panic!("{sql} on the server that {SERVER} names: {error}");
        }
        let url = with_database(&server, &name);
        Some(Self { server, name, url })
    }

    /// For the database, as `postgres://`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// On the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!(r#"DROP DATABASE IF EXISTS "{}" WITH (FORCE)"#, self.name);
        // On a thread of its own: the one we are on may belong to a runtime.
        let dropped = std::thread::scope(|scope| {
            let other = scope.spawn(|| execute_alone(&self.server, &sql));
            other.join()
        });
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("{sql}: {dropped:?}");
        }
    }
}

fn execute_alone(url: &str, sql: &str) -> Result<(), DbErr> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| DbErr::Custom(error.to_string()))?;
    runtime.block_on(execute(url, sql))
}

async fn execute(url: &str, sql: &str) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let server = sea_orm::Database::connect(options).await?;
    let done = server.execute_unprepared(sql).await;
    server.close().await?;
    done.map(drop)
}

/// The URL of another database on the same server.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url
        .split_once('?')
        .map_or((url, String::new()), |(address, query)| {
            (address, format!("?{query}"))
        });
    let begin = address.find("://").map_or(0, |at| at + "://".len());
    let end = address[begin..]
        .find('/')
        .map_or(address.len(), |at| begin + at);
    format!("{}/{name}{query}", &address[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_another() {
        for (url, expected) in [
            ("postgres://u@h:1/postgres", "postgres://u@h:1/x"),
            ("postgres://u:p@h", "postgres://u:p@h/x"),
            ("postgres://%2Ftmp%2Fa:1/", "postgres://%2Ftmp%2Fa:1/x"),
            (
                "postgres://u@h/a?host=/tmp/b",
                "postgres://u@h/x?host=/tmp/b",
            ),
        ] {
            assert_eq!(with_database(url, "x"), expected, "{url}");
        }
    }
}
