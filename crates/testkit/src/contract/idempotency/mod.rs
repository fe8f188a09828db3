//! What a [`SessionStore`](otpost_ports::SessionStore) promises of requests that are to be carried
//! out once.

mod commanding;
mod keeping;
mod opening;
mod refusing;

pub use commanding::*;
pub use keeping::*;
pub use opening::*;
pub use refusing::*;

use otpost_domain::{SessionId, Timestamp, Verdict};
use otpost_ports::{Admitted, Applied, Command, Once, Opening, Outcome, Quotas, Replayed, Said};

use super::quotas::counted;
use super::{CALLERS, Storage};
use crate::sample::{self, NOON};

/// When the answers of the suite are forgotten, unless a promise says otherwise.
const UNTIL: Timestamp = NOON.plus_secs(120);

/// A wish with a body of its own.
fn once(storage: &Storage, body: &str) -> Once {
    sample::once(&*storage.vault, "one key", body, UNTIL)
}

/// The same command, to be carried out once.
fn wished(command: &Command, once: Once) -> Command {
    Command {
        once: Some(once),
        ..command.clone()
    }
}

/// Sample `number`, opened at [`NOON`] against `quotas`, to be carried out once.
fn wished_opening(storage: &Storage, number: u8, quotas: Option<&Quotas>, once: Once) -> Opening {
    Opening {
        quotas: quotas.cloned(),
        once: Some(once),
        ..sample::opening(&*storage.vault, number)
    }
}

/// The answer to the opening of sample `number`, said again.
fn mailed(opening: &Opening) -> Replayed {
    same(
        opening.session.id(),
        Said::Mailed {
            expires_at: opening.session.expires_at(),
        },
    )
}

const fn same(session: &SessionId, said: Said) -> Replayed {
    Replayed {
        session: *session,
        said,
    }
}

fn assert_opened(admitted: &Admitted) {
    assert!(matches!(admitted, Admitted::Open(_)), "{admitted:?}");
}

fn assert_repeated(applied: &Applied, expected: &Replayed) {
    assert!(
        matches!(applied, Applied::Replayed(replayed) if replayed == expected),
        "{applied:?} is not {expected:?}"
    );
}

fn assert_verdict(applied: &Applied, expected: Verdict) {
    assert!(
        matches!(applied, Applied::Judged(judged)
            if judged.outcome == Outcome::Submitted(expected)),
        "{applied:?} is not {expected:?}"
    );
}

async fn open(storage: &Storage, opening: Opening) -> Admitted {
    storage.sessions.open(opening).await.unwrap()
}

async fn carry_out(storage: &Storage, id: &SessionId, command: Command) -> Applied {
    storage.sessions.apply(id, command).await.unwrap()
}

/// The owner submits a wrong code for a session at [`NOON`].
fn wrong_guess(storage: &Storage, opening: &Opening) -> Command {
    let right = sample::code(&*storage.vault, opening, 0);
    sample::submit(&sample::wrong(&right), NOON)
}

const fn wrong(attempts_remaining: u8) -> Verdict {
    Verdict::WrongCode { attempts_remaining }
}
