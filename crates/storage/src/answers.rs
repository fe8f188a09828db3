//! Answers that are kept to be said again: read before a decision, written in its commit, purged by
//! rule.

use std::collections::BTreeSet;

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::StoreError;
use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{ColumnTrait, DatabaseTransaction, Select};

use crate::convert::kept_answer::KEPT_ANSWERS;
use crate::engine::Engine;
use crate::entity::kept_answer::{Column, Entity, Model};
use crate::error::reading;
use crate::many;

/// The most answers that a session is told with a key of their own: its mails, and some guesses.
const ANSWERS: u32 = 8;

/// The rows of the answers that are kept under these keys, locked until the end of the transaction
/// whether they are there or not: of two requests under one key, the second waits for what becomes
/// of the first.
pub(crate) async fn load_to_change(
    engine: Engine,
    transaction: &DatabaseTransaction,
    keys: &BTreeSet<Vec<u8>>,
) -> Result<Vec<Model>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    if engine.locks_rows() {
        let rows: Vec<_> = keys.iter().map(|key| over_since_long(key)).collect();
        many::lock::<Entity>(engine, transaction, &rows, Column::Key).await?;
    }
    let found = under(engine, keys).all(transaction).await;
    found.map_err(reading(KEPT_ANSWERS.0))
}

fn over_since_long(key: &[u8]) -> Model {
    Model {
        key: key.to_vec(),
        request: vec![0; 32],
        session_id: SessionId::NONE.as_bytes().to_vec(),
        answer: Vec::new(),
        until_at: 0,
        conflicts: 0,
    }
}

fn under(engine: Engine, keys: &BTreeSet<Vec<u8>>) -> Select<Entity> {
    many::with_keys(engine, Column::Key, keys)
}

/// Keeps these answers, each in place of the one under its key.
pub(crate) async fn save(
    engine: Engine,
    transaction: &DatabaseTransaction,
    answers: &[Model],
) -> Result<(), StoreError> {
    many::replace::<Entity>(engine, transaction, answers, Column::Key).await
}

/// Answers whose time is over at `now`, at most [`ANSWERS`] for each of `sessions`.
pub(crate) fn over(now: Timestamp, sessions: u32) -> SelectStatement {
    Query::select()
        .column(Column::Key)
        .from(Entity)
        .and_where(Column::UntilAt.lte(now.as_millis()))
        .limit(u64::from(sessions * ANSWERS))
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use otpost_testkit::sample::NOON;
    use sea_orm::{DbBackend, QueryTrait};

    #[tokio::test]
    async fn an_answer_is_found_by_its_key() {
        let keys = [vec![1; 32]].into();
        let plan = plan(under(Engine::Sqlite, &keys).build(DbBackend::Sqlite)).await;
        assert!(plan.contains("SEARCH kept_answers"), "{plan}");
        assert!(plan.contains("(key=?)"), "{plan}");
    }

    #[tokio::test]
    async fn what_is_over_is_found_by_index() {
        let plan = plan(DbBackend::Sqlite.build(&over(NOON, 10))).await;
        let index = "INDEX kept_answers_by_until_at (until_at<?)";
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
