//! Finding sessions, and reading one with its mail.

use otpost_domain::{Mode, ProjectName, SessionId};
use otpost_ports::{Owner, RecipientDigest, Scope, StoreError, StoredSession};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, Select};

use crate::convert::delivery::DELIVERIES;
use crate::convert::session::{Kept, SESSIONS};
use crate::convert::{self, mode_number};
use crate::engine::Engine;
use crate::entity::{delivery, session};
use crate::error::reading;

/// The row of a session and that of its mail.
pub(crate) struct Rows {
    pub(crate) session: session::Model,
    pub(crate) delivery: delivery::Model,
}

impl Rows {
    /// What they say.
    pub(crate) fn read(self) -> Result<StoredSession, StoreError> {
        let delivery = convert::delivery::read(&self.delivery)?;
        let Kept {
            session,
            context,
            secret,
        } = convert::session::read(self.session)?;
        Ok(StoredSession {
            session,
            context,
            secret,
            delivery,
        })
    }
}

/// The rows of one session, for its owner only.
pub(crate) async fn load(
    connection: &impl ConnectionTrait,
    owner: &Owner,
    id: &SessionId,
) -> Result<Option<Rows>, StoreError> {
    let found = session_of(owner, id)
        .find_also_related(delivery::Entity)
        .one(connection)
        .await
        .map_err(reading(SESSIONS.0))?;
    match found {
        None => Ok(None),
        Some((_, None)) => Err(DELIVERIES.corrupt("a session has no mail")),
        Some((session, Some(delivery))) => Ok(Some(Rows { session, delivery })),
    }
}

fn session_of(owner: &Owner, id: &SessionId) -> Select<session::Entity> {
    session::Entity::find_by_id(id.as_bytes().to_vec())
        .filter(session::Column::Project.eq(owner.project.as_str()))
        .filter(session::Column::Mode.eq(mode_number(owner.mode)))
}

/// The sessions of a recipient in a scope.
pub(crate) fn is_of(recipient: &RecipientDigest, scope: &Scope) -> Condition {
    let is_of = Condition::all().add(session::Column::Recipient.eq(recipient.0.to_vec()));
    let is_in = |project: &ProjectName| session::Column::Project.eq(project.as_str());
    match scope {
        Scope::Installation => is_of,
        Scope::Project(project) => is_of.add(is_in(project)),
        Scope::Tests(project) => is_of
            .add(is_in(project))
            .add(session::Column::Mode.eq(mode_number(Mode::Test))),
    }
}

/// The order of a recipient's sessions, which is that of their identifiers: they begin with the time. On a server the
/// index of recipients has it too, for of an empty partition the key would look as good, and be read whole once it
/// is not empty any more: a plan is kept.
pub(crate) fn order(engine: Engine) -> &'static [session::Column] {
    match engine {
        Engine::Sqlite => &[session::Column::Id],
        Engine::Postgres { .. } => &[session::Column::OpenedAt, session::Column::Id],
    }
}
