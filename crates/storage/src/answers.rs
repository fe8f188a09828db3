//! Answers that are kept to be said again: read before a decision, written in its commit, purged by
//! rule.

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{KeptAnswer, Once, Sealed, StoreError};
use sea_orm::sea_query::{Expr, OnConflict, Query, SelectStatement};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, Insert, Select};

use crate::convert::kept_answer::{KEPT_ANSWERS, read, row};
use crate::engine::Engine;
use crate::entity::kept_answer::{ActiveModel, Column, Entity};
use crate::error::{reading, unavailable};

/// The most answers that a session is told with a key of their own: its mails, and some guesses.
const ANSWERS: u32 = 8;

/// The answer that is kept under the key of this wish.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    once: Option<Once>,
) -> Result<Option<KeptAnswer>, StoreError> {
    let Some(once) = once else {
        return Ok(None);
    };
    let found = under(&once).one(connection).await;
    let found = found.map_err(reading(KEPT_ANSWERS.0))?;
    found.map(read).transpose()
}

/// As [`load`], with the row of the key locked until the end of the transaction: of two requests
/// under one key, the second waits for what becomes of the first.
pub(crate) async fn load_to_change(
    engine: Engine,
    transaction: &DatabaseTransaction,
    once: Option<Once>,
) -> Result<Option<KeptAnswer>, StoreError> {
    if let Some(once) = once
        && engine.locks_rows()
    {
        lock(once)
            .exec_without_returning(transaction)
            .await
            .map_err(unavailable)?;
    }
    load(transaction, once).await
}

/// Makes the row where it is missing, which is over since long, and locks it otherwise: an update
/// whose condition never holds writes nothing, and locks all the same.
fn lock(once: Once) -> Insert<ActiveModel> {
    let none = KeptAnswer {
        once: Once {
            until: Timestamp::from_millis(0),
            ..once
        },
        session: SessionId::NONE,
        answer: Sealed(Vec::new()),
        conflicts: 0,
    };
    let only_lock = OnConflict::column(Column::Key)
        .update_column(Column::UntilAt)
        .action_and_where(Expr::cust("FALSE"))
        .to_owned();
    Entity::insert(row(&none)).on_conflict(only_lock)
}

fn under(once: &Once) -> Select<Entity> {
    Entity::find_by_id(once.key.0.to_vec())
}

/// Keeps an answer, in place of the one that is kept under its key, and says whether there was any to keep.
pub(crate) async fn save(
    connection: &impl ConnectionTrait,
    kept: Option<&KeptAnswer>,
) -> Result<bool, StoreError> {
    let Some(kept) = kept else {
        return Ok(false);
    };
    let replace = OnConflict::column(Column::Key)
        .update_columns([
            Column::Request,
            Column::SessionId,
            Column::Answer,
            Column::UntilAt,
            Column::Conflicts,
        ])
        .to_owned();
    Entity::insert(row(kept))
        .on_conflict(replace)
        .exec_without_returning(connection)
        .await
        .map_err(unavailable)?;
    Ok(true)
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
    use otpost_ports::{IdempotencyDigest, RequestDigest};
    use otpost_testkit::sample::NOON;
    use sea_orm::{DbBackend, QueryTrait};

    #[tokio::test]
    async fn an_answer_is_found_by_its_key() {
        let once = Once {
            key: IdempotencyDigest([1; 32]),
            request: RequestDigest([2; 32]),
            until: NOON,
        };
        let plan = plan(under(&once).build(DbBackend::Sqlite)).await;
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
