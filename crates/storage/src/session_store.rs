//! The port of the sessions: one command, one commit.

use async_trait::async_trait;
use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    Applied, Command, Decision, Delivery, DeliveryState, MailChange, Opening, Owner, Purged,
    SessionStore, StoreError, StoredSession, decide,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, NotSet, QueryFilter, Set, UpdateResult,
};

use crate::convert::session::secret_of;
use crate::entity::{delivery, session};
use crate::error::unavailable;
use crate::storage::in_time;
use crate::{Storage, convert, purge, rows};

#[async_trait]
impl SessionStore for Storage {
    async fn open(&self, opening: Opening) -> Result<(), StoreError> {
        let id = opening.session.id();
        let session = convert::session::row(&opening.session, &opening.context, opening.secret);
        let delivery = convert::delivery::row(id, &opening.delivery);
        in_time(async {
            let transaction = self.begin().await?;
            session::Entity::insert(session)
                .exec_without_returning(&transaction)
                .await
                .map_err(unavailable)?;
            delivery::Entity::insert(delivery)
                .exec_without_returning(&transaction)
                .await
                .map_err(unavailable)?;
            transaction.commit().await.map_err(unavailable)
        })
        .await
    }

    async fn apply(&self, id: &SessionId, command: Command) -> Result<Option<Applied>, StoreError> {
        in_time(async {
            let transaction = self.begin().await?;
            let Some(rows) = rows::load(&transaction, &command.owner, id).await? else {
                return Ok(None);
            };
            let lease_until = rows.delivery.lease_until.map(Timestamp::from_millis);
            let is_leased = lease_until.is_some_and(|until| command.at < until);
            let stored = rows.read()?;
            let decision = decide(&stored, &command, &*self.vault)?;
            let mail = mail_after(&stored, &decision, is_leased, command.at);

            let is_changed = decision.session != stored.session;
            if is_changed {
                write_session(&transaction, &stored, &decision).await?;
            }
            if let Some(mail) = &mail {
                write_mail(&transaction, id, mail).await?;
            }
            if is_changed || mail.is_some() {
                transaction.commit().await.map_err(unavailable)?;
            }
            let delivery = mail.map_or(stored.delivery, |mail| mail.delivery);
            let secret = secret_of(&decision.session, stored.secret);
            Ok(Some(Applied {
                stored: StoredSession {
                    session: decision.session,
                    context: stored.context,
                    secret,
                    delivery,
                },
                outcome: decision.outcome,
            }))
        })
        .await
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

/// A mail that changes, and the columns to write.
struct ChangedMail {
    delivery: Delivery,
    columns: delivery::ActiveModel,
}

/// What the mail of a session becomes; `None` when it stays.
fn mail_after(
    stored: &StoredSession,
    decision: &Decision,
    is_leased: bool,
    at: Timestamp,
) -> Option<ChangedMail> {
    let last = stored.delivery;
    match decision.mail {
        MailChange::Keep => None,
        MailChange::Hurry => {
            let is_hurried = last.state == DeliveryState::Queued && (is_leased || at < last.due_at);
            is_hurried.then(|| ChangedMail {
                delivery: Delivery { due_at: at, ..last },
                columns: delivery::ActiveModel {
                    due_at: Set(at.as_millis()),
                    ..Default::default()
                },
            })
        }
        MailChange::Queue(message) => {
            let in_force = decision.session.pending();
            let delivery = Delivery {
                message,
                generation: in_force.map_or(last.generation, Pending::generation),
                state: DeliveryState::Queued,
                due_at: at,
                tries: 0,
            };
            Some(ChangedMail {
                delivery,
                columns: delivery::ActiveModel {
                    session_id: NotSet,
                    ..convert::delivery::row(stored.session.id(), &delivery)
                },
            })
        }
    }
}

async fn write_session(
    connection: &impl ConnectionTrait,
    stored: &StoredSession,
    decision: &Decision,
) -> Result<(), StoreError> {
    let updated = session::Entity::update_many()
        .set(convert::session::changing(&decision.session, stored.secret))
        .filter(session::Column::Id.eq(stored.session.id().as_bytes().to_vec()))
        .exec(connection)
        .await;
    one_row(updated)
}

async fn write_mail(
    connection: &impl ConnectionTrait,
    id: &SessionId,
    mail: &ChangedMail,
) -> Result<(), StoreError> {
    let updated = delivery::Entity::update_many()
        .set(mail.columns.clone())
        .filter(delivery::Column::SessionId.eq(id.as_bytes().to_vec()))
        .exec(connection)
        .await;
    one_row(updated)
}

fn one_row(updated: Result<UpdateResult, DbErr>) -> Result<(), StoreError> {
    match updated {
        Ok(result) if result.rows_affected == 1 => Ok(()),
        Ok(_) => Err(unavailable(DbErr::RecordNotUpdated)),
        Err(error) => Err(unavailable(error)),
    }
}
