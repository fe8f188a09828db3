//! Sessions and commands that are counted, and what is kept of them.

use otpost_ports::{Command, Counters, Opening, Quotas, SessionStore, Subject};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};

use crate::support::Place;

const SENDS: &str = "project_sends_per_minute";

/// `quota` commands of the samples' project a minute, and no other limit.
pub(crate) fn quotas(quota: u32) -> Quotas {
    sample::mail_quotas(&[(SENDS, quota)])
}

/// Sample `number`, counted against `quotas`.
pub(crate) fn opening(place: &Place, number: u8, quotas: &Quotas) -> Opening {
    Opening {
        quotas: Some(quotas.clone()),
        ..sample::opening(&*place.vault, number)
    }
}

/// `command`, counted against `quotas`.
pub(crate) fn counted(command: Command, quotas: &Quotas) -> Command {
    Command {
        quotas: Some(quotas.clone()),
        ..command
    }
}

/// A wrong guess at `opening`, counted against `quotas`.
pub(crate) fn wrong_guess(place: &Place, opening: &Opening, quotas: &Quotas) -> Command {
    let right = sample::code(&*place.vault, opening, 0);
    counted(sample::submit(&sample::wrong(&right), NOON), quotas)
}

/// The project of the samples.
pub(crate) fn project() -> Subject {
    Subject::project(&sample::owner().project)
}

/// The recipient of the samples.
pub(crate) fn recipient(place: &Place) -> Subject {
    Subject::recipient(&sample::recipient(&*place.vault))
}

/// What is kept of `subject`.
pub(crate) async fn counters(storage: &Storage, subject: &Subject) -> Counters {
    let subjects = [subject.clone()].into();
    storage.ledger(&subjects).await.unwrap().counters(subject)
}

/// How many commands at [`NOON`] were charged against `quota`, as [`quotas`] has it.
pub(crate) async fn charges(storage: &Storage, quota: u32) -> u32 {
    let [bucket, ..] = counters(storage, &project()).await.buckets;
    quota
        - sample::limit(SENDS, quota)
            .allowance(bucket, NOON)
            .remaining
}
