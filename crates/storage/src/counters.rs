//! What is counted: read before a decision, written in its commit, purged by rule.

use std::collections::BTreeSet;

use otpost_domain::{HOLD_FAILURES, Limit, Timestamp};
use otpost_ports::{Counters, FAILURES_RETENTION_SECS, Ledger, StoreError, Subject};
use sea_orm::sea_query::{Expr, OnConflict, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait,
    InsertMany, QueryFilter, QueryOrder, Select,
};

use crate::convert::counters::{COUNTERS, read, row};
use crate::engine::Engine;
use crate::entity::counters::{ActiveModel, Column, Entity};
use crate::error::{reading, unavailable};

/// After which a row that nobody wrote owes nothing, whatever its limits, in seconds.
const FORGOTTEN_SECS: u32 = 2 * Limit::WINDOW_SECS_MAX;

/// The most subjects that are counted first with one session: its recipient twice, and a network.
/// A purge that keeps up with the sessions thus keeps up with their counters.
const SUBJECTS: u32 = 3;

/// What is kept of `subjects`; without any, nothing is asked.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    subjects: &BTreeSet<Subject>,
) -> Result<Ledger, StoreError> {
    if subjects.is_empty() {
        return Ok(Ledger::default());
    }
    let rows = of(subjects)
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
        lock(subjects)
            .exec_without_returning(transaction)
            .await
            .map_err(unavailable)?;
    }
    load(transaction, subjects).await
}

/// Makes the rows that are missing and locks the others, in the order of their subjects and in one
/// pass: an update whose condition never holds writes nothing, and locks all the same.
fn lock(subjects: &BTreeSet<Subject>) -> InsertMany<ActiveModel> {
    let nothing = Counters::default();
    let rows = subjects.iter().map(|subject| row(subject, &nothing));
    let only_lock = OnConflict::column(Column::Subject)
        .update_column(Column::UsedAt)
        .action_and_where(Expr::cust("FALSE"))
        .to_owned();
    Entity::insert_many(rows).on_conflict(only_lock)
}

fn of(subjects: &BTreeSet<Subject>) -> Select<Entity> {
    let subjects = subjects.iter().map(|subject| subject.as_bytes().to_vec());
    Entity::find()
        .filter(Column::Subject.is_in(subjects))
        .order_by_asc(Column::Subject)
}

/// Writes what was counted, and says whether there was anything.
pub(crate) async fn save(
    connection: &impl ConnectionTrait,
    ledger: &Ledger,
) -> Result<bool, StoreError> {
    let rows: Vec<_> = ledger
        .changes()
        .map(|(subject, counters)| row(subject, counters))
        .collect();
    if rows.is_empty() {
        return Ok(false);
    }
    let replace = OnConflict::column(Column::Subject)
        .update_columns([
            Column::Paid1,
            Column::Paid2,
            Column::Paid3,
            Column::Failures,
            Column::UsedAt,
            Column::FailingSince,
        ])
        .to_owned();
    Entity::insert_many(rows)
        .on_conflict(replace)
        .exec_without_returning(connection)
        .await
        .map_err(unavailable)?;
    Ok(true)
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
        let plan = plan(of(&subjects).build(DbBackend::Sqlite)).await;
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
