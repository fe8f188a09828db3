//! Writing down what a command came to.

use otpost_domain::{Pending, SessionId, Timestamp};
use otpost_ports::{
    Decision, Delivery, DeliveryState, Judged, KeptAnswer, Ledger, MailChange, StoreError,
    StoredSession,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, NotSet, QueryFilter,
    Set, UpdateResult,
};

use crate::entity::{delivery, session};
use crate::error::unavailable;
use crate::storage::{end, undo};
use crate::{answers, convert, counters};

/// Commits what `decision` changes, and gives the session as it is stored then.
pub(crate) async fn commit(
    transaction: DatabaseTransaction,
    decision: Decision,
    is_leased: bool,
    at: Timestamp,
) -> Result<Judged, StoreError> {
    let mail = mail_after(&decision, is_leased, at);
    let is_changed = decision.session != decision.before.session;
    let Decision {
        before,
        session,
        outcome,
        mail: _,
        ledger,
        counted,
        used_up_failures,
        kept,
    } = decision;
    let mut stored = StoredSession { session, ..before };
    stored.erase_if_ended();
    if is_changed {
        write_session(&transaction, &stored).await?;
    }
    if let Some(mail) = &mail {
        stored.delivery = mail.delivery;
        write_mail(&transaction, stored.session.id(), mail).await?;
    }
    let is_counted = counters::save(&transaction, &ledger).await?;
    let is_kept = answers::save(&transaction, kept.as_ref()).await?;
    if is_changed || mail.is_some() || is_counted || is_kept {
        end(transaction).await?;
    } else {
        undo(transaction).await;
    }
    Ok(Judged {
        stored,
        outcome,
        counted,
        used_up_failures,
    })
}

/// Commits what was counted and the answer to keep, where nothing else changes.
pub(crate) async fn commit_counted(
    transaction: DatabaseTransaction,
    ledger: &Ledger,
    kept: Option<&KeptAnswer>,
) -> Result<(), StoreError> {
    let is_counted = counters::save(&transaction, ledger).await?;
    let is_kept = answers::save(&transaction, kept).await?;
    if is_counted || is_kept {
        end(transaction).await?;
    } else {
        undo(transaction).await;
    }
    Ok(())
}

/// A mail that changes, and the columns to write.
struct ChangedMail {
    delivery: Delivery,
    columns: delivery::ActiveModel,
}

/// What the mail of a session becomes; `None` when it stays.
fn mail_after(decision: &Decision, is_leased: bool, at: Timestamp) -> Option<ChangedMail> {
    let last = decision.before.delivery;
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
                    ..convert::delivery::row(decision.session.id(), &delivery)
                },
            })
        }
    }
}

async fn write_session(
    connection: &impl ConnectionTrait,
    stored: &StoredSession,
) -> Result<(), StoreError> {
    let updated = session::Entity::update_many()
        .set(convert::session::changing(stored))
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
