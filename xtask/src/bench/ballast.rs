//! Sessions that are there already, each with its mail.

use std::time::Instant;

use super::database::{Database, Engine};
use super::measure::{grouped, real};
use crate::problem::{Outcome, Problem};

const DAY: i64 = 86_400;

/// Which sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ballast {
    /// Verified within this hour and this day; two of five have a counter of their recipient.
    Kept,
    /// Of twenty days ago: the next purge deletes them.
    Over,
}

/// Adds `rows` sessions, at most 16 million. No node runs meanwhile.
pub(super) fn fill(database: &Database, rows: u64, which: Ballast) -> Outcome {
    let begin = Instant::now();
    let now = now(database)?;
    let at = match which {
        Ballast::Kept => (now - 3_600).max(now - now % DAY),
        Ballast::Over => now - 20 * DAY,
    } * 1_000;
    let (statements, counters) = match database.engine() {
        Engine::Sqlite => (include_str!("ballast.sqlite.sql"), "x'66'"),
        Engine::Postgres => (include_str!("ballast.postgres.sql"), r"'\x66'"),
    };
    // The ninth byte of an identifier is as good as drawn.
    let counters = match which {
        Ballast::Kept => format!("substr(id, 9, 1) < {counters}"),
        Ballast::Over => "false".to_owned(),
    };
    let statements = statements
        .replace(":rows", &rows.to_string())
        .replace(":begin", &instant(at))
        .replace(":end", &instant(at + 1))
        .replace(":counters", &counters)
        .replace(":bytes", &bytes())
        .replace(":at", &at.to_string());
    database.sql(&statements)?;
    println!(
        "  {}: {} sessions stored in {:.0} s",
        database.engine().name(),
        grouped(real(rows)),
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// How many wait to be purged.
pub(super) fn over(database: &Database) -> Outcome<u64> {
    let before = instant((now(database)? - 10 * DAY) * 1_000);
    let before = match database.engine() {
        Engine::Sqlite => format!("x'{before}'"),
        Engine::Postgres => format!(r"'\x{before}'"),
    };
    let count = database.sql(&format!(
        "SELECT count(*) FROM sessions WHERE id < {before}"
    ))?;
    Ok(count.trim().parse().unwrap_or_default())
}

/// Seconds since the Unix epoch.
fn now(database: &Database) -> Outcome<i64> {
    let now = database.sql(match database.engine() {
        Engine::Sqlite => "SELECT strftime('%s', 'now')",
        Engine::Postgres => "SELECT extract(epoch FROM now())::bigint",
    })?;
    let now = now.trim().parse();
    now.map_err(|_| Problem::new("the database knows no time", "mend the statement"))
}

/// How an identifier begins that was made then, in hexadecimal digits.
fn instant(millis: i64) -> String {
    format!("{millis:012x}")
}

/// A row for each byte, in order.
fn bytes() -> String {
    let rows: Vec<String> = (0..=255_u8)
        .map(|byte| format!("(x'{byte:02x}')"))
        .collect();
    rows.join(",")
}
