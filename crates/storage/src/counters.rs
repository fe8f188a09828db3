//! What is counted: read before a decision, written in its commit, forgotten by rule.

use std::collections::BTreeSet;

use otpost_domain::{Limit, Timestamp};
use otpost_ports::{Ledger, StoreError, Subject};
use sea_orm::sea_query::{Expr, OnConflict, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, Select,
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
    at: Timestamp,
) -> Result<bool, StoreError> {
    let rows: Vec<_> = ledger
        .changes()
        .map(|(subject, counters)| row(subject, counters, at))
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
        ])
        .to_owned();
    Entity::insert_many(rows)
        .on_conflict(replace)
        .exec_without_returning(connection)
        .await
        .map_err(unavailable)?;
    Ok(true)
}

/// Whether there is anything to forget at `now`.
pub(crate) async fn are_forgotten(
    connection: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let one = connection
        .query_one(&forgotten(now, 1))
        .await
        .map_err(unavailable)?;
    Ok(one.is_some())
}

/// Deletes rows that owe nothing any more, at most [`SUBJECTS`] for each of `limit` sessions.
pub(crate) async fn forget(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u32,
) -> Result<(), StoreError> {
    Entity::delete_many()
        .filter(Column::Subject.in_subquery(forgotten(now, limit * SUBJECTS)))
        .exec(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// Rows that nobody wrote for long. One with failures is never among them: the ladder forgets by a
/// success alone. The 0 is a literal, as in the partial index.
fn forgotten(now: Timestamp, limit: u32) -> SelectStatement {
    let last = now.minus_secs(FORGOTTEN_SECS);
    Query::select()
        .column(Column::Subject)
        .from(Entity)
        .and_where(Expr::col(Column::Failures).eq(Expr::cust("0")))
        .and_where(Expr::col(Column::UsedAt).lte(last.as_millis()))
        .limit(u64::from(limit))
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::tests::plan;
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
    async fn what_is_forgotten_is_found_by_index() {
        let query = DbBackend::Sqlite.build(&forgotten(NOON, 10));
        let plan = plan(query).await;
        let index = "INDEX counters_without_failures_by_used_at (used_at<?)";
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
