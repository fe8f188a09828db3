//! What is counted: read before a decision, written in its commit, purged by rule.

use std::collections::BTreeSet;

use otpost_domain::{HOLD_FAILURES, Limit, Timestamp};
use otpost_ports::{Counters, FAILURES_RETENTION_SECS, Ledger, StoreError, Subject};
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, ExprTrait, Select};

use crate::convert::counters::{COUNTERS, read, row};
use crate::engine::Engine;
use crate::entity::counters::{Column, Entity};
use crate::error::reading;
use crate::many;

/// After which a row that nobody wrote owes nothing, whatever its limits, in seconds.
const FORGOTTEN_SECS: u32 = 2 * Limit::WINDOW_SECS_MAX;

/// The most subjects that are counted first with one session: its recipient twice, and a network.
/// A purge that keeps up with the sessions thus keeps up with their counters.
const SUBJECTS: u32 = 3;

/// What is kept of `subjects`; without any, nothing is asked.
pub(crate) async fn load(
    engine: Engine,
    connection: &impl ConnectionTrait,
    subjects: &BTreeSet<Subject>,
) -> Result<Ledger, StoreError> {
    if subjects.is_empty() {
        return Ok(Ledger::default());
    }
    let rows = of(engine, subjects)
        .all(connection)
        .await
        .map_err(reading(COUNTERS.0))?;
    let rows: Result<Vec<_>, _> = rows.into_iter().map(read).collect();
    rows.map(Ledger::new)
}

/// As [`load`], with every row locked until the end of the transaction, whether it was there before
/// or not.
pub(crate) async fn load_to_change(
    engine: Engine,
    transaction: &DatabaseTransaction,
    subjects: &BTreeSet<Subject>,
) -> Result<Ledger, StoreError> {
    if engine.locks_rows() && !subjects.is_empty() {
        let nothing = Counters::default();
        let rows: Vec<_> = subjects
            .iter()
            .map(|subject| row(subject, &nothing))
            .collect();
        many::lock::<Entity>(engine, transaction, &rows, Column::Subject).await?;
    }
    load(engine, transaction, subjects).await
}

fn of(engine: Engine, subjects: &BTreeSet<Subject>) -> Select<Entity> {
    let subjects = subjects.iter().map(|subject| subject.as_bytes().to_vec());
    many::with_keys(engine, Column::Subject, &subjects.collect())
}

/// Writes what was counted, and says whether there was anything.
pub(crate) async fn save(
    engine: Engine,
    transaction: &DatabaseTransaction,
    ledger: &Ledger,
) -> Result<bool, StoreError> {
    let changes = ledger.changes();
    let rows: Vec<_> = changes
        .map(|(subject, counters)| row(subject, counters))
        .collect();
    many::replace::<Entity>(engine, transaction, &rows, Column::Subject).await?;
    Ok(!rows.is_empty())
}

/// Rows that owe nothing any more at `now`, and old failures: of either at most [`SUBJECTS`] for
/// each of `sessions`.
pub(crate) fn over(now: Timestamp, sessions: u32) -> [SelectStatement; 2] {
    let limit = u64::from(sessions * SUBJECTS);
    [owing_nothing(now), old_failures(now)].map(|mut rows| rows.limit(limit).take())
}

/// Rows without failures that nobody wrote for long. The 0 is a literal, as in the partial index.
fn owing_nothing(now: Timestamp) -> SelectStatement {
    let last = now.minus_secs(FORGOTTEN_SECS);
    Query::select()
        .column(Column::Subject)
        .from(Entity)
        .and_where(Expr::col(Column::Failures).eq(Expr::cust("0")))
        .and_where(Expr::col(Column::UsedAt).lte(last.as_millis()))
        .take()
}

/// Rows with failures that nobody wrote for very long. A hold is never among them: it ends by a
/// release, a success or an erasure alone. The 0 is a literal, as in the partial index.
fn old_failures(now: Timestamp) -> SelectStatement {
    let last = now.minus_secs(FAILURES_RETENTION_SECS);
    let recipients = Subject::recipients();
    let is_no_hold = Condition::any()
        .add(Column::Failures.lt(HOLD_FAILURES))
        // What a project forgave, which is no failure of its own.
        .add(Column::Subject.lt(recipients.start.as_bytes()))
        .add(Column::Subject.gte(recipients.end.as_bytes()));
    Query::select()
        .column(Column::Subject)
        .from(Entity)
        .and_where(Expr::col(Column::Failures).gt(Expr::cust("0")))
        .and_where(Expr::col(Column::UsedAt).lte(last.as_millis()))
        .cond_where(is_no_hold)
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use otpost_testkit::sample::NOON;
    use sea_orm::{DbBackend, QueryTrait};

    #[tokio::test]
    async fn counters_are_read_by_their_subjects_in_order() {
        let project = Subject::project(&otpost_testkit::sample::project("acme"));
        let subjects = [project, Subject::installation()].into();
        let plan = plan(of(Engine::Sqlite, &subjects).build(DbBackend::Sqlite)).await;
        assert!(plan.starts_with("SEARCH counters USING INDEX"), "{plan}");
        assert!(plan.contains("(subject=?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[tokio::test]
    async fn what_is_over_is_found_by_index() {
        let indexes = [
            "counters_without_failures_by_used_at",
            "counters_with_failures_by_used_at",
        ];
        for (rows, index) in over(NOON, 10).into_iter().zip(indexes) {
            let plan = plan(DbBackend::Sqlite.build(&rows)).await;
            assert!(
                plan.contains(&format!("INDEX {index} (used_at<?)")),
                "{plan}"
            );
            assert!(!plan.contains("SCAN"), "{plan}");
        }
    }
}
