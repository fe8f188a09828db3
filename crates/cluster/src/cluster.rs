//! A running server: stopped in every way, started again, copied to a standby, asked by SQL.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Seek, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::home::Home;
use crate::processes::{children, is_alive, signal};
use crate::{Binaries, Builder};

/// The superuser of every cluster; without a password.
pub(crate) const OWNER: &str = "otpost";

/// How long a server may take to come up or to end. Usual is a second.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Sessions are cut off, what they had open is rolled back, and a checkpoint made (SIGINT).
    Fast,
    /// At once, as in a crash: the next start recovers (SIGQUIT).
    Immediate,
    /// The postmaster and all its children, in the middle of whatever they do (SIGKILL). Linux only.
    Kill,
}

/// A PostgreSQL server with a data folder of its own, on a unix socket. The server ends and the
/// folder goes with this value, also when our process is killed.
#[derive(Debug)]
pub struct Cluster {
    binaries: Binaries,
    port: u16,
    tcp: bool,
    server: Option<Child>,
    data: PathBuf,
    home: Home,
}

impl Cluster {
    /// A new server on a unix socket, without `fsync`.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start(binaries: &Binaries) -> io::Result<Self> {
        Self::builder(binaries).start()
    }

    /// A new server with other settings.
    #[must_use]
    pub fn builder(binaries: &Binaries) -> Builder {
        Builder::new(binaries)
    }

    pub(crate) fn stopped(binaries: Binaries, home: Home, port: u16, tcp: bool) -> Self {
        Self {
            binaries,
            port,
            tcp,
            server: None,
            data: home.folder().join("data"),
            home,
        }
    }

    /// `postgres://otpost@%2Fsocket%2Ffolder:PORT/DATABASE`, which libpq and sqlx understand.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let host = percent(self.socket_folder().as_os_str());
        let database = percent(OsStr::new(database));
        format!("postgres://{OWNER}@{host}:{}/{database}", self.port)
    }

    /// The folder of the socket, open to the server's account and to root.
    #[must_use]
    pub fn socket_folder(&self) -> &Path {
        self.home.folder()
    }

    /// The folder that the server calls `data_directory`.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        &self.data
    }

    /// The port of 127.0.0.1, where one was asked for.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.tcp.then_some(self.port)
    }

    /// The server's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Any program, run as the server's account (PostgreSQL's programs and `pgbouncer` refuse root),
    /// in a folder that it may write to, with no variables but `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.home.command(program)
    }

    /// Ends the server and waits until it is gone; one that has ended already is left so.
    ///
    /// # Errors
    /// Where it is still there after a minute.
    pub fn stop(&mut self, how: Stop) -> io::Result<()> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let postmaster = server.id();
        let mut orphans = Vec::new();
        if server.try_wait()?.is_none() {
            let send = |name, ids: &[u32]| signal(self.home.command("sh"), name, ids);
            // One that was frozen would not hear of it.
            send(
                "CONT",
                &[&[postmaster], children(postmaster)?.as_slice()].concat(),
            )?;
            match how {
                Stop::Fast => send("INT", &[postmaster])?,
                Stop::Immediate => send("QUIT", &[postmaster])?,
                Stop::Kill => {
                    // One that stands still has no more children after they were counted.
                    send("STOP", &[postmaster])?;
                    orphans = children(postmaster)?;
                    send("KILL", &[&[postmaster], orphans.as_slice()].concat())?;
                }
            }
        }
        until("the server has ended", || {
            let ended = server.try_wait()?.is_some();
            Ok((ended && !orphans.iter().any(|id| is_alive(*id))).then_some(()))
        })?;
        self.server = None;
        self.home.keep(None)
    }

    /// Has all processes of the server stand still, until [`Self::thaw`]: connections stay, and
    /// nobody answers. Linux only.
    ///
    /// # Errors
    /// Where the system does not say which they are.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal_all("STOP")
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// As [`Self::freeze`].
    pub fn thaw(&self) -> io::Result<()> {
        self.signal_all("CONT")
    }

    fn signal_all(&self, name: &str) -> io::Result<()> {
        let Some(postmaster) = self.server.as_ref().map(Child::id) else {
            return Ok(());
        };
        let send = |ids: &[u32]| signal(self.home.command("sh"), name, ids);
        // The postmaster first: one that stands still has no more children after they were counted.
        send(&[postmaster])?;
        send(&children(postmaster)?)
    }

    /// Starts the server on the data that it has, and waits until it accepts connections. One that
    /// runs is left alone.
    ///
    /// # Errors
    /// Where it ends, or accepts none within a minute: the text holds its log.
    pub fn resume(&mut self) -> io::Result<()> {
        if let Some(server) = &mut self.server
            && server.try_wait()?.is_none()
        {
            return Ok(());
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let addresses = if self.tcp { "127.0.0.1" } else { "" };
        let socket = self.socket_folder().display();
        let mut command = self.command(self.binaries.program("postgres"));
        command
            .args(["-D", "data"])
            .args(["-c", &format!("port={}", self.port)])
            .args(["-c", &format!("listen_addresses={addresses}")])
            .args(["-c", &format!("unix_socket_directories={socket}")])
            // A Ctrl-C in the terminal is for us; the server ends after us.
            .process_group(0)
            .stdout(log.try_clone()?)
            .stderr(log);
        let server = command.spawn()?;
        self.home.keep(Some(server.id()))?;
        self.server = Some(server);
        self.await_connections().map_err(|error| {
            let log = self.log();
            io::Error::other(format!("PostgreSQL: {error}; its log:\n{log}"))
        })
    }

    fn await_connections(&mut self) -> io::Result<()> {
        let mut ask = self.client("pg_isready");
        ask.stdout(Stdio::null()).stderr(Stdio::null());
        let server = &mut self.server;
        until("the server accepts connections", || {
            if let Some(server) = server
                && let Some(status) = server.try_wait()?
            {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            Ok(ask.status()?.success().then_some(()))
        })
    }

    /// A hot standby of this cluster, copied and streaming; it names itself `name` as its
    /// `application_name`, which `synchronous_standby_names` speaks of.
    ///
    /// # Errors
    /// Where the copy fails, or as [`Self::resume`].
    pub fn standby(&self, name: &str) -> io::Result<Self> {
        let home = Home::new()?;
        let mut copy = home.command(self.binaries.program("pg_basebackup"));
        let folder = self.socket_folder().display();
        let port = self.port;
        let source = format!("host={folder} port={port} user={OWNER} application_name={name}");
        copy.args(["--dbname", &source, "--pgdata=data"])
            .args(["--write-recovery-conf", "--wal-method=stream"])
            .args(["--checkpoint=fast", "--no-sync"]);
        checked(&mut copy)?;
        Builder::like(&self.binaries, self.tcp).run(home)
    }

    /// Makes a primary of a standby, and waits until it takes writes.
    ///
    /// # Errors
    /// Where it is none, or does not become one within a minute.
    pub fn promote(&self) -> io::Result<()> {
        match self.sql("postgres", "SELECT pg_promote()")?.as_str() {
            "t" => Ok(()),
            _ => Err(io::Error::other("the standby was not promoted in time")),
        }
    }

    /// What `psql` answers, a row a line, columns apart by `|`. Stops at the first statement that
    /// fails.
    ///
    /// # Errors
    /// Where the server is not there or refuses a statement: the text holds what it said.
    pub fn sql(&self, database: &str, sql: &str) -> io::Result<String> {
        let mut input = tempfile::tempfile()?;
        input.write_all(sql.as_bytes())?;
        input.rewind()?;
        let mut psql = self.client("psql");
        psql.args(["--no-align", "--tuples-only", "--no-psqlrc", "--quiet"])
            .args(["--set=ON_ERROR_STOP=1", "--dbname", database])
            .stdin(input);
        let answer = checked(&mut psql)?;
        Ok(answer.strip_suffix('\n').unwrap_or(&answer).to_owned())
    }

    /// A client program of PostgreSQL, told where the server is.
    fn client(&self, program: &str) -> Command {
        let mut command = self.command(self.binaries.program(program));
        let port = self.port.to_string();
        command.arg("--host").arg(self.socket_folder()).args([
            "--port",
            &port,
            "--username",
            OWNER,
        ]);
        command
    }

    fn log_file(&self) -> PathBuf {
        self.home.folder().join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.stop(Stop::Immediate) {
            eprintln!("PostgreSQL in {}: {error}", self.socket_folder().display());
        }
    }
}

/// Runs a program, and takes what it writes on standard output; its failure shows all it said.
pub(crate) fn checked(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(said.into_owned());
    }
    let program = Path::new(command.get_program()).display();
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{program} failed: {said}{errors}"
    )))
}

/// Asks until there is an answer or patience ends.
pub(crate) fn until<T>(
    what: &str,
    mut ask: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if begin.elapsed() > PATIENCE {
            let text = format!("waited in vain until {what}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        std::thread::sleep(PAUSE);
    }
}

/// As the parts of a URL are written: all but letters and digits by their bytes.
pub(crate) fn percent(text: &OsStr) -> String {
    let mut written = String::new();
    for byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(byte) {
            written.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(written, "%{byte:02X}");
        }
    }
    written
}
