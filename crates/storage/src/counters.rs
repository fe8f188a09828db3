//! What is counted: read before a decision, written in its commit, purged by rule.

use std::collections::BTreeSet;

use otpost_domain::{HOLD_FAILURES, Limit, Timestamp};
use otpost_ports::{FAILURES_RETENTION_SECS, Ledger, StoreError, Subject};
use sea_orm::sea_query::{Expr, OnConflict, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait,
    ExprTrait, IntoActiveModel, Iterable, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::convert::counters::{COUNTERS, read, row};
use crate::entity::counters::{Column, Entity};
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
    read_all(connection, of(subjects), subjects).await
}

/// As [`load`], with every row that is there locked until the end of the transaction, where rows are
/// locked one by one.
pub(crate) async fn lock(
    transaction: &DatabaseTransaction,
    subjects: &BTreeSet<Subject>,
) -> Result<Ledger, StoreError> {
    let locked = of(subjects).lock_exclusive();
    read_all(transaction, locked.clone(), subjects).await?;
    // A statement does not see what was inserted while it waited for a lock.
    read_all(transaction, locked, subjects).await
}

async fn read_all(
    connection: &impl ConnectionTrait,
    rows: Select<Entity>,
    subjects: &BTreeSet<Subject>,
) -> Result<Ledger, StoreError> {
    if subjects.is_empty() {
        return Ok(Ledger::default());
    }
    let rows = rows.all(connection).await.map_err(reading(COUNTERS.0))?;
    let rows: Result<Vec<_>, _> = rows.into_iter().map(read).collect();
    rows.map(Ledger::new)
}

/// The rows of a few subjects, in their order.
fn of(subjects: &BTreeSet<Subject>) -> Select<Entity> {
    let subjects = subjects.iter().map(|subject| subject.as_bytes().to_vec());
    Entity::find()
        .filter(Column::Subject.is_in(subjects))
        .order_by_asc(Column::Subject)
}

/// Writes what was counted of a recipient whose rows are locked.
pub(crate) async fn save(
    transaction: &DatabaseTransaction,
    ledger: &Ledger,
) -> Result<(), StoreError> {
    for (subject, counters) in ledger.changes() {
        let others = Column::iter().filter(|column| !matches!(column, Column::Subject));
        let replace = OnConflict::column(Column::Subject)
            .update_columns(others)
            .to_owned();
        Entity::insert(row(subject, counters).into_active_model().reset_all())
            .on_conflict(replace)
            .exec_without_returning(transaction)
            .await
            .map_err(unavailable)?;
    }
    Ok(())
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
