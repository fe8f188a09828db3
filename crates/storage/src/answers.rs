//! Which answers that are kept to be said again are over.

use otpost_domain::Timestamp;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Query, SelectStatement};

use crate::entity::kept_answer::{Column, Entity};

/// The most answers that a session is told with a key of their own: its mails, and some guesses.
const ANSWERS: u32 = 8;

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
    use sea_orm::DbBackend;

    #[tokio::test]
    async fn what_is_over_is_found_by_index() {
        let plan = plan(DbBackend::Sqlite.build(&over(NOON, 10))).await;
        let index = "INDEX kept_answers_by_until_at (until_at<?)";
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
