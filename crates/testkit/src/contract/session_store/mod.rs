//! The promises of [`SessionStore`](otpost_ports::SessionStore).

mod ending;
mod judging;
mod purging;
mod resending;

pub use ending::*;
pub use judging::*;
pub use purging::*;
pub use resending::*;

use otpost_domain::{Mode, Refusal, Resend, Timestamp, Verdict};
use otpost_ports::{Applied, Outcome, Owner, RETENTION_SECS, StoredSession};

use super::Storage;
use crate::sample;

/// What is opened is found as it was, to the last field.
pub async fn an_opened_session_is_found_with_every_field(storage: &Storage) {
    let opening = storage.open(1).await;

    assert_eq!(
        storage.find(opening.session.id()).await,
        StoredSession::from(opening),
        "what is found is what was opened"
    );
}

/// A session can be opened in a final state, without a secret.
pub async fn a_session_can_be_opened_closed(storage: &Storage) {
    let opening = sample::closed_opening(&*storage.vault, 1);
    let opening = storage.keep(opening).await;

    assert!(
        storage.is_there(opening.session.id()).await,
        "a closed session is kept"
    );
    let found = storage.find(opening.session.id()).await;
    assert_eq!(found.session, opening.session);
    assert_eq!(found.secret, None);
    assert_eq!(found.delivery, opening.delivery);
}

/// For another project or mode a session is not there.
pub async fn only_its_owner_finds_a_session(storage: &Storage) {
    let opening = storage.open(1).await;

    for stranger in strangers() {
        let found = storage
            .sessions
            .find(&stranger, opening.session.id())
            .await
            .unwrap();
        assert!(found.is_none(), "{stranger:?} found it");
    }
    assert!(storage.is_there(opening.session.id()).await);
}

/// A command of another project or mode finds no session, and changes nothing, right code or not.
pub async fn only_its_owner_commands_a_session(storage: &Storage) {
    let opening = storage.open(1).await;
    let right = sample::code(&*storage.vault, &opening, 0);
    let id = opening.session.id();
    let before = storage.find(id).await;

    for stranger in strangers() {
        for mut command in [
            sample::submit(&right, sample::NOON),
            sample::submit(&sample::wrong(&right), sample::NOON),
            sample::resend(9, sample::NOON.plus_secs(60)),
        ] {
            command.owner = stranger.clone();
            let applied = storage.sessions.apply(id, command).await.unwrap();
            let is_none = matches!(applied, Applied::NotFound(_));
            assert!(is_none, "{stranger:?} commanded it");
        }
    }
    assert_eq!(storage.find(id).await, before, "nothing changed");
}

/// An unknown session is an answer, not an error.
pub async fn a_session_that_was_never_opened_is_none(storage: &Storage) {
    let opening = storage.open(1).await;
    let before = storage.find(opening.session.id()).await;
    let unknown = sample::session_id(2, sample::NOON);
    let resend = sample::resend(9, sample::NOON.plus_secs(60));

    let found = storage.sessions.find(&sample::owner(), &unknown).await;
    assert!(matches!(found, Ok(None)), "{found:?}");
    let applied = storage.sessions.apply(&unknown, resend).await;
    assert!(matches!(applied, Ok(Applied::NotFound(_))), "{applied:?}");
    assert_eq!(storage.find(opening.session.id()).await, before);
}

/// What a purge has not deleted yet is found by no command once its retention is over, and nothing
/// of it changes.
pub async fn a_session_past_its_retention_is_not_found_by_a_command(storage: &Storage) {
    let (first, second) = (storage.open(1).await, storage.open(2).await);
    let right = sample::code(&*storage.vault, &first, 0);
    let over = first.session.hard_end().plus_secs(RETENTION_SECS);
    let last = Timestamp::from_millis(over.as_millis() - 1);
    let id = first.session.id();
    let before = storage.find(id).await;

    for command in [sample::submit(&right, over), sample::resend(9, over)] {
        let applied = storage.sessions.apply(id, command).await.unwrap();
        assert!(matches!(applied, Applied::NotFound(_)), "{applied:?}");
        assert_eq!(storage.find(id).await, before);
    }
    let ended = Outcome::Resent(Resend::Refuse(Refusal::Ended));
    let judged = storage.apply(id, sample::resend(9, last)).await;
    assert_eq!(judged.outcome, ended, "it was found until then");
    let late = sample::submit(&right, last);
    let judged = storage.apply(second.session.id(), late).await;
    assert_eq!(judged.outcome, Outcome::Submitted(Verdict::Expired));
}

fn strangers() -> [Owner; 2] {
    let owner = sample::owner();
    [
        Owner {
            project: sample::project("other"),
            ..owner.clone()
        },
        Owner {
            mode: Mode::Test,
            ..owner
        },
    ]
}
