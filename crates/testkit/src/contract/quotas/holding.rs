//! The strict profile: an address with 100 failures is left alone, and a project past its
//! failures of the day is refused.

use std::time::Duration;

use otpost_domain::{Limit, Profile, Refusal, Resend, Verdict};
use otpost_ports::{Admitted, Applied, Outcome, Quotas, Subject};

use super::{
    assert_limited, assert_open, carry_out, counted, everyone, fail, failures, limited,
    open_counted,
};
use crate::contract::Storage;
use crate::sample::{self, NETWORK, NOON};

const DAY_SECS: u32 = 86_400;

/// To an address on hold no session is opened, and nobody is charged for the try. The standard
/// profile holds nobody.
pub async fn a_hold_opens_nothing(storage: &Storage) {
    let standard = sample::mail_quotas(&[
        ("project_sends_per_minute", 60),
        ("client_ip_per_day", 50),
        ("recipient_per_day", 20),
    ]);
    let strict = strict(standard.clone());
    fail(storage, 100, 99).await;
    assert_open(&open_counted(storage, 1, &strict).await);
    fail(storage, 200, 1).await;
    let before = everyone(storage).await;

    let refused = open_counted(storage, 2, &strict).await;

    assert_eq!(refused, Admitted::OnHold);
    assert!(!storage.is_there(&sample::session_id(2, NOON)).await);
    assert_eq!(everyone(storage).await, before);
    assert_open(&open_counted(storage, 3, &standard).await);
}

/// Of an address on hold no code is judged, not even the right one, and no mail is repeated.
pub async fn a_hold_judges_and_mails_nothing(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    fail(storage, 100, 100).await;
    let before = storage.find(id).await;
    let verifies = sample::verify_quotas(&[]);

    for code in [&right, &sample::wrong(&right)] {
        let guess = counted(sample::submit(code, NOON), &strict(verifies.clone()));
        let judged = storage.apply(id, guess).await;
        assert_eq!(judged.outcome, Outcome::Submitted(Verdict::OnHold));
    }
    let at = NOON.plus_secs(30);
    let mails = sample::mail_quotas(&[("project_sends_per_minute", 60), ("recipient_per_day", 20)]);
    let unpaid = everyone(storage).await;
    let resend = counted(sample::resend(9, at), &strict(mails));
    let judged = storage.apply(id, resend).await;
    let on_hold = Resend::Refuse(Refusal::OnHold);
    assert_eq!(judged.outcome, Outcome::Resent(on_hold));
    assert_eq!(everyone(storage).await, unpaid);

    assert_eq!(storage.find(id).await, before, "nothing changed");
    assert_eq!(failures(storage).await, 100);
    let standard = counted(sample::submit(&right, NOON), &verifies);
    let judged = storage.apply(id, standard).await;
    assert_eq!(judged.outcome, Outcome::Submitted(Verdict::Verified));
}

/// Past its failures of the day nothing of a strict project is judged or charged.
pub async fn past_its_failures_a_strict_project_judges_nothing(storage: &Storage) {
    let limits = [
        ("project_failures_per_day", 2),
        ("project_verifies_per_minute", 600),
    ];
    let quotas = strict(sample::verify_quotas(&limits));
    let opening = storage.open(1).await;
    let right = sample::code(&*storage.vault, &opening, 0);
    let wrong = counted(sample::submit(&sample::wrong(&right), NOON), &quotas);
    for _ in 0..2 {
        storage.apply(opening.session.id(), wrong.clone()).await;
    }
    let untried = storage.open(2).await;
    let id = untried.session.id();
    let right = sample::code(&*storage.vault, &untried, 0);
    let (before, counted_before) = (storage.find(id).await, everyone(storage).await);

    let guess = counted(sample::submit(&right, NOON), &quotas);
    let refused = carry_out(storage, id, guess).await;

    let wait = Duration::from_hours(12);
    assert_limited(&refused, limited("project_failures_per_day", 2, wait));
    assert_eq!(storage.find(id).await, before);
    assert_eq!(everyone(storage).await, counted_before);
}

/// Where the failures of the day refuse together with a limit of the caller, the one that waits
/// longest is named.
pub async fn the_refusal_of_a_verification_that_waits_longest_is_named(storage: &Storage) {
    let (failures, verifies) = ("project_failures_per_day", "project_verifies_per_minute");
    let quick = strict(sample::verify_quotas(&[(failures, 4), (verifies, 1)]));
    let mut slow = quick.clone();
    slow.caller[0].subject = Subject::network_of(&sample::owner().project, &NETWORK);
    slow.caller[0].limit = Limit::new(1, DAY_SECS);
    let free = strict(sample::verify_quotas(&[(failures, 4)]));
    let (guessed, asked) = (storage.open(1).await, storage.open(2).await);
    let wrong = sample::wrong(&sample::code(&*storage.vault, &guessed, 0));
    let wrong = sample::submit(&wrong, NOON);
    for quotas in [&quick, &slow, &free, &free] {
        let guess = counted(wrong.clone(), quotas);
        storage.apply(guessed.session.id(), guess).await;
    }
    let id = asked.session.id();
    let right = sample::code(&*storage.vault, &asked, 0);
    let (before, counted_before) = (storage.find(id).await, everyone(storage).await);

    for (quotas, name, secs) in [
        (&quick, failures, DAY_SECS / 4),
        (&slow, verifies, DAY_SECS),
    ] {
        let command = counted(sample::submit(&right, NOON), quotas);
        let answer = carry_out(storage, id, command).await;
        let wait = Duration::from_secs(secs.into());
        assert!(
            matches!(&answer, Applied::Limited(limited)
                if (limited.name, limited.wait) == (name, wait)),
            "{answer:?}"
        );
    }
    assert_eq!(storage.find(id).await, before);
    assert_eq!(everyone(storage).await, counted_before);
}

/// The same limits under the strict profile.
pub(in crate::contract) fn strict(quotas: Quotas) -> Quotas {
    Quotas {
        profile: Profile::Strict,
        ..quotas
    }
}
