//! The port of projects and keys.

use async_trait::async_trait;
use otpost_domain::{KeyId, Timestamp};
use otpost_ports::{KeyRecord, KeyStore, ProjectRecord, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::Storage;
use crate::convert::key::{API_KEYS, PROJECTS, key_row, project_row, read_key, read_project};
use crate::entity::{api_key, project};
use crate::error::{reading, unavailable};
use crate::storage::in_time;

#[async_trait]
impl KeyStore for Storage {
    async fn create_project(&self, project: ProjectRecord) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let there_is_one = project::Entity::find_by_id(project.name.as_str())
            .one(&transaction)
            .await
            .map_err(reading(PROJECTS.0))?
            .is_some();
        if there_is_one {
            return Ok(false);
        }
        project::Entity::insert(project_row(&project))
            .exec_without_returning(&transaction)
            .await
            .map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(true)
    }

    async fn projects(&self) -> Result<Vec<ProjectRecord>, StoreError> {
        let rows = project::Entity::find()
            .order_by_asc(project::Column::Name)
            .all(&self.reader)
            .await
            .map_err(reading(PROJECTS.0))?;
        rows.iter().map(read_project).collect()
    }

    async fn insert_key(&self, key: KeyRecord) -> Result<bool, StoreError> {
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
        transaction.commit().await.map_err(unavailable)?;
        Ok(true)
    }

    async fn find_key(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        in_time(async {
            let row = api_key::Entity::find_by_id(id.as_str())
                .one(&self.reader)
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
            .all(&self.reader)
            .await
            .map_err(reading(API_KEYS.0))?;
        rows.into_iter().map(read_key).collect()
    }

    async fn revoke_key(&self, id: &KeyId, now: Timestamp) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let found = api_key::Entity::find_by_id(id.as_str())
            .one(&transaction)
            .await
            .map_err(reading(API_KEYS.0))?;
        let Some(key) = found else {
            return Ok(false);
        };
        if key.revoked_at.is_some() {
            return Ok(true);
        }
        api_key::Entity::update_many()
            .set(api_key::ActiveModel {
                revoked_at: Set(Some(now.as_millis())),
                ..Default::default()
            })
            .filter(api_key::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(true)
    }
}
