//! A PostgreSQL server for the tests: the one that the environment names, or one of our own.

use std::process::{Command, ExitCode};

use otpost_cluster::{Binaries, Cluster};

use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::left_out;

pub(crate) const INSTALL: &str = "Debian: apt-get install postgresql, or set TEST_POSTGRES_URL";

/// What the tests are given; a server of our own ends with this value.
pub(crate) enum Server {
    /// Already named in the environment, which the tests inherit.
    Named,
    Own(Box<Cluster>),
    /// Said, and the tests on PostgreSQL pass over themselves.
    None,
}

impl Server {
    /// For a whole suite.
    pub(crate) fn for_suite() -> Outcome<Self> {
        if environment::names_postgres() {
            return Ok(Self::Named);
        }
        let Some(binaries) = Binaries::find() else {
            left_out("the tests on PostgreSQL: it is not installed", INSTALL)?;
            return Ok(Self::None);
        };
        // Many tests at once, each with pools of its own.
        let cluster = Cluster::builder(&binaries)
            .setting("max_connections", "400")
            .setting("shared_buffers", "256MB")
            .start();
        let cluster = cluster.map_err(|error| {
            Problem::new(
                format!("cannot start PostgreSQL: {error}"),
                "mend what it names, or set TEST_POSTGRES_URL to a server that runs",
            )
        })?;
        Ok(Self::Own(Box::new(cluster)))
    }

    /// Tells a command where the server is.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self {
            Self::Own(cluster) => command.env(environment::POSTGRES, cluster.url("postgres")),
            Self::Named | Self::None => command,
        }
    }
}

/// Runs any command with a server, and answers with its status.
pub(crate) fn with(program: &str, arguments: &[&str]) -> Outcome<ExitCode> {
    let server = Server::for_suite()?;
    if matches!(server, Server::None) {
        return Err(Problem::new("there is no PostgreSQL server", INSTALL));
    }
    let mut command = Command::new(program);
    let status = server.tell(command.args(arguments)).status();
    let status = status.map_err(|error| {
        Problem::new(
            format!("cannot run `{program}`: {error}"),
            "is it installed?",
        )
    })?;
    // One that was killed by a signal has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
