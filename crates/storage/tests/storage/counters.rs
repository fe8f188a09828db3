//! What is counted: with what it guards or not at all, exactly, and over restarts.

use otpost_ports::{Admitted, Applied, Command, Opening, Quotas, SessionStore};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use sea_orm::{DatabaseConnection, DbBackend};
use tokio::task::JoinSet;

use crate::counted::{
    charges, counted, counters, opening, project, quotas, recipient, wrong_guess,
};
use crate::support::{Place, assert_unavailable, find, judged, on_both, open, run, value, version};

on_both! {
    of_100_parallel_opens_exactly_the_quota_opens
    two_programs_on_one_database_open_exactly_the_quota
    counters_survive_a_restart
    a_failed_commit_charges_nothing_and_counts_no_guess
    an_identifier_that_is_taken_charges_nothing
    a_command_that_a_limit_refuses_writes_nothing
    a_guess_at_a_session_that_is_not_there_is_counted_for_its_project_alone
    what_has_no_quotas_asks_for_no_counter
    a_session_is_exempt_of_limits_as_it_was_opened
}

const SESSIONS: &str = "SELECT COUNT(*) FROM sessions";
/// One that was only locked is as if never used.
const ROWS: &str = "SELECT COUNT(*) FROM counters WHERE used_at > 0";
const ANSWERS: &str = "SELECT COUNT(*) FROM kept_answers";

/// Makes COMMIT itself fail once a counter was written, until [`let_commits`].
async fn fail_commits(other: &DatabaseConnection) {
    run(
        other,
        "CREATE TABLE guarded (id INTEGER PRIMARY KEY); \
         CREATE TABLE guard (id INTEGER REFERENCES guarded (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let triggers = match other.get_database_backend() {
        DbBackend::Postgres => {
            "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN INSERT INTO guard VALUES (1); RETURN NULL; END'; \
             CREATE TRIGGER guard AFTER INSERT OR UPDATE ON counters \
             FOR EACH ROW EXECUTE FUNCTION guard()"
        }
        _ => {
            "CREATE TRIGGER first AFTER INSERT ON counters BEGIN INSERT INTO guard VALUES (1); END; \
             CREATE TRIGGER next AFTER UPDATE ON counters BEGIN INSERT INTO guard VALUES (1); END"
        }
    };
    run(other, triggers).await;
}

async fn let_commits(other: &DatabaseConnection) {
    let triggers = match other.get_database_backend() {
        DbBackend::Postgres => "DROP TRIGGER guard ON counters",
        _ => "DROP TRIGGER first; DROP TRIGGER next",
    };
    run(other, triggers).await;
}

/// How many of so many callers at once, in turn over `programs`, open a session; the others are
/// limited.
pub(crate) async fn opened(
    callers: u8,
    place: &Place,
    programs: &[&Storage],
    quotas: &Quotas,
) -> usize {
    let mut tasks = JoinSet::new();
    for (number, &storage) in (0..callers).zip(programs.iter().cycle()) {
        let (storage, opening) = (storage.clone(), opening(place, number, quotas));
        tasks.spawn(async move { storage.open(opening).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let (open, limited): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| matches!(answer, Admitted::Open(_)));
    assert_eq!(answers.len(), usize::from(callers));
    for answer in limited {
        assert!(matches!(answer, Admitted::Limited(_)), "{answer:?}");
    }
    open.len()
}

async fn of_100_parallel_opens_exactly_the_quota_opens(place: Place) {
    let storage = place.storage().await;
    let quota = 7;

    let opened = opened(100, &place, &[&storage], &quotas(quota)).await;

    assert_eq!(opened, 7);
    assert_eq!(charges(&storage, quota).await, 7);
    let other = place.other().await;
    assert_eq!(value::<i64>(&other, SESSIONS).await, 7);
    let mails = "SELECT COUNT(*) FROM deliveries";
    assert_eq!(value::<i64>(&other, mails).await, 7);
}

async fn two_programs_on_one_database_open_exactly_the_quota(place: Place) {
    let (one, two) = (place.storage().await, place.connect().await);
    let quota = 7;

    let opened = opened(20, &place, &[&one, &two], &quotas(quota)).await;

    assert_eq!(opened, 7);
    for storage in [one, two] {
        assert_eq!(charges(&storage, quota).await, 7);
    }
    let other = place.other().await;
    assert_eq!(value::<i64>(&other, SESSIONS).await, 7);
}

async fn counters_survive_a_restart(place: Place) {
    let storage = place.storage().await;
    let quotas = quotas(2);
    let first = opening(&place, 1, &quotas);
    open(&storage, first.clone()).await;
    let guess = wrong_guess(&place, &first, &quotas);
    judged(storage.apply(first.session.id(), guess).await);
    let of_project = counters(&storage, &project()).await;
    let of_recipient = counters(&storage, &recipient(&place)).await;
    assert_eq!(of_recipient.failures, 1);
    drop(storage);

    let again = place.storage().await;

    assert_eq!(counters(&again, &project()).await, of_project);
    assert_eq!(counters(&again, &recipient(&place)).await, of_recipient);
    let refused = again.open(opening(&place, 2, &quotas)).await.unwrap();
    assert!(matches!(refused, Admitted::Limited(_)), "{refused:?}");
    let other = place.other().await;
    assert_eq!(value::<i64>(&other, SESSIONS).await, 1);
}

async fn a_failed_commit_charges_nothing_and_counts_no_guess(place: Place) {
    let storage = place.storage().await;
    let quota = 9;
    let quotas = quotas(quota);
    let first = opening(&place, 1, &quotas);
    let id = first.session.id();
    open(&storage, first.clone()).await;
    let guess = wrong_guess(&place, &first, &quotas);
    let other = place.other().await;
    fail_commits(&other).await;

    let once = |key| Some(sample::once(&*place.vault, key, "body", NOON.plus_secs(9)));
    let second = Opening {
        once: once("mail"),
        ..opening(&place, 2, &quotas)
    };
    let guess = Command {
        once: once("guess"),
        ..guess
    };
    let unknown = sample::session_id(9, NOON);
    for _ in 0..3 {
        for reason in [
            assert_unavailable(storage.open(second.clone()).await),
            assert_unavailable(storage.apply(id, guess.clone()).await),
            assert_unavailable(storage.apply(&unknown, guess.clone()).await),
        ] {
            assert!(reason.to_lowercase().contains("foreign key"), "{reason}");
        }
    }

    assert_eq!(charges(&storage, quota).await, 1);
    assert_eq!(counters(&storage, &recipient(&place)).await.failures, 0);
    assert_eq!(find(&storage, id).await.session.attempts(), 0);
    assert_eq!(value::<i64>(&other, SESSIONS).await, 1);
    assert_eq!(value::<i64>(&other, ANSWERS).await, 0);

    let_commits(&other).await;
    open(&storage, second).await;
    let healed = judged(storage.apply(id, guess).await);
    assert_eq!(healed.stored.session.attempts(), 1);
    assert_eq!(charges(&storage, quota).await, 3);
    assert_eq!(value::<i64>(&other, ANSWERS).await, 2);
}

async fn an_identifier_that_is_taken_charges_nothing(place: Place) {
    let storage = place.storage().await;
    let quota = 9;
    let first = opening(&place, 1, &quotas(quota));
    open(&storage, first.clone()).await;

    assert_unavailable(storage.open(first).await);

    assert_eq!(charges(&storage, quota).await, 1);
}

async fn a_command_that_a_limit_refuses_writes_nothing(place: Place) {
    let storage = place.storage().await;
    let quotas = quotas(1);
    let first = opening(&place, 1, &quotas);
    open(&storage, first.clone()).await;
    let other = place.other().await;
    let before = version(&other).await;

    let unknown = sample::session_id(9, NOON);
    let guess = wrong_guess(&place, &first, &quotas);
    let resend = counted(sample::resend(3, NOON), &quotas);
    for (id, command) in [
        (first.session.id(), guess.clone()),
        (first.session.id(), resend),
        (&unknown, guess),
    ] {
        let applied = storage.apply(id, command).await.unwrap();
        assert!(matches!(applied, Applied::Limited(_)), "{applied:?}");
    }
    let admitted = storage.open(opening(&place, 2, &quotas)).await.unwrap();
    assert!(matches!(admitted, Admitted::Limited(_)), "{admitted:?}");

    assert_eq!(version(&other).await, before);
}

async fn a_guess_at_a_session_that_is_not_there_is_counted_for_its_project_alone(place: Place) {
    let storage = place.storage().await;
    let quota = 9;
    let unknown = sample::session_id(9, NOON);

    let guess = counted(sample::submit_typed("000000", NOON), &quotas(quota));
    let applied = storage.apply(&unknown, guess).await.unwrap();

    assert!(matches!(applied, Applied::NotFound(_)), "{applied:?}");
    assert_eq!(charges(&storage, quota).await, 1);
    let other = place.other().await;
    assert_eq!(value::<i64>(&other, ROWS).await, 1);
}

async fn what_has_no_quotas_asks_for_no_counter(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    // Whoever asked would fail.
    run(&other, "DROP TABLE counters").await;

    let (opened, right) = place.open(&storage, 1).await;
    let id = opened.session.id();
    let wrong = sample::submit(&sample::wrong(&right), NOON);
    let resend = sample::resend(2, NOON.plus_secs(30));
    let right = sample::submit(&right, NOON.plus_secs(31));
    for command in [wrong.clone(), resend, right] {
        judged(storage.apply(id, command).await);
    }
    let unknown = sample::session_id(9, NOON);
    let applied = storage.apply(&unknown, wrong).await.unwrap();
    assert!(matches!(applied, Applied::NotFound(_)), "{applied:?}");

    assert_unavailable(storage.open(opening(&place, 2, &quotas(9))).await);
}

async fn a_session_is_exempt_of_limits_as_it_was_opened(place: Place) {
    let storage = place.storage().await;

    for (number, is_exempt) in [(1, true), (2, false)] {
        let mut opening = sample::opening(&*place.vault, number);
        opening.context.is_exempt = is_exempt;
        open(&storage, opening.clone()).await;
        assert_eq!(find(&storage, opening.session.id()).await, opening.into());
    }
}
