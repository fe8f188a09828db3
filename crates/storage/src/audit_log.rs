//! The audit log: written in the commit of what it tells of, shown, purged by rule.

use async_trait::async_trait;
use otpost_domain::Timestamp;
use otpost_ports::{AUDIT_RETENTION_SECS, AuditEntry, AuditLog, RecipientDigest, StoreError};
use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::Storage;
use crate::convert::audit::{AUDIT_LOG, read, row};
use crate::entity::audit_entry::{Column, Entity};
use crate::error::{reading, unavailable};
use crate::storage::in_time;

#[async_trait]
impl AuditLog for Storage {
    async fn entries(
        &self,
        recipient: Option<&RecipientDigest>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        in_time(|| async {
            let rows = newest(recipient, limit).all(&self.reading().await?).await;
            let rows = rows.map_err(reading(AUDIT_LOG.0))?;
            rows.into_iter().map(read).collect()
        })
        .await
    }
}

fn newest(recipient: Option<&RecipientDigest>, limit: u32) -> Select<Entity> {
    let mut entries = Entity::find();
    if let Some(recipient) = recipient {
        entries = entries.filter(Column::Recipient.eq(recipient.0.to_vec()));
    }
    entries
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .limit(u64::from(limit))
}

/// Writes an entry down.
pub(crate) async fn write(
    connection: &impl ConnectionTrait,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    Entity::insert(row(entry))
        .exec_without_returning(connection)
        .await
        .map_err(unavailable)?;
    Ok(())
}

/// At most `limit` entries whose time is over at `now`.
pub(crate) fn over(now: Timestamp, limit: u32) -> SelectStatement {
    let last = now.minus_secs(AUDIT_RETENTION_SECS);
    Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::At.lte(last.as_millis()))
        .limit(u64::from(limit))
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use otpost_testkit::sample::NOON;
    use sea_orm::{DbBackend, QueryTrait};

    #[tokio::test]
    async fn the_newest_entries_are_read_in_the_order_of_an_index() {
        for (recipient, index) in [
            (None, "INDEX audit_log_by_at"),
            (
                Some(RecipientDigest([1; 32])),
                "SEARCH audit_log USING INDEX audit_log_by_recipient (recipient=?)",
            ),
        ] {
            let query = newest(recipient.as_ref(), 10).build(DbBackend::Sqlite);
            let plan = plan(query).await;
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    #[tokio::test]
    async fn what_is_over_is_found_by_index() {
        let plan = plan(DbBackend::Sqlite.build(&over(NOON, 10))).await;
        assert!(plan.contains("INDEX audit_log_by_at (at<?)"), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
