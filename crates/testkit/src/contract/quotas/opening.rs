//! Limits of sends: all who are concerned are charged, or nobody.

use std::time::Duration;

use otpost_domain::{Bucket, Resend, TermsRecord, Timestamp};
use otpost_ports::{
    Admitted, Applied, Counters, Opening, Outcome, Owner, Quotas, Settlement, Subject,
};
use tokio::task::JoinSet;

use super::{
    CALLERS, TWO_DAYS_SECS, assert_open, carry_out, counted, counted_opening, counters, everyone,
    limited, open_counted, open_counted_at, recipient, used,
};
use crate::contract::Storage;
use crate::sample::{self, NOON};

/// The limits of a mail, with quotas that no promise reaches but one of them on purpose.
const MAIL_LIMITS: [(&str, u32); 7] = [
    ("project_sends_per_minute", 60),
    ("installation_mails_per_minute", 90),
    ("client_ip_per_10_minutes", 10),
    ("client_ip_per_day", 50),
    ("recipient_per_10_minutes", 5),
    ("recipient_per_hour", 10),
    ("recipient_per_day", 20),
];

/// An open is counted for its project, its network, the installation and its recipient, there and
/// everywhere, and its answer says what is left.
pub async fn an_open_charges_everyone_concerned(storage: &Storage) {
    let quotas = sample::mail_quotas(&MAIL_LIMITS);
    for times in 1..=2_u8 {
        let admitted = open_counted(storage, times, &quotas).await;

        let Admitted::Open(counted) = admitted else {
            panic!("{admitted:?}");
        };
        let left = counted.iter().map(|one| {
            assert_eq!(
                one.allowance.remaining,
                one.limit.quota() - u32::from(times)
            );
            (one.name, one.limit.quota())
        });
        let everywhere = MAIL_LIMITS[4..]
            .iter()
            .map(|(name, quota)| (*name, 3 * quota));
        let expected: Vec<_> = MAIL_LIMITS.into_iter().chain(everywhere).collect();
        assert_eq!(left.collect::<Vec<_>>(), expected);

        let instants = vec![NOON; times.into()];
        let of = |place: usize, more: u32| {
            let (name, quota) = MAIL_LIMITS[place];
            used(sample::limit(name, more * quota), &instants)
        };
        let none = Bucket::default();
        let expected = [
            [of(1, 1), none, none],
            [of(0, 1), none, none],
            [of(2, 1), of(3, 1), none],
            [of(4, 3), of(5, 3), of(6, 3)],
            [of(4, 1), of(5, 1), of(6, 1)],
        ];
        let expected = expected.map(|buckets| Counters {
            buckets,
            used_at: Some(NOON),
            ..Counters::default()
        });
        assert_eq!(everyone(storage).await, expected);
        assert!(storage.is_there(&sample::session_id(times, NOON)).await);
    }
}

/// Whichever limit refuses: no session, no mail, and nobody is charged.
pub async fn a_limited_open_opens_nothing_and_charges_nothing(storage: &Storage) {
    let mut at = NOON;
    for (number, (name, _)) in (1..).zip(MAIL_LIMITS) {
        at = at.plus_secs(TWO_DAYS_SECS);
        let limits =
            MAIL_LIMITS.map(|(other, quota)| (other, if other == name { 1 } else { quota }));
        let quotas = sample::mail_quotas(&limits);
        assert_open(&open_counted_at(storage, number, at, &quotas).await);
        let first = sample::session_id(number, at);
        storage.deliver(&first, at, Settlement::Sent).await;
        let before = everyone(storage).await;

        let refused = open_counted_at(storage, 100 + number, at, &quotas).await;

        let wait = Duration::from_secs(sample::limit(name, 1).window_secs().into());
        assert_eq!(refused, Admitted::Limited(limited(name, 1, wait)));
        let second = sample::session_id(100 + number, at);
        assert!(!storage.is_there(&second).await, "{name}");
        assert_eq!(storage.claim(1, at, 9).await, [], "{name}");
        assert_eq!(everyone(storage).await, before, "{name}");
    }
}

/// Where several limits refuse, the one that waits longest is named, wherever it stands.
pub async fn the_limit_that_waits_longest_is_named(storage: &Storage) {
    let all = MAIL_LIMITS.map(|(name, _)| (name, 1));
    let mut backwards = sample::mail_quotas(&all[..4]);
    backwards.caller.reverse();
    let day = Duration::from_hours(24);
    let mut at = NOON;
    for (number, quotas, name) in [
        (1, sample::mail_quotas(&all[..4]), "client_ip_per_day"),
        (2, backwards, "client_ip_per_day"),
        (3, sample::mail_quotas(&all[4..]), "recipient_per_day"),
    ] {
        at = at.plus_secs(TWO_DAYS_SECS);
        assert_open(&open_counted_at(storage, number, at, &quotas).await);

        let refused = open_counted_at(storage, 100 + number, at, &quotas).await;
        assert_eq!(refused, Admitted::Limited(limited(name, 1, day)));
    }
}

/// Who waits for as long as the answer said is admitted, to the millisecond, and once.
pub async fn a_limited_open_is_admitted_once_it_has_waited(storage: &Storage) {
    let name = "recipient_per_hour";
    let quotas = sample::mail_quotas(&[(name, 2)]);
    assert_open(&open_counted(storage, 1, &quotas).await);
    assert_open(&open_counted(storage, 2, &quotas).await);
    let half = NOON.plus_secs(1_800);
    let early = Timestamp::from_millis(half.as_millis() - 1);

    for (number, at, millis) in [(3, NOON, 1_800_000), (4, early, 1)] {
        let refused = open_counted_at(storage, number, at, &quotas).await;
        let wait = Duration::from_millis(millis);
        assert_eq!(refused, Admitted::Limited(limited(name, 2, wait)));
    }
    assert_open(&open_counted_at(storage, 5, half, &quotas).await);
    let again = open_counted_at(storage, 6, half, &quotas).await;
    assert!(matches!(again, Admitted::Limited(_)), "{again:?}");
}

/// Of any number of parallel opens so many are admitted as the quota says: sessions and mails.
pub async fn parallel_opens_are_admitted_quota_times(storage: &Storage) {
    let mut mails = 0;
    for (first, name, quota) in [
        (1_u8, "installation_mails_per_minute", 7),
        (101, "recipient_per_hour", 5),
    ] {
        let quotas = sample::mail_quotas(&[(name, quota)]);
        let mut callers = JoinSet::new();
        for number in (first..).take(CALLERS) {
            let opening = counted_opening(&*storage.vault, number, NOON, &quotas);
            let sessions = storage.sessions.clone();
            callers.spawn(async move { sessions.open(opening).await.unwrap() });
        }
        let answers = callers.join_all().await;

        mails += usize::try_from(quota).unwrap();
        let admitted = answers.iter();
        let admitted = admitted.filter(|answer| matches!(answer, Admitted::Open(_)));
        assert_eq!(admitted.count(), usize::try_from(quota).unwrap(), "{name}");
        assert_eq!(answers.len(), CALLERS, "everyone was answered");
    }
    let mut sessions = 0;
    for number in 0..=u8::MAX {
        let is_there = storage.is_there(&sample::session_id(number, NOON)).await;
        sessions += usize::from(is_there);
    }
    assert_eq!(sessions, mails);
    assert_eq!(storage.claim(1, NOON, 99).await.len(), mails);
}

/// A recipient has so many mails of a project, and three times as many of all projects together.
pub async fn limits_of_a_recipient_are_threefold_over_projects(storage: &Storage) {
    let name = "recipient_per_hour";
    let quotas = Quotas {
        caller: Vec::new(),
        ..sample::mail_quotas(&[(name, 1)])
    };
    let open = async |number: u8, project: &str| {
        let mut opening = counted_opening(&*storage.vault, number, NOON, &quotas);
        opening.context.owner = Owner {
            project: sample::project(project),
            ..sample::owner()
        };
        storage.sessions.open(opening).await.unwrap()
    };
    let hour = Duration::from_hours(1);
    for (number, project) in [(1, "one"), (2, "two"), (3, "three")] {
        assert_open(&open(number, project).await);
        let second = open(100 + number, project).await;
        let Admitted::Limited(refused) = second else {
            panic!("{second:?}");
        };
        assert_eq!((refused.name, refused.wait), (name, hour), "{project}");
    }
    let fourth = open(4, "four").await;
    let wait = hour / 3;
    assert_eq!(fourth, Admitted::Limited(limited(name, 3, wait)));
    assert!(!storage.is_there(&sample::session_id(4, NOON)).await);
}

/// To an exempt address any number of mails goes, opened or asked for again; its caller pays.
pub async fn exempt_recipients_are_not_counted(storage: &Storage) {
    let quotas = sample::mail_quotas(&[("recipient_per_day", 1), ("project_sends_per_minute", 9)]);
    let terms = TermsRecord {
        cooldown_secs: 0,
        ..sample::terms()
    };
    for number in 1..=3 {
        let mut opening = Opening {
            quotas: Some(quotas.clone()),
            ..sample::opening_at(&*storage.vault, number, terms, NOON)
        };
        opening.context.is_exempt = true;
        assert_open(&storage.sessions.open(opening).await.unwrap());
        let id = sample::session_id(number, NOON);
        let resend = counted(sample::resend(100 + number, NOON), &quotas);
        let answer = carry_out(storage, &id, resend).await;
        assert!(
            matches!(&answer, Applied::Judged(judged)
                if matches!(judged.outcome, Outcome::Resent(Resend::Repeat))),
            "{answer:?}"
        );
    }
    let (owner, recipient) = (sample::owner(), recipient(storage));
    for subject in [
        Subject::recipient(&recipient),
        Subject::recipient_of(&owner.project, &recipient),
    ] {
        assert_eq!(counters(storage, &subject).await, Counters::default());
    }
    let sends = sample::limit("project_sends_per_minute", 9);
    let project = counters(storage, &Subject::project(&owner.project)).await;
    assert_eq!(project.buckets[0], used(sends, &[NOON; 6]));
}
