//! A pgbouncer before a server, whose clients share a few connections, from transaction to transaction.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Once;

use crate::cluster::{OWNER, percent, until};
use crate::environment::{left_out_unless, variable};
use crate::home::Home;

/// Debian's place for it, which is not in the `PATH` of every user.
const SYSTEM: &str = "/usr/sbin";

/// For the name of the socket; each pooler has a folder to itself.
const PORT: u16 = 6432;

/// To the server, for each database: fewer than a program opens, so that they are really shared.
const CONNECTIONS: u32 = 4;

/// A pgbouncer in transaction mode with the least of configuration, on a unix socket. It ends and
/// its folder goes with this value, also when our process is killed.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    home: Home,
}

impl Pooler {
    /// Before the server of this `postgres://` URL, whose parameters are passed over; `None` where
    /// the machine has no pgbouncer.
    ///
    /// # Errors
    /// Where the URL cannot be read, or pgbouncer does not come up: the text holds its log.
    pub fn start(server_url: &str) -> io::Result<Option<Self>> {
        let Some(program) = find() else {
            return Ok(None);
        };
        let home = Home::new()?;
        let config = config(server_url, &home.folder().display().to_string())
            .ok_or_else(|| io::Error::other("the URL of the server cannot be read"))?;
        std::fs::write(home.folder().join("pgbouncer.ini"), config)?;
        let process = home
            .command(program)
            .arg("pgbouncer.ini")
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut pooler = Self { process, home };
        pooler.home.keep(Some(pooler.process.id()))?;
        pooler.await_connections()?;
        Ok(Some(pooler))
    }

    /// As [`Self::start`], for a test that is left out where there is none: that is said on standard
    /// error, once.
    ///
    /// # Errors
    /// As [`Self::start`].
    ///
    /// # Panics
    /// Under `CI=true`, where nothing is left out.
    pub fn for_test(server_url: &str) -> io::Result<Option<Self>> {
        let started = Self::start(server_url)?;
        if started.is_none() {
            static SAID: Once = Once::new();
            let what = "the tests behind a pooler, because there is no pgbouncer on this machine";
            left_out_unless(&SAID, what, "apt-get install pgbouncer");
        }
        Ok(started)
    }

    /// `postgres://otpost@%2Fsocket%2Ffolder:PORT/DATABASE`: a database of the server.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let folder = percent(self.home.folder().as_os_str());
        let database = percent(OsStr::new(database));
        format!("postgres://{OWNER}@{folder}:{PORT}/{database}")
    }

    /// What pgbouncer logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.home.folder().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn await_connections(&mut self) -> io::Result<()> {
        let socket = self.home.folder().join(format!(".s.PGSQL.{PORT}"));
        let process = &mut self.process;
        let accepts = until("pgbouncer accepts connections", || {
            if let Some(status) = process.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            Ok(UnixStream::connect(&socket).is_ok().then_some(()))
        });
        accepts.map_err(|error| {
            let log = self.log();
            io::Error::other(format!("pgbouncer: {error}; its log:\n{log}"))
        })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // One that has ended already is only fetched.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.home.keep(None);
    }
}

/// The program in `PATH`, or in Debian's place.
fn find() -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from(SYSTEM)])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}

/// Whoever comes is let in, and comes to the server as the user of its URL.
fn config(server_url: &str, folder: &str) -> Option<String> {
    let (_, rest) = server_url.split_once("://")?;
    let address = rest.split(['/', '?']).next()?;
    let (user, host) = address.rsplit_once('@')?;
    let (host, port) = host.rsplit_once(':').unwrap_or((host, "5432"));
    let (user, password) = user
        .split_once(':')
        .map_or((user, None), |(user, password)| (user, Some(password)));
    let [host, user] = [host, user].map(quoted);
    let password = password.map_or_else(String::new, |password| {
        format!("password={}", quoted(password))
    });
    Some(format!(
        "[databases]\n\
         * = host={host} port={port} user={user} {password}\n\
         [pgbouncer]\n\
         listen_addr =\n\
         listen_port = {PORT}\n\
         unix_socket_dir = {folder}\n\
         logfile = log\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {CONNECTIONS}\n\
         max_client_conn = 1000\n"
    ))
}

/// A part of a URL as pgbouncer reads a value.
fn quoted(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let hex = hex.and_then(|hex| str::from_utf8(hex).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    format!("'{}'", String::from_utf8_lossy(&bytes).replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_found_by_its_url() {
        for (url, expected) in [
            (
                "postgres://otpost@%2Ftmp%2Fa:5433/postgres",
                "host='/tmp/a' port=5433 user='otpost'",
            ),
            (
                "postgres://u:it's@db.example?sslmode=disable",
                "host='db.example' port=5432 user='u' password='it''s'",
            ),
        ] {
            let config = config(url, "/tmp/b").unwrap();
            assert!(config.contains(expected), "{config}");
        }
        assert_eq!(config("/tmp/a", "/tmp/b"), None);
    }
}
