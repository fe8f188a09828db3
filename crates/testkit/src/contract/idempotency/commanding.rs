//! Commands that came before.

use otpost_domain::{Resend, ResendPolicy, SessionId, TermsRecord, Verdict};
use otpost_ports::{Applied, CONFLICTS_MAX, MessageId, Outcome, Said, Settlement};
use tokio::task::JoinSet;

use super::{
    CALLERS, assert_repeated, assert_verdict, carry_out, counted, once, same, wished, wrong,
    wrong_guess,
};
use crate::contract::Storage;
use crate::contract::quotas::{everyone, failures};
use crate::sample::{self, NOON};

const LIMITS: [(&str, u32); 2] = [
    ("project_verifies_per_minute", 600),
    ("project_failures_per_day", 90),
];

/// A guess that came before is no attempt, no failure and no charge, and is answered as it was.
pub async fn a_repeated_guess_is_no_attempt(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let wish = once(storage, "a");
    let guess = counted(
        wrong_guess(storage, &opening),
        &sample::verify_quotas(&LIMITS),
    );
    let guess = wished(&guess, wish);
    assert_verdict(&carry_out(storage, id, guess.clone()).await, wrong(4));
    let (before, counted_before) = (storage.find(id).await, everyone(storage).await);
    assert_eq!((before.session.attempts(), failures(storage).await), (1, 1));

    for _ in 0..2 {
        let answer = carry_out(storage, id, guess.clone()).await;
        assert_repeated(&answer, &same(id, Said::Refused(wrong(4))));
        assert_eq!(storage.find(id).await, before);
        assert_eq!(everyone(storage).await, counted_before);
    }
}

/// A resend that came before queues no mail and charges nobody, also once the cooldown is over.
pub async fn a_repeated_resend_mails_nothing(storage: &Storage) {
    let quotas = sample::mail_quotas(&[("project_sends_per_minute", 60), ("recipient_per_day", 9)]);
    let opening = storage.open(1).await;
    let id = opening.session.id();
    storage.deliver(id, NOON, Settlement::Sent).await;
    let at = NOON.plus_secs(30);
    let wish = once(storage, "a");
    let resend = wished(&counted(sample::resend(2, at), &quotas), wish);
    let judged = storage.apply(id, resend).await;
    assert_eq!(judged.outcome, Outcome::Resent(Resend::Repeat));
    let expires_at = judged.stored.session.expires_at();
    storage.deliver(id, at, Settlement::Sent).await;
    let (before, counted_before) = (storage.find(id).await, everyone(storage).await);

    for secs in [30, 31, 90] {
        let at = NOON.plus_secs(secs);
        let again = wished(&counted(sample::resend(3, at), &quotas), wish);
        let answer = carry_out(storage, id, again).await;
        assert_repeated(&answer, &same(id, Said::Mailed { expires_at }));
        assert_eq!(storage.find(id).await, before);
        assert_eq!(storage.claim(1, at, 9).await, []);
        assert_eq!(everyone(storage).await, counted_before);
    }
}

/// Of any number of parallel guesses with one wish one is judged and charged, and all are answered
/// alike.
pub async fn parallel_repeated_guesses_are_judged_once(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = *opening.session.id();
    let guess = counted(
        wrong_guess(storage, &opening),
        &sample::verify_quotas(&LIMITS),
    );
    let guess = wished(&guess, once(storage, "a"));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (sessions, guess) = (storage.sessions.clone(), guess.clone());
        callers.spawn(async move { sessions.apply(&id, guess).await.unwrap() });
    }
    let answers = callers.join_all().await;

    let (judged, replayed): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| matches!(answer, Applied::Judged(_)));
    assert_eq!((judged.len(), replayed.len()), (1, CALLERS - 1));
    assert_verdict(judged[0], wrong(4));
    for answer in replayed {
        assert_repeated(answer, &same(&id, Said::Refused(wrong(4))));
    }
    assert_eq!(storage.find(&id).await.session.attempts(), 1);
    assert_eq!(failures(storage).await, 1);
    let next = counted(
        wrong_guess(storage, &opening),
        &sample::verify_quotas(&LIMITS),
    );
    let judged = storage.apply(&id, next).await;
    assert_eq!(
        judged.counted[0].allowance.remaining, 598,
        "one was charged"
    );
}

/// Of any number of parallel resends with one wish one renews the code and queues its mail.
pub async fn parallel_repeated_resends_mail_once(storage: &Storage) {
    let renews = TermsRecord {
        resend: ResendPolicy::Renew,
        cooldown_secs: 0,
        ..sample::terms()
    };
    let opening = sample::opening_at(&*storage.vault, 1, renews, NOON);
    let opening = storage.keep(opening).await;
    let id = *opening.session.id();
    let wish = once(storage, "a");
    let mut callers = JoinSet::new();
    for number in (100..).take(CALLERS) {
        let resend = wished(&sample::resend(number, NOON), wish);
        let sessions = storage.sessions.clone();
        callers.spawn(async move {
            let answer = sessions.apply(&id, resend).await.unwrap();
            (MessageId([number; 16]), answer)
        });
    }
    let answers = callers.join_all().await;

    let stored = storage.find(&id).await;
    let said = Said::Mailed {
        expires_at: stored.session.expires_at(),
    };
    let (judged, replayed): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|(_, answer)| matches!(answer, Applied::Judged(_)));
    assert_eq!((judged.len(), replayed.len()), (1, CALLERS - 1));
    for (_, answer) in replayed {
        assert_repeated(answer, &same(&id, said.clone()));
    }
    assert_eq!(stored.delivery.generation, 1);
    assert_eq!(storage.claim_messages(1, NOON, 9).await, [judged[0].0]);
}

/// Another request under a key that was used is refused, the right code too, and nothing is
/// judged. A verification is charged all the same, for it might be a guess.
pub async fn another_command_under_the_key_is_refused(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let quotas = sample::verify_quotas(&LIMITS);
    let guess = counted(wrong_guess(storage, &opening), &quotas);
    storage.apply(id, wished(&guess, once(storage, "a"))).await;
    let before = storage.find(id).await;

    let right = sample::code(&*storage.vault, &opening, 0);
    let right = counted(sample::submit(&right, NOON), &quotas);
    let resend = sample::resend(2, NOON.plus_secs(30));
    for (name, command, is_charged) in [("verify", right, true), ("resend", resend, false)] {
        let counted_before = everyone(storage).await;
        let other = wished(&command, once(storage, "b"));
        let answer = carry_out(storage, id, other).await;
        let Applied::KeyReused(counted) = answer else {
            panic!("{name}: {answer:?}");
        };
        assert_eq!(!counted.is_empty(), is_charged, "{name}");
        assert_eq!(storage.find(id).await, before, "{name}");
        let counted_after = everyone(storage).await;
        assert_eq!(counted_after != counted_before, is_charged, "{name}");
    }
}

/// As many other requests to verify under a key as a session has guesses silence its answer: it
/// would tell which of the codes was right.
pub async fn guesses_under_a_used_key_silence_its_answer(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let right = wished(&sample::submit(&right, NOON), once(storage, "a"));
    let wrong = wished(&wrong_guess(storage, &opening), once(storage, "b"));
    let verified = Verdict::Verified;
    assert_verdict(&carry_out(storage, id, right.clone()).await, verified);

    let email = sample::address();
    let said = same(id, Said::Verified { email });
    for _ in 0..CONFLICTS_MAX {
        assert_repeated(&carry_out(storage, id, right.clone()).await, &said);
        let answer = carry_out(storage, id, wrong.clone()).await;
        assert!(matches!(answer, Applied::KeyReused(_)), "{answer:?}");
    }
    let silenced = carry_out(storage, id, right).await;
    assert!(matches!(silenced, Applied::KeyReused(_)), "{silenced:?}");
}

/// The address that was verified is said again, though the session is over.
pub async fn a_repeated_success_says_the_address(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let right = counted(
        sample::submit(&right, NOON),
        &sample::verify_quotas(&LIMITS),
    );
    let right = wished(&right, once(storage, "a"));
    let verified = Verdict::Verified;
    assert_verdict(&carry_out(storage, id, right.clone()).await, verified);
    let (before, counted_before) = (storage.find(id).await, everyone(storage).await);

    let answer = carry_out(storage, id, right).await;

    let email = sample::address();
    assert_repeated(&answer, &same(id, Said::Verified { email }));
    assert_eq!(storage.find(id).await, before);
    assert_eq!(everyone(storage).await, counted_before);
}

/// A verification of no session that was charged is charged once, and answered again.
pub async fn a_counted_verification_of_nothing_is_answered_again(storage: &Storage) {
    let unknown = sample::session_id(1, NOON);
    let quotas = sample::verify_quotas(&LIMITS);
    let guess = counted(sample::submit_typed("123456", NOON), &quotas);
    let guess = wished(&guess, once(storage, "a"));
    let first = carry_out(storage, &unknown, guess.clone()).await;
    assert!(matches!(first, Applied::NotFound(_)), "{first:?}");
    let before = everyone(storage).await;

    let again = carry_out(storage, &unknown, guess).await;

    assert_repeated(&again, &same(&SessionId::NONE, Said::NotFound));
    assert_eq!(everyone(storage).await, before);
}
