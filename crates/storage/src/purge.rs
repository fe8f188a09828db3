//! Purging by rule: secrets at the hard end, and every row when its time is over.

mod statements;

use otpost_domain::Timestamp;
use otpost_ports::{Purged, RETENTION_SECS, StoreError};
use rusqlite::Transaction;
use sea_orm::sea_query::{Expr, LockBehavior, LockType, Query, SelectStatement, Value};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use tokio::time::Instant;

use crate::batch::{Failure, Place};
use crate::convert::session::{CLOSED, HARD_END_REACHED, PENDING, SESSIONS};
use crate::entity::{audit_entry, counters as counted, delivery, kept_answer, session};
use crate::storage::{BACKGROUND, end};
use crate::tables::file::{FileTables, at_once};
use crate::{Storage, answers, audit_log, counters, partitions};
use statements::Statements;

/// The most sessions in one commit: others wait for the write lock meanwhile.
const BATCH_MAX: u32 = 1_000;

/// As [`SessionStore::purge`](otpost_ports::SessionStore::purge).
pub(crate) async fn purge(
    storage: &Storage,
    now: Timestamp,
    limit: u32,
) -> Result<Purged, StoreError> {
    let limit = limit.min(BATCH_MAX);
    let deleted_from = if partitions::are_there(storage).await? {
        // The others go whole when their time is over.
        partitions::SESSIONS_DEFAULT
    } else {
        SESSIONS.0
    };
    let over = over(now, deleted_from);
    if !any(&storage.reading().await?, &over).await? {
        return Ok(Purged::default());
    }
    match &storage.place {
        Place::File(writer) => {
            let until = Instant::now() + BACKGROUND;
            let work = move |transaction: &Transaction<'_>, purged: &mut Purged| {
                let tables = FileTables(transaction);
                *purged = at_once(carry_out(&tables, now, limit, deleted_from))?;
                Ok(true)
            };
            let (purged, ended) = writer.transaction(Purged::default(), until, work).await;
            ended.map(|()| purged).map_err(Failure::into_error)
        }
        Place::Server { .. } => {
            let transaction = storage.begin().await?;
            let purged = carry_out(&transaction, now, limit, deleted_from).await?;
            end(transaction).await?;
            Ok(purged)
        }
    }
}

/// Closes and deletes, within a transaction.
async fn carry_out(
    transaction: &impl Statements,
    now: Timestamp,
    limit: u32,
    deleted_from: &'static str,
) -> Result<Purged, StoreError> {
    let ended = not_in_use(ids(SESSIONS.0, ended(now), limit));
    let closed = close(transaction, transaction.keys(SESSIONS, &ended).await?).await?;
    let forgotten = not_in_use(ids(deleted_from, forgotten(now), limit));
    let deleted = delete(transaction, transaction.keys(SESSIONS, &forgotten).await?).await?;
    let rows = answers::over(now, limit);
    forget::<kept_answer::Entity>(transaction, kept_answer::Column::Key, rows).await?;
    for rows in counters::over(now, limit) {
        forget::<counted::Entity>(transaction, counted::Column::Subject, rows).await?;
    }
    let rows = audit_log::over(now, limit);
    forget::<audit_entry::Entity>(transaction, audit_entry::Column::Id, rows).await?;
    // What another holds would be found again and again until it lets go.
    let over: Vec<_> = over(now, deleted_from)
        .into_iter()
        .map(not_in_use)
        .collect();
    let is_full = any(transaction, &over).await?;
    Ok(Purged {
        closed,
        deleted,
        is_full,
    })
}

/// What every rule finds at `now`.
fn over(now: Timestamp, deleted_from: &'static str) -> Vec<SelectStatement> {
    let mut rows = vec![
        ids(SESSIONS.0, ended(now), 1),
        ids(deleted_from, forgotten(now), 1),
        answers::over(now, 1),
        audit_log::over(now, 1),
    ];
    rows.extend(counters::over(now, 1));
    rows
}

/// Whether one of these finds anything.
async fn any(statements: &impl Statements, rows: &[SelectStatement]) -> Result<bool, StoreError> {
    for rows in rows {
        if statements.is_any(rows).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `rows`, locked where rows are locked one by one, and without those that another locks: they are
/// in use, and the next purge comes soon.
fn not_in_use(mut rows: SelectStatement) -> SelectStatement {
    rows.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take()
}

/// Deletes the rows of a table whose `key` is among those that `rows` selects.
async fn forget<E: EntityTrait>(
    transaction: &impl Statements,
    key: E::Column,
    rows: SelectStatement,
) -> Result<(), StoreError> {
    let rows = E::delete_many().filter(key.in_subquery(not_in_use(rows)));
    transaction.delete(rows).await?;
    Ok(())
}

/// Sessions that wait past their hard end.
fn ended(now: Timestamp) -> Condition {
    Condition::all()
        .add(session::Column::State.eq(PENDING))
        .add(session::Column::HardEnd.lte(now.as_millis()))
}

/// Closed sessions whose retention is over.
fn forgotten(now: Timestamp) -> Condition {
    let last = now.minus_secs(RETENTION_SECS);
    Condition::all()
        .add(session::Column::State.is_in(CLOSED))
        .add(session::Column::HardEnd.lte(last.as_millis()))
}

/// The identifiers of sessions in `table`, which is theirs or a partition of it.
fn ids(table: &'static str, which: Condition, limit: u32) -> SelectStatement {
    Query::select()
        .column((session::Entity, session::Column::Id))
        .from_as(table, session::Entity)
        .cond_where(which)
        .limit(u64::from(limit))
        .take()
}

/// [`Session::close_at_hard_end`](otpost_domain::Session::close_at_hard_end) as one statement, so
/// that a row which no longer converts loses its secret and variables too. A test holds it against the domain.
async fn close(transaction: &impl Statements, ids: Vec<Vec<u8>>) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mut update = session::Entity::update_many()
        .col_expr(session::Column::State, Expr::value(HARD_END_REACHED))
        .col_expr(
            session::Column::ClosedAt,
            Expr::col(session::Column::HardEnd),
        )
        .col_expr(session::Column::Resends, Expr::value(Value::SmallInt(None)))
        .col_expr(session::Column::Variables, Expr::value(Value::Bytes(None)))
        .col_expr(
            session::Column::SecretNonce,
            Expr::value(Value::Bytes(None)),
        );
    for column in [
        session::Column::Generation,
        session::Column::CodeIssuedAt,
        session::Column::MailedAt,
        session::Column::SecretKid,
    ] {
        update = update.col_expr(column, Expr::value(Value::BigInt(None)));
    }
    transaction
        .update(update.filter(session::Column::Id.is_in(ids)))
        .await
}

async fn delete(transaction: &impl Statements, ids: Vec<Vec<u8>>) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mails = delivery::Column::SessionId.is_in(ids.clone());
    transaction
        .delete(delivery::Entity::delete_many().filter(mails))
        .await?;
    let sessions = session::Column::Id.is_in(ids);
    transaction
        .delete(session::Entity::delete_many().filter(sessions))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use sea_orm::DbBackend;

    #[tokio::test]
    async fn both_rules_read_by_index() {
        let now = Timestamp::from_millis(0);
        for (rule, which) in [("ended", ended(now)), ("forgotten", forgotten(now))] {
            let plan = plan(DbBackend::Sqlite.build(&ids(SESSIONS.0, which, 10))).await;
            let index = "sessions_by_state_and_hard_end (state=? AND hard_end<?)";
            assert!(plan.contains(index), "{rule}: {plan}");
            assert!(!plan.contains("SCAN"), "{rule}: {plan}");
        }
    }
}
