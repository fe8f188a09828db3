//! Erasing what is kept of a recipient.

pub(crate) mod files;

use otpost_ports::{AuditEntry, Erased, RecipientDigest, Scope, StoreError, Subject};
use sea_orm::sea_query::{Expr, Order, Query, SelectStatement, Value};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DeleteMany, EntityTrait,
    PaginatorTrait, QueryFilter, UpdateMany,
};

use crate::engine::Engine;
use crate::entity::{audit_entry, counters, delivery, kept_answer, project, session};
use crate::error::unavailable;
use crate::rows::{is_of, order};
use crate::storage::{end, in_time};
use crate::{Storage, audit_log};

/// A statement has a bounded number of parameters.
const SESSIONS_AT_ONCE: usize = 1_000;

/// As [`RecipientStore::erase`](otpost_ports::RecipientStore::erase). No row is read: one that no
/// longer converts goes like any other.
pub(crate) async fn erase(
    storage: &Storage,
    recipient: &RecipientDigest,
    scope: &Scope,
    entry: &AuditEntry,
) -> Result<Erased, StoreError> {
    let (scope, sessions, rows) = in_time(|| async {
        let transaction = storage.begin().await?;
        let projects = project::Entity::find().count(&transaction).await;
        let scope = scope.clone().erased(projects.map_err(unavailable)?);
        // Of these and no others: one that is opened meanwhile stays, whole.
        let ids = lock(&transaction, sessions(storage.engine, recipient, &scope)).await?;
        for ids in ids.chunks(SESSIONS_AT_ONCE) {
            lock(&transaction, mails_of(ids)).await?;
        }
        for ids in ids.chunks(SESSIONS_AT_ONCE) {
            lock(&transaction, keys_of(ids)).await?;
        }
        let (mut rows, mut sessions) = (0, 0);
        for ids in ids.chunks(SESSIONS_AT_ONCE) {
            let mails = mails(ids).exec(&transaction).await;
            rows += mails.map_err(unavailable)?.rows_affected;
            let answers = answers(ids).exec(&transaction).await;
            rows += answers.map_err(unavailable)?.rows_affected;
            let gone = sessions_of(ids).exec(&transaction).await;
            sessions += gone.map_err(unavailable)?.rows_affected;
        }
        rows += sessions;
        if let Some(condition) = counters_of(recipient, &scope) {
            lock(&transaction, subjects(condition.clone())).await?;
            let counters = counters::Entity::delete_many().filter(condition);
            let counters = counters.exec(&transaction).await;
            rows += counters.map_err(unavailable)?.rows_affected;
        }
        if let Some(entries) = blanked_entries(recipient, &scope) {
            let entries = entries.exec(&transaction).await;
            rows += entries.map_err(unavailable)?.rows_affected;
        }
        audit_log::write(&transaction, entry).await?;
        end(transaction).await?;
        Ok((scope, sessions, rows))
    })
    .await?;
    Ok(Erased {
        scope,
        sessions,
        leaves_copies: !match storage.engine {
            Engine::Sqlite => files::clean(storage, rows).await,
            // A server keeps the versions of rows until it vacuums, and its log longer.
            Engine::Postgres { .. } => rows == 0,
        },
    })
}

/// What `rows` selects, in its order, and locked where rows are locked one by one.
async fn lock(
    transaction: &DatabaseTransaction,
    mut rows: SelectStatement,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let locked = transaction.query_all(&rows.lock_exclusive().take()).await;
    let keys = locked.map_err(unavailable)?;
    let keys = keys.iter().map(|row| row.try_get_by_index(0));
    keys.collect::<Result<_, _>>().map_err(unavailable)
}

fn sessions(engine: Engine, recipient: &RecipientDigest, scope: &Scope) -> SelectStatement {
    let mut sessions = Query::select();
    sessions
        .column(session::Column::Id)
        .from(session::Entity)
        .cond_where(is_of(recipient, scope));
    for column in order(engine) {
        sessions.order_by(*column, Order::Asc);
    }
    sessions
}

fn mails_of(ids: &[Vec<u8>]) -> SelectStatement {
    let session = delivery::Column::SessionId;
    Query::select()
        .column(session)
        .from(delivery::Entity)
        .and_where(session.is_in(ids.iter().cloned()))
        .order_by(session, Order::Asc)
        .take()
}

fn keys_of(ids: &[Vec<u8>]) -> SelectStatement {
    let session = kept_answer::Column::SessionId;
    Query::select()
        .column(kept_answer::Column::Key)
        .from(kept_answer::Entity)
        .and_where(session.is_in(ids.iter().cloned()))
        .order_by(kept_answer::Column::Key, Order::Asc)
        .take()
}

fn subjects(condition: Condition) -> SelectStatement {
    Query::select()
        .column(counters::Column::Subject)
        .from(counters::Entity)
        .cond_where(condition)
        .order_by(counters::Column::Subject, Order::Asc)
        .take()
}

fn answers(ids: &[Vec<u8>]) -> DeleteMany<kept_answer::Entity> {
    let session = kept_answer::Column::SessionId;
    kept_answer::Entity::delete_many().filter(session.is_in(ids.iter().cloned()))
}

fn mails(ids: &[Vec<u8>]) -> DeleteMany<delivery::Entity> {
    let session = delivery::Column::SessionId;
    delivery::Entity::delete_many().filter(session.is_in(ids.iter().cloned()))
}

fn sessions_of(ids: &[Vec<u8>]) -> DeleteMany<session::Entity> {
    session::Entity::delete_many().filter(session::Column::Id.is_in(ids.iter().cloned()))
}

/// Which counters are of the scope; `None` where none is.
fn counters_of(recipient: &RecipientDigest, scope: &Scope) -> Option<Condition> {
    let subject = counters::Column::Subject;
    match scope {
        Scope::Installation => {
            let in_projects = Subject::recipient_in_projects(recipient);
            let (first, last) = (in_projects.start(), in_projects.end());
            let condition = Condition::any()
                .add(subject.eq(Subject::recipient(recipient).as_bytes()))
                .add(subject.between(first.as_bytes(), last.as_bytes()));
            Some(condition)
        }
        Scope::Project(project) => {
            let in_project = Subject::recipient_of(project, recipient);
            Some(Condition::all().add(subject.eq(in_project.as_bytes())))
        }
        Scope::Tests(_) => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use otpost_testkit::sample;
    use sea_orm::{DbBackend, QueryTrait};

    #[tokio::test]
    async fn a_recipient_is_erased_by_index() {
        let recipient = RecipientDigest([1; 32]);
        let project = sample::project("acme");
        for scope in [
            Scope::Installation,
            Scope::Project(project.clone()),
            Scope::Tests(project),
        ] {
            let ids = [vec![1; 22], vec![2; 22]];
            let mut steps = vec![
                (
                    DbBackend::Sqlite.build(&sessions(Engine::Sqlite, &recipient, &scope)),
                    vec!["sessions_by_recipient (recipient=?)"],
                ),
                (
                    answers(&ids).build(DbBackend::Sqlite),
                    vec!["kept_answers_by_session_id (session_id=?)"],
                ),
                (
                    mails(&ids).build(DbBackend::Sqlite),
                    vec!["sqlite_autoindex_deliveries_1 (session_id=?)"],
                ),
                (
                    sessions_of(&ids).build(DbBackend::Sqlite),
                    vec!["sqlite_autoindex_sessions_1 (id=?)"],
                ),
            ];
            if let Some(entries) = blanked_entries(&recipient, &scope) {
                let index = vec!["audit_log_by_recipient (recipient=?)"];
                steps.push((entries.build(DbBackend::Sqlite), index));
            }
            if let Some(condition) = counters_of(&recipient, &scope) {
                let counters = counters::Entity::delete_many().filter(condition);
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
