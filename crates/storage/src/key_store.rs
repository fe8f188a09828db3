//! The port of projects and keys.

use async_trait::async_trait;
use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{AuditEntry, KeyRecord, KeyStore, ProjectRecord, StoreError};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, UpdateMany,
};

use crate::convert::key::{API_KEYS, PROJECTS, key_row, project_row, read_key, read_project};
use crate::entity::{api_key, project};
use crate::error::{reading, unavailable};
use crate::storage::{end, in_time};
use crate::{Storage, audit_log};

#[async_trait]
impl KeyStore for Storage {
    async fn create_project(
        &self,
        project: ProjectRecord,
        entry: AuditEntry,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let unless_there_is_one = OnConflict::column(project::Column::Name)
            .do_nothing()
            .to_owned();
        let inserted = project::Entity::insert(project_row(&project))
            .on_conflict(unless_there_is_one)
            .exec_without_returning(&transaction)
            .await
            .map_err(unavailable)?;
        if inserted == 0 {
            return Ok(false);
        }
        audit_log::write(&transaction, &entry).await?;
        end(transaction).await?;
        Ok(true)
    }

    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        let rows = project::Entity::find()
            .order_by_asc(project::Column::Name)
            .all(&self.reading().await?)
            .await
            .map_err(reading(PROJECTS.0))?;
        rows.iter().map(read_project).collect()
    }

    async fn insert_key(&self, key: KeyRecord, entry: AuditEntry) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let owner = project::Entity::find_by_id(key.project.as_str())
            .one(&transaction)
            .await
            .map_err(reading(PROJECTS.0))?;
        if owner.is_none() {
            return Ok(false);
        }
        api_key::Entity::insert(key_row(&key))
            .exec_without_returning(&transaction)
            .await
            .map_err(unavailable)?;
        audit_log::write(&transaction, &entry).await?;
        end(transaction).await?;
        Ok(true)
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        in_time(|| async {
            let row = api_key::Entity::find_by_id(id.as_str())
                .one(&self.reading().await?)
                .await
                .map_err(reading(API_KEYS.0))?;
            row.map(read_key).transpose()
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = api_key::Entity::find()
            .order_by_asc(api_key::Column::CreatedAt)
            .order_by_asc(api_key::Column::Id)
            .all(&self.reading().await?)
            .await
            .map_err(reading(API_KEYS.0))?;
        rows.into_iter().map(read_key).collect()
    }

    async fn revoke_key(&self, id: &KeyId, mut entry: AuditEntry) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let found: Option<String> = api_key::Entity::find_by_id(id.as_str())
            .select_only()
            .column(api_key::Column::Project)
            .into_tuple()
            .one(&transaction)
            .await
            .map_err(reading(API_KEYS.0))?;
        let Some(project) = found else {
            return Ok(false);
        };
        entry.project = Some(API_KEYS.project("project", &project)?);
        let revoked = api_key::Entity::update_many()
            .set(api_key::ActiveModel {
                revoked_at: Set(Some(entry.at.as_millis())),
                ..Default::default()
            })
            .filter(api_key::Column::Id.eq(id.as_str()))
            .filter(api_key::Column::RevokedAt.is_null())
            .exec(&transaction)
            .await
            .map_err(unavailable)?;
        if revoked.rows_affected > 0 {
            audit_log::write(&transaction, &entry).await?;
            end(transaction).await?;
        }
        Ok(true)
    }

    async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        // Another node notes the same keys at the same time.
        let mut in_order = uses.to_vec();
        in_order.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        in_time(|| async {
            let transaction = self.begin().await?;
            for (id, at) in &in_order {
                let noted = used(*id, *at).exec(&transaction).await;
                noted.map_err(unavailable)?;
            }
            end(transaction).await
        })
        .await
    }
}

/// Writes a use down where none is known that is as late.
fn used(id: KeyId, at: Timestamp) -> UpdateMany<api_key::Entity> {
    let last_used_at = api_key::Column::LastUsedAt;
    let is_later = Condition::any()
        .add(last_used_at.is_null())
        .add(last_used_at.lt(at.as_millis()));
    api_key::Entity::update_many()
        .set(api_key::ActiveModel {
            last_used_at: Set(Some(at.as_millis())),
            ..Default::default()
        })
        .filter(api_key::Column::Id.eq(id.as_str()))
        .filter(is_later)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::sqlite::tests::plan;
    use otpost_testkit::sample::NOON;
    use sea_orm::{DbBackend, QueryTrait};

    #[tokio::test]
    async fn a_use_is_written_down_by_its_key() {
        let id = KeyId::parse("abcdefgh").unwrap();
        let plan = plan(used(id, NOON).build(DbBackend::Sqlite)).await;
        assert!(plan.contains("SEARCH api_keys"), "{plan}");
        assert!(plan.contains("(id=?)"), "{plan}");
    }
}
