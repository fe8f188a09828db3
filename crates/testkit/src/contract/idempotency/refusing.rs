//! Requests that were refused without a trace: the same wish is judged anew.

use otpost_domain::{Refusal, Resend, Verdict};
use otpost_ports::{Admitted, Applied, CodeSecret, Command, Opening, Outcome, Said, StoreError};

use super::{
    UNTIL, assert_opened, assert_repeated, assert_verdict, carry_out, counted, mailed, once, open,
    same, wished, wished_opening, wrong, wrong_guess,
};
use crate::contract::Storage;
use crate::contract::quotas::{assert_open, everyone, fail, open_counted, strict};
use crate::sample::{self, NOON};

/// A repetition is answered where a limit would refuse the request now, and charges nobody.
pub async fn a_repetition_is_answered_where_a_limit_refuses(storage: &Storage) {
    let (sends, verifies) = ("project_sends_per_minute", "project_verifies_per_minute");
    let quotas = sample::mail_quotas(&[(sends, 1)]);
    let wish = once(storage, "open");
    let first = wished_opening(storage, 1, Some(&quotas), wish);
    assert_opened(&open(storage, first.clone()).await);
    let refused = open_counted(storage, 2, &quotas).await;
    assert!(matches!(refused, Admitted::Limited(_)), "{refused:?}");
    let before = everyone(storage).await;
    let again = wished_opening(storage, 3, Some(&quotas), wish);
    let answer = open(storage, again).await;
    assert_eq!(answer, Admitted::Replayed(mailed(&first)));
    assert_eq!(everyone(storage).await, before);

    let id = first.session.id();
    let quotas = sample::verify_quotas(&[(verifies, 1)]);
    let guess = counted(wrong_guess(storage, &first), &quotas);
    let wish = sample::once(&*storage.vault, "another key", "guess", UNTIL);
    let wished = wished(&guess, wish);
    assert_verdict(&carry_out(storage, id, wished.clone()).await, wrong(4));
    let refused = carry_out(storage, id, guess).await;
    assert!(matches!(refused, Applied::Limited(_)), "{refused:?}");
    let before = everyone(storage).await;
    let answer = carry_out(storage, id, wished).await;
    let said = Said::Refused(wrong(4));
    assert_repeated(&answer, &same(id, said));
    assert_eq!(everyone(storage).await, before);
}

/// An opening that a limit or a hold refused is judged anew when it comes again.
pub async fn a_refused_open_is_judged_anew(storage: &Storage) {
    let quotas = sample::mail_quotas(&[("project_sends_per_minute", 1)]);
    assert_open(&open_counted(storage, 1, &quotas).await);
    let limited = sample::once(&*storage.vault, "limited", "a", UNTIL);
    let again = wished_opening(storage, 2, Some(&quotas), limited);
    for _ in 0..2 {
        let refused = open(storage, again.clone()).await;
        assert!(matches!(refused, Admitted::Limited(_)), "{refused:?}");
    }
    let later = Opening {
        at: NOON.plus_secs(60),
        ..again
    };
    assert_opened(&open(storage, later).await);

    fail(storage, 100, 100).await;
    let standard = sample::mail_quotas(&[]);
    let held = sample::once(&*storage.vault, "held", "a", UNTIL);
    let again = wished_opening(storage, 3, Some(&strict(standard.clone())), held);
    assert_eq!(open(storage, again).await, Admitted::OnHold);
    let released = wished_opening(storage, 3, Some(&standard), held);
    assert_opened(&open(storage, released).await);
}

/// A verification that a limit or a hold refused is judged anew when it comes again.
pub async fn a_refused_verification_is_judged_anew(storage: &Storage) {
    let quotas = sample::verify_quotas(&[("project_verifies_per_minute", 1)]);
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let guess = counted(wrong_guess(storage, &opening), &quotas);
    storage.apply(id, guess.clone()).await;
    let limited = sample::once(&*storage.vault, "limited", "a", UNTIL);
    let again = wished(&guess, limited);
    let refused = carry_out(storage, id, again.clone()).await;
    assert!(matches!(refused, Applied::Limited(_)), "{refused:?}");
    let later = Command {
        at: NOON.plus_secs(60),
        ..again
    };
    assert_verdict(&carry_out(storage, id, later).await, wrong(3));

    let untried = storage.open(2).await;
    let id = untried.session.id();
    fail(storage, 100, 99).await;
    let right = sample::code(&*storage.vault, &untried, 0);
    let right = sample::submit(&right, NOON);
    let standard = sample::verify_quotas(&[("project_failures_per_day", 900)]);
    let held = sample::once(&*storage.vault, "held", "a", UNTIL);
    let on_hold = wished(&counted(right.clone(), &strict(standard.clone())), held);
    assert_verdict(&carry_out(storage, id, on_hold).await, Verdict::OnHold);
    let released = wished(&counted(right, &standard), held);
    assert_verdict(&carry_out(storage, id, released).await, Verdict::Verified);
}

/// A resend that a cooldown or a hold refused, or that found no session, is judged anew when it
/// comes again.
pub async fn a_refused_resend_is_judged_anew(storage: &Storage) {
    let unknown = sample::session_id(1, NOON);
    let wish = once(storage, "a");
    let resend = |secs: u32| wished(&sample::resend(9, NOON.plus_secs(secs)), wish);
    let answer = carry_out(storage, &unknown, resend(29)).await;
    assert!(matches!(answer, Applied::NotFound(_)), "{answer:?}");

    let opening = storage.open(1).await;
    let id = opening.session.id();
    assert_eq!(*id, unknown);
    fail(storage, 100, 100).await;
    let until = NOON.plus_secs(30);
    let waited = storage.apply(id, resend(29)).await;
    assert_eq!(waited.outcome, Outcome::Resent(Resend::Wait { until }));
    let held = counted(resend(30), &strict(sample::mail_quotas(&[])));
    let held = storage.apply(id, held).await;
    let on_hold = Resend::Refuse(Refusal::OnHold);
    assert_eq!(held.outcome, Outcome::Resent(on_hold));
    let mailed = storage.apply(id, resend(30)).await;
    assert_eq!(mailed.outcome, Outcome::Resent(Resend::Repeat));
}

/// What the vault could not judge has no answer, and is judged when it comes again.
pub async fn what_could_not_be_judged_is_judged_anew(storage: &Storage) {
    let opening = sample::opening(&*storage.vault, 1);
    let guess = wrong_guess(storage, &opening);
    let guess = counted(guess, &sample::verify_quotas(&[]));
    let guess = wished(&guess, once(storage, "a"));
    let kid = u32::MAX;
    let secret = opening.secret.map(|secret| CodeSecret { kid, ..secret });
    let opening = storage.keep(Opening { secret, ..opening }).await;

    for _ in 0..2 {
        let answer = storage.sessions.apply(opening.session.id(), guess.clone());
        let refused = answer.await;
        assert!(matches!(refused, Err(StoreError::Vault(_))), "{refused:?}");
    }
    let sound = storage.open(2).await;
    let judged = carry_out(storage, sound.session.id(), guess).await;
    assert!(matches!(judged, Applied::Judged(_)), "{judged:?}");
}
