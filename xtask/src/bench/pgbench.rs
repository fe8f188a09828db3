//! What PostgreSQL does with one statement per transaction, as its own `pgbench` measures it: on the
//! product's table of sessions, on a server like that of the product.

use std::process::Command;

use otpost_cluster::Cluster;

use super::database::{Database, Engine, NAME, binaries};
use super::lab::Lab;
use super::measure::short;
use super::site::Site;
use crate::problem::{Outcome, Problem};
use crate::process::write;

/// Rows that are updated, each by its key.
const ROWS: u32 = 300_000;

/// Clients at a time; the best of them counts.
const CLIENTS: [u32; 3] = [1, 16, 64];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// What the right code does to a session, by its key.
    Update,
    /// A session.
    Insert,
}

impl Statement {
    const ALL: [Self; 2] = [Self::Update, Self::Insert];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Update => "pgbench update",
            Self::Insert => "pgbench insert",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Update => include_str!("update.sql"),
            Self::Insert => include_str!("insert.sql"),
        }
    }
}

/// Transactions a second of each statement, with the best number of clients.
pub(super) fn measure(lab: &Lab) -> Outcome<Vec<(Statement, f64)>> {
    let site = lab.site(Engine::Postgres)?;
    // A node makes the tables and the partition of today.
    drop(site.node()?);
    site.database.sql(&format!(
        "{}; VACUUM ANALYZE sessions; CHECKPOINT",
        include_str!("pending.sql").replace(":rows", &ROWS.to_string())
    ))?;
    let day = site.database.sql(
        "SELECT (extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC')) * 1000)::bigint",
    )?;
    let mut best = Vec::new();
    for statement in Statement::ALL {
        let mut rates = Vec::new();
        for clients in CLIENTS {
            rates.push(rate(
                &site,
                statement,
                &day,
                clients,
                lab.options.time().as_secs() / 2 + 1,
            )?);
        }
        let texts: Vec<String> = rates.iter().map(|rate| short(*rate)).collect();
        println!(
            "  {}: {} a second with 1, 16, 64 clients",
            statement.name(),
            texts.join(", ")
        );
        best.push((statement, rates.into_iter().fold(0.0, f64::max)));
    }
    Ok(best)
}

fn rate(site: &Site, statement: Statement, day: &str, clients: u32, secs: u64) -> Outcome<f64> {
    let Database::Server(cluster) = &site.database else {
        return Err(Problem::new("pgbench needs a server", "give it PostgreSQL"));
    };
    let file = site
        .folder
        .join(format!("{}.sql", statement.name().replace(' ', "-")));
    write(&file, statement.script())?;
    let said = crate::process::read(
        program(cluster)?
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            .arg(format!("--client={clients}"))
            .arg(format!("--time={secs}"))
            .args(["--define", &format!("rows={ROWS}")])
            .args(["--define", &format!("day={day}")])
            .arg(format!("--file={}", file.display()))
            .arg(NAME),
    )?;
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split(' ').next()?.parse().ok());
    rate.ok_or_else(|| Problem::new("pgbench measured nothing", format!("it said:\n{said}")))
}

/// As who runs the chore: the script is ours to read.
fn program(cluster: &Cluster) -> Outcome<Command> {
    let mut command = Command::new(binaries()?.program("pgbench"));
    command
        .arg("--host")
        .arg(cluster.socket_folder())
        .args(["--username", "otpost"]);
    Ok(command)
}
