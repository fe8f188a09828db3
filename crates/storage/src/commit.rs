//! Writing down what a command came to.

use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    Decision, Delivery, DeliveryState, Judged, MailChange, StoreError, StoredSession,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, NotSet, QueryFilter,
    Set, UpdateResult,
};

use crate::convert::session::secret_of;
use crate::entity::{delivery, session};
use crate::error::unavailable;
use crate::{convert, counters};

/// Commits what `decision` changes, and gives the session as it is stored then.
pub(crate) async fn commit(
    transaction: DatabaseTransaction,
    stored: StoredSession,
    decision: Decision,
    is_leased: bool,
    at: Timestamp,
) -> Result<Judged, StoreError> {
    let mail = mail_after(&stored, &decision, is_leased, at);
    let is_changed = decision.session != stored.session;
    if is_changed {
        write_session(&transaction, &stored, &decision).await?;
    }
    if let Some(mail) = &mail {
        write_mail(&transaction, stored.session.id(), mail).await?;
    }
    let is_counted = counters::save(&transaction, &decision.ledger, at).await?;
    if is_changed || mail.is_some() || is_counted {
        transaction.commit().await.map_err(unavailable)?;
    }
    let delivery = mail.map_or(stored.delivery, |mail| mail.delivery);
    let secret = secret_of(&decision.session, stored.secret);
    Ok(Judged {
        stored: StoredSession {
            session: decision.session,
            context: stored.context,
            secret,
            delivery,
        },
        outcome: decision.outcome,
        counted: decision.counted,
    })
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
