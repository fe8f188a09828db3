//! Erasing a recipient: nothing of it is left in the tables or the files. What is about files is for
//! `SQLite` alone: those of a server are its own.

use otpost_domain::Mode;
use otpost_ports::{
    AuditAction, Context, Erased, Opening, Owner, RecipientDigest, RecipientStore, Scope,
    SessionStore,
};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use sea_orm::DatabaseConnection;

use crate::counted::counted;
use crate::support::{Place, find, is_on_disk, judged, on_both, open, run, value};

on_both! {
    an_erasure_goes_as_far_as_its_scope
    what_no_longer_converts_is_erased_all_the_same
}

/// Of so many recipients, as different as their digests are.
const RECIPIENTS: u8 = 12;

/// Rows of every table that may tell of a recipient.
const ROWS: [&str; 5] = [
    "SELECT COUNT(*) FROM sessions",
    "SELECT COUNT(*) FROM deliveries",
    "SELECT COUNT(*) FROM kept_answers",
    "SELECT COUNT(*) FROM counters WHERE subject >= x'02' AND subject < x'04'",
    "SELECT COUNT(*) FROM audit_log WHERE recipient IS NOT NULL",
];

async fn rows(other: &DatabaseConnection) -> Vec<i64> {
    let mut rows = Vec::new();
    for query in ROWS {
        rows.push(value(other, query).await);
    }
    rows
}

/// The digest of recipient `number`: no two share a run of bytes.
fn recipient(number: u8) -> RecipientDigest {
    let first = number.wrapping_mul(37);
    RecipientDigest(std::array::from_fn(|place| {
        first ^ u8::try_from(place * 7).unwrap()
    }))
}

/// A session of recipient `number` of a project, with counters, a kept answer and a wrong guess.
async fn opened(
    place: &Place,
    storage: &Storage,
    session: u8,
    number: u8,
    owner: Owner,
) -> Opening {
    let is_live = owner.mode == Mode::Live;
    let sample = sample::opening(&*place.vault, session);
    let until = NOON.plus_secs(86_400);
    let once = |key: &str| {
        let key = format!("{key} {session}");
        Some(sample::once(&*place.vault, &key, "body", until))
    };
    let quotas = sample::mail_quotas(&[("recipient_per_hour", 1_000)]);
    let opening = Opening {
        context: Context {
            owner: owner.clone(),
            recipient: recipient(number),
            ..sample.context
        },
        quotas: is_live.then(|| quotas.clone()),
        once: once("send"),
        ..sample
    };
    open(storage, opening.clone()).await;
    let mut guess = sample::submit_typed("000000", NOON);
    if is_live {
        guess = counted(guess, &quotas);
    }
    guess.owner = owner;
    guess.once = once("verify");
    judged(storage.apply(opening.session.id(), guess).await);
    opening
}

async fn look_up(storage: &Storage, recipient: &RecipientDigest, scope: &Scope) {
    let entry = sample::recipient_entry(AuditAction::RecipientShown, scope, Some(*recipient));
    storage.look_up(recipient, scope, 1, entry).await.unwrap();
}

async fn erase(storage: &Storage, recipient: &RecipientDigest, scope: &Scope) -> Erased {
    let entry = sample::recipient_entry(AuditAction::RecipientErased, scope, None);
    storage.erase(recipient, scope, entry).await.unwrap()
}

/// An erasure of so many sessions, of which the files hold nothing any more. A server keeps copies
/// of rows for a while.
fn complete(place: &Place, sessions: u64) -> Erased {
    Erased {
        scope: Scope::Installation,
        sessions,
        leaves_copies: place.is_on_a_server() && sessions > 0,
    }
}

/// What of a session identifies a person, as it lies in the files.
fn traces(opening: &Opening) -> [&[u8]; 4] {
    let context = &opening.context;
    [
        opening.session.id().as_bytes(),
        &context.recipient.0,
        &context.address.0,
        &context.variables.as_ref().unwrap().0,
    ]
}

#[tokio::test]
async fn after_an_erasure_no_file_holds_anything_of_the_recipient() {
    let place = Place::file();
    let storage = place.storage().await;
    let mut openings = Vec::new();
    for session in 0..240 {
        let owner = sample::owner();
        openings.push(opened(&place, &storage, session, session % RECIPIENTS, owner).await);
    }
    for number in 0..RECIPIENTS {
        look_up(&storage, &recipient(number), &Scope::Installation).await;
    }
    let (erased, kept): (Vec<_>, Vec<_>) = openings
        .iter()
        .partition(|opening| opening.context.recipient == recipient(5));
    assert_eq!((erased.len(), kept.len()), (20, 220));
    for trace in erased.iter().copied().flat_map(traces) {
        assert!(is_on_disk(&place, trace), "the scan finds what is there");
    }
    let other = place.other().await;
    assert_eq!(rows(&other).await, [240, 240, 480, 24, 12]);

    let done = erase(&storage, &recipient(5), &Scope::Installation).await;

    assert_eq!(done, complete(&place, 20));
    assert_eq!(rows(&other).await, [220, 220, 440, 22, 11]);
    for trace in erased.into_iter().flat_map(traces) {
        assert!(!is_on_disk(&place, trace));
    }
    for trace in kept[..9].iter().copied().flat_map(traces) {
        assert!(is_on_disk(&place, trace), "what is of others stays");
    }
    let again = erase(&storage, &recipient(5), &Scope::Installation).await;
    assert_eq!(again, complete(&place, 0));
}

/// Bytes that no row holds any more, left where SQLite does not overwrite them by itself.
#[tokio::test]
async fn an_erasure_leaves_no_unused_page_in_a_small_database_and_tells_that_a_large_one_may_hold_copies()
 {
    let unused = "SELECT freelist_count FROM pragma_freelist_count";
    for (pages, is_rewritten) in [(1_000, true), (3_000, false)] {
        let place = Place::file();
        let storage = place.storage().await;
        let kept = opened(&place, &storage, 1, 1, sample::owner()).await;
        let stored = find(&storage, kept.session.id()).await;
        opened(&place, &storage, 2, 2, sample::owner()).await;
        let other = place.other().await;
        let bytes = pages * 4_096;
        run(&other, "CREATE TABLE filled (bytes BLOB)").await;
        run(
            &other,
            &format!("INSERT INTO filled VALUES (zeroblob({bytes}))"),
        )
        .await;
        if is_rewritten {
            run(&other, "DELETE FROM filled").await;
            assert!(value::<i64>(&other, unused).await >= pages);
        } else {
            run(&other, "DROP INDEX sessions_by_state_and_hard_end").await;
            assert!(value::<i64>(&other, unused).await > 0);
        }

        let nobody = erase(&storage, &recipient(3), &Scope::Installation).await;
        assert!(!nobody.leaves_copies, "{pages} pages");
        let left = value::<i64>(&other, unused).await;
        assert!(
            left > 0,
            "{pages} pages: nothing was erased, nothing is rewritten"
        );

        let erased = erase(&storage, &recipient(2), &Scope::Installation).await;

        let is_empty = value::<i64>(&other, unused).await == 0;
        assert_eq!(is_empty, is_rewritten, "{pages} pages");
        assert_eq!(erased.leaves_copies, !is_rewritten, "{pages} pages");
        let after = find(&storage, kept.session.id()).await;
        assert_eq!(after, stored, "{pages} pages");
    }
}

fn owner(project: &str, mode: Mode) -> Owner {
    Owner {
        project: sample::project(project),
        mode,
    }
}

async fn an_erasure_goes_as_far_as_its_scope(place: Place) {
    let acme = sample::project("acme");
    let rows_left = |scope| match scope {
        Scope::Tests(_) => [2, 2, 4, 3, 2],
        Scope::Project(_) => [1, 1, 2, 2, 1],
        Scope::Installation => [0, 0, 0, 0, 0],
    };
    for scope in [
        Scope::Tests(acme.clone()),
        Scope::Project(acme),
        Scope::Installation,
    ] {
        let place = place.another().await;
        let storage = place.storage().await;
        let other = place.other().await;
        for (session, (project, mode)) in [
            ("acme", Mode::Test),
            ("acme", Mode::Live),
            ("umbrella", Mode::Live),
        ]
        .into_iter()
        .enumerate()
        {
            let session = u8::try_from(session).unwrap();
            opened(&place, &storage, session, 1, owner(project, mode)).await;
        }
        for project in ["acme", "umbrella"] {
            look_up(
                &storage,
                &recipient(1),
                &Scope::Project(sample::project(project)),
            )
            .await;
        }
        assert_eq!(rows(&other).await, [3, 3, 6, 3, 2]);

        let erased = erase(&storage, &recipient(1), &scope).await;

        let left = rows_left(scope.clone());
        assert_eq!(rows(&other).await, left, "{scope:?}");
        let sessions = u64::try_from(3 - left[0]).unwrap();
        let expected = Erased {
            scope: scope.clone(),
            ..complete(&place, sessions)
        };
        assert_eq!(erased, expected, "{scope:?}");
        let entries = "SELECT COUNT(*) FROM audit_log";
        assert_eq!(value::<i64>(&other, entries).await, 3, "{scope:?}");
    }
}

async fn what_no_longer_converts_is_erased_all_the_same(place: Place) {
    let storage = place.storage().await;
    let other = place.other().await;
    opened(&place, &storage, 1, 1, sample::owner()).await;
    look_up(&storage, &recipient(1), &Scope::Installation).await;
    for broken in [
        "UPDATE sessions SET attempts = 6",
        "UPDATE deliveries SET tries = -1",
        "UPDATE kept_answers SET request = x'00'",
        "UPDATE counters SET failures = -1",
        "UPDATE audit_log SET action = 'unknown'",
    ] {
        run(&other, broken).await;
    }

    assert_eq!(
        erase(&storage, &recipient(1), &Scope::Installation).await,
        complete(&place, 1)
    );
    assert_eq!(rows(&other).await, [0; 5]);
}

/// The rows are gone then, and the log is emptied by the next that can.
#[tokio::test]
async fn an_erasure_tells_of_copies_while_another_program_reads_the_log() {
    let place = Place::file();
    let storage = place.storage().await;
    let gone = opened(&place, &storage, 1, 1, sample::owner()).await;
    let stays = opened(&place, &storage, 2, 2, sample::owner()).await;
    let reader = place.other().await;
    run(&reader, "BEGIN").await;
    assert_eq!(value::<i64>(&reader, ROWS[0]).await, 2);

    let erased = erase(&storage, &recipient(1), &Scope::Installation).await;

    assert_eq!((erased.sessions, erased.leaves_copies), (1, true));
    let id = gone.session.id();
    assert_eq!(storage.find(&sample::owner(), id).await.unwrap(), None);
    assert!(is_on_disk(&place, id.as_bytes()), "the log is in use");
    run(&reader, "COMMIT").await;
    let again = erase(&storage, &recipient(3), &Scope::Installation).await;
    assert_eq!(again, complete(&place, 0));
    assert!(!is_on_disk(&place, id.as_bytes()));
    find(&storage, stays.session.id()).await;
}
