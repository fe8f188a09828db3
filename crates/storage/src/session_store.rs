//! The port of the sessions: one command, one commit.

use std::collections::BTreeSet;

use async_trait::async_trait;
use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Decided, Found, Ledger, Opening, Owner, Purged, SessionStore,
    StoreError, StoredSession, Subject, admit, decide,
};
use sea_orm::EntityTrait;

use crate::commit::{commit, commit_counted};
use crate::entity::{delivery, session};
use crate::error::unavailable;
use crate::storage::{end, in_the_background, in_time, undo};
use crate::{Storage, answers, convert, counters, purge, rows};

#[async_trait]
impl SessionStore for Storage {
    async fn open(&self, opening: Opening) -> Result<Admitted, StoreError> {
        let stored = StoredSession::from(opening.clone());
        let session = convert::session::row(&stored);
        let delivery = convert::delivery::row(stored.session.id(), &stored.delivery);
        in_time(|| async {
            let transaction = self.begin().await?;
            let kept = answers::load_to_change(self.engine, &transaction, opening.once).await?;
            let subjects = opening.subjects();
            let mut ledger = counters::load_to_change(self.engine, &transaction, &subjects).await?;
            let admitted = admit(&opening, kept.as_ref(), &mut ledger, &*self.vault)?;
            match &admitted {
                Admitted::Open(_) => {}
                Admitted::Replayed(_)
                | Admitted::KeyReused
                | Admitted::Limited(_)
                | Admitted::OnHold => {
                    undo(transaction).await;
                    return Ok(admitted);
                }
            }
            let answer = opening.kept(&*self.vault)?;
            session::Entity::insert(session.clone())
                .exec_without_returning(&transaction)
                .await
                .map_err(unavailable)?;
            delivery::Entity::insert(delivery.clone())
                .exec_without_returning(&transaction)
                .await
                .map_err(unavailable)?;
            counters::save(&transaction, &ledger).await?;
            answers::save(&transaction, answer.as_ref()).await?;
            end(transaction).await?;
            Ok(admitted)
        })
        .await
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Applied, StoreError> {
        in_time(|| async {
            let transaction = self.begin().await?;
            let rows = rows::load_to_change(&transaction, &command.owner, id).await?;
            let is_leased = rows.as_ref().is_some_and(|rows| rows.is_leased(command.at));
            let stored = rows.map(rows::Rows::read).transpose()?;
            let subjects = command.subjects(stored.as_ref());
            let found = Found {
                kept: answers::load_to_change(self.engine, &transaction, command.once).await?,
                ledger: counters::load_to_change(self.engine, &transaction, &subjects).await?,
                stored,
            };

            match decide(found, &command, &*self.vault)? {
                Decided::Replayed(replayed) => {
                    undo(transaction).await;
                    Ok(Applied::Replayed(replayed))
                }
                Decided::Limited(limited) => {
                    undo(transaction).await;
                    Ok(Applied::Limited(limited))
                }
                Decided::KeyReused {
                    ledger,
                    counted,
                    kept,
                } => {
                    commit_counted(transaction, &ledger, kept.as_ref()).await?;
                    Ok(Applied::KeyReused(counted))
                }
                Decided::NotFound {
                    ledger,
                    counted,
                    kept,
                } => {
                    commit_counted(transaction, &ledger, kept.as_ref()).await?;
                    Ok(Applied::NotFound(counted))
                }
                Decided::Judged(decision) => {
                    let judged = commit(transaction, *decision, is_leased, command.at).await?;
                    Ok(Applied::Judged(Box::new(judged)))
                }
            }
        })
        .await
    }

    async fn ledger(&self, subjects: &BTreeSet<Subject>) -> Result<Ledger, StoreError> {
        in_time(|| async { counters::load(&self.reading().await?, subjects).await }).await
    }

    async fn find(
        &self,
        owner: &Owner,
        id: &SessionId,
    ) -> Result<Option<StoredSession>, StoreError> {
        in_time(|| async {
            let rows = rows::load(&self.reading().await?, owner, id).await?;
            rows.map(rows::Rows::read).transpose()
        })
        .await
    }

    async fn purge(&self, now: Timestamp, limit: u32) -> Result<Purged, StoreError> {
        in_the_background(purge::purge(self, now, limit)).await
    }
}
