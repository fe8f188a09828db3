//! Erasing what is kept of a recipient, from the tables and from the files.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use otpost_ports::{AuditEntry, Erased, RecipientDigest, Scope, StoreError, Subject};
use sea_orm::sea_query::{Expr, Query, SelectStatement, Value};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, DeleteMany, EntityTrait,
    PaginatorTrait, QueryFilter, Statement, UpdateMany,
};
use tokio::sync::Mutex;

use crate::entity::{audit_entry, counters, delivery, kept_answer, project, session};
use crate::error::unavailable;
use crate::rows::is_of;
use crate::storage::in_time;
use crate::{Storage, audit_log};

/// The most pages of a database that is rewritten after an erasure: 8 MiB, which takes a fraction
/// of the second for which others wait in line.
const REWRITTEN_PAGES_MAX: i64 = 2_048;

/// How long the files are cleaned once the rows are gone.
const CLEANING: Duration = Duration::from_secs(2);

/// As [`RecipientStore::erase`](otpost_ports::RecipientStore::erase). No row is read: one that no
/// longer converts goes like any other.
pub(crate) async fn erase(
    storage: &Storage,
    recipient: &RecipientDigest,
    scope: &Scope,
    entry: &AuditEntry,
) -> Result<Erased, StoreError> {
    let (scope, sessions, rows) = in_time(async {
        let transaction = storage.begin().await?;
        let projects = project::Entity::find().count(&transaction).await;
        let scope = scope.clone().erased(projects.map_err(unavailable)?);
        // What is about a session first: it is found by the sessions.
        let answers = answers(recipient, &scope).exec(&transaction).await;
        let mut rows = answers.map_err(unavailable)?.rows_affected;
        let mails = mails(recipient, &scope).exec(&transaction).await;
        rows += mails.map_err(unavailable)?.rows_affected;
        let sessions = sessions(recipient, &scope).exec(&transaction).await;
        let sessions = sessions.map_err(unavailable)?.rows_affected;
        rows += sessions;
        if let Some(counters) = counters(recipient, &scope) {
            let counters = counters.exec(&transaction).await;
            rows += counters.map_err(unavailable)?.rows_affected;
        }
        if let Some(entries) = blanked_entries(recipient, &scope) {
            let entries = entries.exec(&transaction).await;
            rows += entries.map_err(unavailable)?.rows_affected;
        }
        audit_log::write(&transaction, entry).await?;
        transaction.commit().await.map_err(unavailable)?;
        Ok((scope, sessions, rows))
    })
    .await?;
    Ok(Erased {
        scope,
        sessions,
        leaves_copies: !clean(storage, rows).await,
    })
}

fn ids(recipient: &RecipientDigest, scope: &Scope) -> SelectStatement {
    Query::select()
        .column(session::Column::Id)
        .from(session::Entity)
        .cond_where(is_of(recipient, scope))
        .take()
}

fn answers(recipient: &RecipientDigest, scope: &Scope) -> DeleteMany<kept_answer::Entity> {
    kept_answer::Entity::delete_many()
        .filter(kept_answer::Column::SessionId.in_subquery(ids(recipient, scope)))
}

fn mails(recipient: &RecipientDigest, scope: &Scope) -> DeleteMany<delivery::Entity> {
    delivery::Entity::delete_many()
        .filter(delivery::Column::SessionId.in_subquery(ids(recipient, scope)))
}

fn sessions(recipient: &RecipientDigest, scope: &Scope) -> DeleteMany<session::Entity> {
    session::Entity::delete_many().filter(is_of(recipient, scope))
}

/// `None` where no counter is of the scope.
fn counters(recipient: &RecipientDigest, scope: &Scope) -> Option<DeleteMany<counters::Entity>> {
    let subject = counters::Column::Subject;
    let condition = match scope {
        Scope::Installation => {
            let in_projects = Subject::recipient_in_projects(recipient);
            let (first, last) = (in_projects.start(), in_projects.end());
            Condition::any()
                .add(subject.eq(Subject::recipient(recipient).as_bytes()))
                .add(subject.between(first.as_bytes(), last.as_bytes()))
        }
        Scope::Project(project) => {
            let in_project = Subject::recipient_of(project, recipient);
            Condition::all().add(subject.eq(in_project.as_bytes()))
        }
        Scope::Tests(_) => return None,
    };
    Some(counters::Entity::delete_many().filter(condition))
}

/// `None` where no entry names anybody.
fn blanked_entries(
    recipient: &RecipientDigest,
    scope: &Scope,
) -> Option<UpdateMany<audit_entry::Entity>> {
    let update = audit_entry::Entity::update_many()
        .col_expr(
            audit_entry::Column::Recipient,
            Expr::value(Value::Bytes(None)),
        )
        .filter(audit_entry::Column::Recipient.eq(recipient.0.to_vec()));
    match scope {
        Scope::Installation => Some(update),
        Scope::Project(project) => {
            Some(update.filter(audit_entry::Column::Project.eq(project.as_str())))
        }
        Scope::Tests(_) => None,
    }
}

/// Erasures that want the files cleaned. One cleaning serves all that were committed before it
/// began: it holds the connection that writes.
#[derive(Debug, Default)]
pub(crate) struct Cleaning {
    asked: AtomicU64,
    done: Mutex<u64>,
}

/// Leaves nothing of what was erased in the files, and says whether that was done. The rows are
/// gone already, and what fails here is made up for by the next erasure.
async fn clean(storage: &Storage, rows: u64) -> bool {
    let steps = async {
        let wanted = u64::from(rows > 0);
        let mine = storage.cleaning.asked.fetch_add(wanted, Ordering::SeqCst) + wanted;
        let mut done = storage.cleaning.done.lock().await;
        if *done >= mine {
            return true;
        }
        let asked = storage.cleaning.asked.load(Ordering::SeqCst);
        let is_rewritten = rewrite(storage).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the database could not be rewritten");
            false
        });
        let is_emptied = empty_log(storage).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log could not be emptied");
            false
        });
        let is_clean = is_rewritten && is_emptied;
        if is_clean {
            *done = asked;
        }
        is_clean
    };
    let cleaned = tokio::time::timeout(CLEANING, steps).await;
    cleaned.unwrap_or(false)
}

/// Writes every page anew, and says whether that was done. `secure_delete` overwrites the row that
/// is deleted, but not every copy that was left behind when a page was split.
async fn rewrite(storage: &Storage) -> Result<bool, DbErr> {
    let pages = number(storage, "PRAGMA page_count").await?;
    if pages.is_none_or(|pages| pages > REWRITTEN_PAGES_MAX) {
        return Ok(false);
    }
    storage.writer.execute_unprepared("VACUUM").await?;
    Ok(true)
}

/// Writes the log into the database and empties it, for what was erased stands in its older
/// pages. `false` while another connection reads from it.
async fn empty_log(storage: &Storage) -> Result<bool, DbErr> {
    let is_busy = number(storage, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(is_busy == Some(0))
}

/// The first column that the connection which writes answers.
async fn number(storage: &Storage, query: &str) -> Result<Option<i64>, DbErr> {
    let query = Statement::from_string(DbBackend::Sqlite, query);
    let answer = storage.writer.query_one_raw(query).await?;
    answer.map(|row| row.try_get_by_index(0)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::tests::plan;
    use otpost_testkit::sample;
    use sea_orm::QueryTrait;

    #[tokio::test]
    async fn a_recipient_is_erased_by_index() {
        let recipient = RecipientDigest([1; 32]);
        let project = sample::project("acme");
        for scope in [
            Scope::Installation,
            Scope::Project(project.clone()),
            Scope::Tests(project),
        ] {
            let by_recipient = "sessions_by_recipient (recipient=?)";
            let mut steps = vec![
                (
                    answers(&recipient, &scope).build(DbBackend::Sqlite),
                    vec!["kept_answers_by_session_id (session_id=?)", by_recipient],
                ),
                (
                    mails(&recipient, &scope).build(DbBackend::Sqlite),
                    vec!["sqlite_autoindex_deliveries_1 (session_id=?)", by_recipient],
                ),
                (
                    sessions(&recipient, &scope).build(DbBackend::Sqlite),
                    vec![by_recipient],
                ),
            ];
            if let Some(entries) = blanked_entries(&recipient, &scope) {
                let index = vec!["audit_log_by_recipient (recipient=?)"];
                steps.push((entries.build(DbBackend::Sqlite), index));
            }
            if let Some(counters) = counters(&recipient, &scope) {
                let index = vec!["SEARCH counters USING"];
                steps.push((counters.build(DbBackend::Sqlite), index));
            }
            for (query, indexes) in steps {
                let plan = plan(query).await;
                for index in indexes {
                    assert!(plan.contains(index), "{scope:?}: {plan}");
                }
                assert!(!plan.contains("SCAN"), "{scope:?}: {plan}");
            }
        }
    }
}
