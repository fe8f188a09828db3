//! The port of the outbox: leases on rows of mails.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Claim, LeaseToken, MessageId, Outbox, OutboxEntry, OutboxQuery, Settlement, StoreError,
    StoredSession,
};
use sea_orm::sea_query::{Expr, Func, Order, Value};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    SelectTwo, UpdateMany,
};

use crate::batch::Job;
use crate::convert::delivery::{DELIVERIES, DROPPED, FAILED, QUEUED};
use crate::convert::session::{Kept, SESSIONS};
use crate::entity::{delivery, session};
use crate::error::{reading, unavailable};
use crate::rows::Rows;
use crate::storage::{DEADLINE, end, in_time, undo};
use crate::{Storage, convert};

/// Longer than a batch of the line can take: what is leased for somebody who is gone would wait until
/// its lease is over.
const CLAIMED_WITHIN: Duration = Duration::from_secs(20);

#[async_trait]
impl Outbox for Storage {
    async fn claim(&self, claim: Claim) -> Result<Vec<StoredSession>, StoreError> {
        // An idle poll takes no write lock.
        let is_any = in_time(|| async {
            let due = due_mails(claim.now, 1).one(&self.reading().await?).await;
            Ok(due.map_err(reading(DELIVERIES.0))?.is_some())
        });
        if !self.more_are_due.load(Ordering::Relaxed) && !is_any.await? {
            return Ok(Vec::new());
        }
        let claimed = self
            .line
            .carry_out_patiently(CLAIMED_WITHIN, |reply| Job::Claim(claim, reply))
            .await?;
        let is_full = u32::try_from(claimed.len()).is_ok_and(|count| count >= claim.limit);
        self.more_are_due.store(is_full, Ordering::Relaxed);
        Ok(claimed)
    }

    async fn settle(
        &self,
        id: &SessionId,
        token: LeaseToken,
        settlement: Settlement,
    ) -> Result<bool, StoreError> {
        self.line
            .carry_out_patiently(DEADLINE, |reply| Job::Settle(*id, token, settlement, reply))
            .await
    }

    async fn list(&self, query: OutboxQuery) -> Result<Vec<OutboxEntry>, StoreError> {
        let connection = self.reading().await?;
        let mut rows = Vec::new();
        // What waits first: a mail that fails meanwhile is seen twice rather than not at all.
        for state in if query.is_failed_only {
            &[FAILED][..]
        } else {
            &[QUEUED, FAILED]
        } {
            let found = unsent(*state, &query).all(&connection).await;
            rows.extend(found.map_err(reading(DELIVERIES.0))?);
        }
        rows.sort_by(|(one, _), (other, _)| other.session_id.cmp(&one.session_id));
        rows.dedup_by(|(one, _), (other, _)| one.session_id == other.session_id);
        let most = usize::try_from(query.limit).unwrap_or(usize::MAX);
        Ok(rows.into_iter().take(most).filter_map(shown).collect())
    }

    async fn retry(
        &self,
        id: &SessionId,
        message: &MessageId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let update = delivery::Entity::update_many()
            .col_expr(delivery::Column::State, Expr::value(QUEUED))
            .col_expr(delivery::Column::DueAt, millis(now))
            .filter(is_unsent(id, message));
        write(self, update).await
    }

    async fn discard(&self, id: &SessionId, message: &MessageId) -> Result<bool, StoreError> {
        let update = delivery::Entity::update_many()
            .col_expr(delivery::Column::State, Expr::value(DROPPED))
            .col_expr(delivery::Column::LeaseToken, null_bytes())
            .col_expr(delivery::Column::LeaseUntil, null_number())
            .filter(is_unsent(id, message));
        write(self, update).await
    }
}

/// Of this session the mail with this identifier, if it waits or failed.
fn is_unsent(id: &SessionId, message: &MessageId) -> Condition {
    Condition::all()
        .add(delivery::Column::SessionId.eq(id.as_bytes().to_vec()))
        .add(delivery::Column::Message.eq(message.0.to_vec()))
        .add(delivery::Column::State.is_in([QUEUED, FAILED]))
}

/// Mails in `state`, the newest sessions first, by the indexes of that state alone.
fn unsent(state: i16, query: &OutboxQuery) -> SelectTwo<delivery::Entity, session::Entity> {
    let mut unsent = delivery::Entity::find().filter(is_in(state));
    if let Some(range) = &query.messages {
        let [start, end] = [range.start(), range.end()].map(|message| message.0.to_vec());
        unsent = unsent.filter(delivery::Column::Message.between(start, end));
    }
    let id = Expr::col((delivery::Entity, delivery::Column::SessionId));
    let order = if state == FAILED && query.messages.is_none() {
        id
    } else {
        // An expression, which is no index's order: the few are found and sorted. Else SQLite would
        // read every mail in the order of the primary key, and PostgreSQL every one that failed.
        Func::coalesce([id, Expr::value(Value::Bytes(None))]).into()
    };
    unsent
        .order_by(order, Order::Desc)
        .limit(u64::from(query.limit))
        .find_also_related(session::Entity)
}

/// Mails that are due at `now` and leased by nobody then, the longest due first.
pub(crate) fn due_mails(now: Timestamp, limit: u32) -> Select<delivery::Entity> {
    let is_free = Condition::any()
        .add(delivery::Column::LeaseUntil.is_null())
        .add(delivery::Column::LeaseUntil.lte(now.as_millis()));
    delivery::Entity::find()
        .filter(is_in(QUEUED))
        .filter(delivery::Column::DueAt.lte(now.as_millis()))
        .filter(is_free)
        .order_by_asc(delivery::Column::DueAt)
        .limit(u64::from(limit))
}

/// As [`due_mails`] says it, of a row that is not written yet.
pub(crate) fn is_due(mail: &delivery::Model, now: Timestamp) -> bool {
    let is_free = mail
        .lease_until
        .is_none_or(|until| until <= now.as_millis());
    mail.state == QUEUED && mail.due_at <= now.as_millis() && is_free
}

/// With the number as a literal, as in the partial indexes: a plan made before the parameters are
/// known could not take them.
fn is_in(state: i16) -> Expr {
    Expr::col((delivery::Entity, delivery::Column::State)).eq(Expr::cust(state.to_string()))
}

/// A corrupt row, or a mail whose session is gone, stays leased and is reported; it does not hold
/// up the others.
pub(crate) fn readable(
    (delivery, session): (delivery::Model, Option<session::Model>),
) -> Option<StoredSession> {
    let id = <[u8; SessionId::BYTES]>::try_from(delivery.session_id.as_slice());
    let stored = session
        .ok_or_else(|| SESSIONS.corrupt("a mail has no session"))
        .and_then(|session| Rows { session, delivery }.read());
    match stored {
        Ok(stored) => Some(stored),
        Err(error) => {
            let session = id.map_or_else(
                |_| "unknown".to_owned(),
                |bytes| SessionId::from_bytes(bytes).short(),
            );
            tracing::error!(session, %error, "a mail cannot be sent");
            None
        }
    }
}

fn millis(at: Timestamp) -> Expr {
    Expr::value(at.as_millis())
}

/// Writes one row in a transaction of its own; `false` when the row is not there.
async fn write(
    storage: &Storage,
    update: UpdateMany<delivery::Entity>,
) -> Result<bool, StoreError> {
    in_time(|| async {
        let transaction = storage.begin().await?;
        let updated = update.clone().exec(&transaction).await;
        if updated.map_err(unavailable)?.rows_affected == 0 {
            undo(transaction).await;
            return Ok(false);
        }
        end(transaction).await?;
        Ok(true)
    })
    .await
}

/// A corrupt row is reported, and does not hide the others.
fn shown(row: (delivery::Model, Option<session::Model>)) -> Option<OutboxEntry> {
    let read = entry(row);
    if let Err(error) = &read {
        tracing::error!(%error, "a mail cannot be shown");
    }
    read.ok()
}

fn entry(
    (row, session): (delivery::Model, Option<session::Model>),
) -> Result<OutboxEntry, StoreError> {
    let session = session.ok_or_else(|| SESSIONS.corrupt("a mail has no session"))?;
    let Kept {
        session, context, ..
    } = convert::session::read(session)?;
    Ok(OutboxEntry {
        session,
        owner: context.owner,
        template: context.template,
        delivery: convert::delivery::read(&row)?,
        reply: convert::delivery::read_reply(&row)?,
    })
}

fn null_bytes() -> Expr {
    Expr::value(Value::Bytes(None))
}

fn null_number() -> Expr {
    Expr::value(Value::BigInt(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::{file, plan};
    use crate::convert::delivery::SENT;
    use otpost_ports::{Admitted, SessionStore};
    use otpost_testkit::{FakeVault, sample};
    use sea_orm::{ConnectionTrait, DbBackend, QueryTrait};

    #[tokio::test]
    async fn a_mail_in_memory_is_due_as_it_is_in_its_table() {
        let (_folder, storage) = file().await;
        let opening = sample::opening(&FakeVault::new(), 1);
        let admitted = storage.open(opening).await.unwrap();
        assert!(matches!(admitted, Admitted::Open(_)));
        let now = sample::NOON;
        let (before, after) = (now.as_millis() - 1, now.as_millis() + 1);
        let mut found = [0, 0];
        for state in [QUEUED, SENT, FAILED, DROPPED] {
            for due_at in [before, now.as_millis(), after] {
                for lease_until in [None, Some(before), Some(now.as_millis()), Some(after)] {
                    let update = delivery::Entity::update_many()
                        .col_expr(delivery::Column::State, Expr::value(state))
                        .col_expr(delivery::Column::DueAt, Expr::value(due_at))
                        .col_expr(delivery::Column::LeaseUntil, Expr::value(lease_until));
                    let update = update.build(DbBackend::Sqlite);
                    storage.writer.execute_raw(update).await.unwrap();

                    let row = delivery::Entity::find().one(&storage.writer).await;
                    let is_due = is_due(&row.unwrap().unwrap(), now);
                    let selected = due_mails(now, 9).all(&storage.writer).await.unwrap();

                    assert_eq!(
                        is_due,
                        !selected.is_empty(),
                        "{state} {due_at} {lease_until:?}"
                    );
                    found[usize::from(is_due)] += 1;
                }
            }
        }
        assert_eq!(found, [42, 6]);
    }

    #[tokio::test]
    async fn the_queue_is_read_by_its_partial_index() {
        let query = due_mails(Timestamp::from_millis(0), 10).build(DbBackend::Sqlite);
        let plan = plan(query).await;
        assert!(
            plan.contains("deliveries_queued_by_due_at (due_at<?)"),
            "{plan}"
        );
        assert!(!plan.contains("SCAN"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[tokio::test]
    async fn what_is_unsent_is_read_by_partial_indexes() {
        let one = OutboxQuery {
            messages: MessageId::beginning_with("ab"),
            ..OutboxQuery::any(2)
        };
        for (state, query, index) in [
            (QUEUED, OutboxQuery::any(10), "deliveries_queued_by_due_at"),
            (
                FAILED,
                OutboxQuery::any(10),
                "deliveries_failed_by_session_id",
            ),
            (QUEUED, one.clone(), "deliveries_queued_by_due_at"),
            (FAILED, one, "deliveries_failed_by_message"),
        ] {
            let plan = plan(unsent(state, &query).build(DbBackend::Sqlite)).await;
            assert!(plan.contains(index), "{index}: {plan}");
        }
    }
}
