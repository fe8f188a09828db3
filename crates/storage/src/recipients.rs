//! The port of recipients: what is kept of one is shown, and its failures forgiven.

use async_trait::async_trait;
use otpost_ports::{
    AuditEntry, Erased, RecipientDigest, RecipientRecord, RecipientStore, Scope, StoreError,
    release,
};
use sea_orm::{
    EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, SelectTwo,
};

use crate::convert::delivery::DELIVERIES;
use crate::convert::session::SESSIONS;
use crate::engine::Engine;
use crate::entity::{delivery, session};
use crate::error::{reading, unavailable};
use crate::rows::{Rows, is_of, order};
use crate::storage::{end, in_time, undo};
use crate::{Storage, audit_log, counters, erase};

#[async_trait]
impl RecipientStore for Storage {
    async fn look_up(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        limit: u32,
        entry: AuditEntry,
    ) -> Result<RecipientRecord, StoreError> {
        in_time(|| async {
            let transaction = self.begin().await?;
            let ledger = counters::load(&transaction, &scope.subjects(recipient)).await?;
            let sessions = of(recipient, scope).count(&transaction).await;
            let newest = newest(self.engine, recipient, scope, limit);
            let newest = newest.all(&transaction).await;
            let record = RecipientRecord {
                failures: scope.failures(recipient, &ledger),
                sessions: sessions.map_err(unavailable)?,
                newest: newest
                    .map_err(reading(SESSIONS.0))?
                    .into_iter()
                    .map(|(session, delivery)| {
                        let delivery =
                            delivery.ok_or_else(|| DELIVERIES.corrupt("a session has no mail"))?;
                        Rows { session, delivery }.read()
                    })
                    .collect::<Result<_, _>>()?,
            };
            audit_log::write(&transaction, &entry).await?;
            end(transaction).await?;
            Ok(record)
        })
        .await
    }

    async fn release(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        in_time(|| async {
            let transaction = self.begin().await?;
            let subjects = scope.subjects(recipient);
            let mut ledger = counters::lock(&transaction, &subjects).await?;
            if !release(recipient, scope, &mut ledger, entry.at) {
                undo(transaction).await;
                return Ok(false);
            }
            counters::save(&transaction, &ledger).await?;
            audit_log::write(&transaction, &entry).await?;
            end(transaction).await?;
            Ok(true)
        })
        .await
    }

    async fn erase(
        &self,
        recipient: &RecipientDigest,
        scope: &Scope,
        entry: AuditEntry,
    ) -> Result<Erased, StoreError> {
        erase::erase(self, recipient, scope, &entry).await
    }
}

fn of(recipient: &RecipientDigest, scope: &Scope) -> Select<session::Entity> {
    session::Entity::find().filter(is_of(recipient, scope))
}

/// The newest first: an identifier begins with its time.
fn newest(
    engine: Engine,
    recipient: &RecipientDigest,
    scope: &Scope,
    limit: u32,
) -> SelectTwo<session::Entity, delivery::Entity> {
    let columns = order(engine).iter();
    columns
        .fold(of(recipient, scope), |rows, column| {
            rows.order_by_desc(*column)
        })
        .limit(u64::from(limit))
        .find_also_related(delivery::Entity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use otpost_testkit::sample;
    use sea_orm::{ColumnTrait, DbBackend, QueryTrait};

    #[tokio::test]
    async fn a_recipient_is_looked_up_by_index_and_in_its_order() {
        let recipient = RecipientDigest([1; 32]);
        let project = sample::project("acme");
        for scope in [
            Scope::Installation,
            Scope::Project(project.clone()),
            Scope::Tests(project),
        ] {
            let rows = newest(Engine::Sqlite, &recipient, &scope, 10).build(DbBackend::Sqlite);
            let all = of(&recipient, &scope)
                .select_only()
                .column_as(session::Column::Id.count(), "sessions")
                .build(DbBackend::Sqlite);
            for query in [rows, all] {
                let plan = plan(query).await;
                assert!(
                    plan.contains("sessions_by_recipient (recipient=?)"),
                    "{scope:?}: {plan}"
                );
                assert!(!plan.contains("SCAN"), "{scope:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{scope:?}: {plan}");
            }
        }
    }
}
