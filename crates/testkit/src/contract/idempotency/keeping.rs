//! For how long answers are kept, and how.

use otpost_domain::{Refusal, TemplateName, Verdict};
use otpost_ports::{Action, Admitted, Applied, Command, Once, Opening, Said};

use super::{
    UNTIL, assert_opened, assert_repeated, assert_verdict, carry_out, counted, mailed, once, open,
    same, wished, wished_opening, wrong, wrong_guess,
};
use crate::contract::Storage;
use crate::sample::{self, NOON, just_before};

/// An answer is said again until its time is over; from then on the request is judged anew, also
/// another one under the key, and its answer is kept in place of the old one.
pub async fn an_answer_is_forgotten_when_its_time_is_over(storage: &Storage) {
    let opening = storage.open(1).await;
    let id = opening.session.id();
    let guess = wished(&wrong_guess(storage, &opening), once(storage, "a"));
    assert_verdict(&carry_out(storage, id, guess.clone()).await, wrong(4));
    let at = |at| Command {
        at,
        ..guess.clone()
    };
    let answer = carry_out(storage, id, at(just_before(UNTIL))).await;
    assert_repeated(&answer, &same(id, Said::Refused(wrong(4))));

    let until = UNTIL.plus_secs(120);
    let other = wished(
        &at(UNTIL),
        Once {
            until,
            ..once(storage, "b")
        },
    );
    assert_verdict(&carry_out(storage, id, other.clone()).await, wrong(3));
    let answer = carry_out(storage, id, other).await;
    assert_repeated(&answer, &same(id, Said::Refused(wrong(3))));

    let wish = sample::once(&*storage.vault, "another key", "a", UNTIL);
    let first = wished_opening(storage, 2, None, wish);
    assert_opened(&open(storage, first.clone()).await);
    let again = |at| Opening {
        at,
        ..wished_opening(storage, 3, None, Once { until, ..wish })
    };
    let answer = open(storage, again(just_before(UNTIL))).await;
    assert_eq!(answer, Admitted::Replayed(mailed(&first)));
    assert_opened(&open(storage, again(UNTIL)).await);
    let answer = open(storage, again(UNTIL)).await;
    assert_eq!(answer, Admitted::Replayed(mailed(&again(UNTIL))));
}

/// Whatever was said is said again as it was, to the last number.
pub async fn every_answer_is_said_again_as_it_was(storage: &Storage) {
    let quotas = sample::verify_quotas(&[("project_verifies_per_minute", 600)]);
    let (opening, ended) = (storage.open(1).await, storage.open(2).await);
    let id = opening.session.id();
    let right = sample::code(&*storage.vault, &opening, 0);
    let mismatch = {
        let mut command = sample::submit(&right, NOON);
        if let Action::Submit(submitted) = &mut command.action {
            submitted.template = TemplateName::parse("signup").ok();
        }
        command
    };
    let guess = wrong_guess(storage, &opening);
    let late = sample::submit(&right, ended.session.hard_end());
    let resend = sample::resend(9, ended.session.hard_end());
    let refused = Said::Refused;
    let mut kept = Vec::new();
    for (number, (id, command, said)) in [
        (
            id,
            sample::submit_typed("12", NOON),
            refused(Verdict::Malformed {
                attempts_remaining: 5,
            }),
        ),
        (
            id,
            mismatch,
            refused(Verdict::Mismatch {
                attempts_remaining: 4,
            }),
        ),
        (id, guess.clone(), refused(wrong(3))),
        (id, guess.clone(), refused(wrong(2))),
        (id, guess.clone(), refused(wrong(1))),
        (id, guess.clone(), refused(wrong(0))),
        (id, guess, refused(Verdict::TooManyAttempts)),
        (ended.session.id(), resend, Said::NotMailed(Refusal::Ended)),
        (ended.session.id(), late, refused(Verdict::Expired)),
    ]
    .into_iter()
    .enumerate()
    {
        let until = command.at.plus_secs(9);
        let key = number.to_string();
        let wish = sample::once(&*storage.vault, &key, "a", until);
        let command = wished(&counted(command, &quotas), wish);
        let first = carry_out(storage, id, command.clone()).await;
        assert!(matches!(first, Applied::Judged(_)), "{said:?}: {first:?}");
        kept.push((id, command, said));
    }
    for (id, command, said) in kept {
        let again = carry_out(storage, id, command).await;
        assert_repeated(&again, &same(id, said));
    }
}

/// A purge deletes the answers whose time is over, and no other. An answer that is not there is
/// not said again, even to who asks in its time.
pub async fn a_purge_forgets_answers_whose_time_is_over(storage: &Storage) {
    let wish = |key, until| sample::once(&*storage.vault, key, "a", until);
    let short = wish("short", UNTIL);
    let long = wish("long", UNTIL.plus_secs(1));
    let (first, second) = (
        wished_opening(storage, 1, None, short),
        wished_opening(storage, 2, None, long),
    );
    assert_opened(&open(storage, first.clone()).await);
    assert_opened(&open(storage, second.clone()).await);

    storage.sessions.purge(just_before(UNTIL), 9).await.unwrap();
    let answer = open(storage, wished_opening(storage, 3, None, short)).await;
    assert_eq!(answer, Admitted::Replayed(mailed(&first)));

    storage.sessions.purge(UNTIL, 9).await.unwrap();
    let answer = open(storage, wished_opening(storage, 3, None, short)).await;
    assert_opened(&answer);
    let answer = open(storage, wished_opening(storage, 4, None, long)).await;
    assert_eq!(answer, Admitted::Replayed(mailed(&second)));
}
