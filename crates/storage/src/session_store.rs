//! The port of the sessions: one command, one commit.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Decided, Ledger, Opening, Owner, Purged, SessionStore, StoreError,
    StoredSession, Subject, admit, decide,
};
use sea_orm::EntityTrait;

use crate::commit::commit;
use crate::entity::{delivery, session};
use crate::error::unavailable;
use crate::storage::in_time;
use crate::{Storage, convert, counters, purge, rows};

#[async_trait]
impl SessionStore for Storage {
    async fn open(&self, opening: Opening) -> Result<Admitted, StoreError> {
        let id = opening.session.id();
        let session = convert::session::row(&opening.session, &opening.context, opening.secret);
        let delivery = convert::delivery::row(id, &opening.delivery);
        in_time(async {
            let transaction = self.begin().await?;
            let subjects = opening.subjects();
            let mut ledger = counters::load(&transaction, &subjects).await?;
            let admitted = admit(&opening, &mut ledger, opening.at);
            match &admitted {
                Admitted::Open(_) => {}
                Admitted::Limited(_) | Admitted::OnHold => return Ok(admitted),
            }
            session::Entity::insert(session)
                .exec_without_returning(&transaction)
                .await
                .map_err(unavailable)?;
            delivery::Entity::insert(delivery)
                .exec_without_returning(&transaction)
                .await
                .map_err(unavailable)?;
            counters::save(&transaction, &ledger, opening.at).await?;
            transaction.commit().await.map_err(unavailable)?;
            Ok(admitted)
        })
        .await
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError> {
        in_time(async {
            let transaction = self.begin().await?;
            let rows = rows::load(&transaction, &command.owner, id).await?;
            let is_leased = rows.as_ref().is_some_and(|rows| rows.is_leased(command.at));
            let stored = rows.map(rows::Rows::read).transpose()?;
            let subjects = command.subjects(stored.as_ref());
            let ledger = counters::load(&transaction, &subjects).await?;

            match (
                decide(stored.as_ref(), &command, ledger, &*self.vault)?,
                stored,
            ) {
                (Decided::Limited(limited), _) => Ok(Applied::Limited(limited)),
                (Decided::NotFound(ledger), _) => {
                    if counters::save(&transaction, &ledger, command.at).await? {
                        transaction.commit().await.map_err(unavailable)?;
                    }
                    Ok(Applied::NotFound)
                }
                // Nothing was judged where nothing is stored.
                (Decided::Judged(_), None) => Ok(Applied::NotFound),
                (Decided::Judged(decision), Some(stored)) => {
                    commit(transaction, stored, decision, is_leased, command.at)
                        .await
                        .map(|judged| Applied::Judged(Box::new(judged)))
                }
            }
        })
        .await
    }

    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError> {
        in_time(counters::load(&self.reader, subjects)).await
    }

    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        in_time(async {
            let rows = rows::load(&self.reader, owner, id).await?;
            rows.map(rows::Rows::read).transpose()
        })
        .await
    }

    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        purge::purge(self, now, limit).await
    }
}
