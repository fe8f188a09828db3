//! Everything at once on a few recipients, on two nodes: nobody waits for one another in a circle.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otpost_ports::{
    Admitted, Applied, AuditAction, Command, Context, Opening, Outbox, Quotas, RecipientDigest,
    RecipientStore, Scope, SessionStore, Settlement,
};
use otpost_storage::Storage;
use otpost_testkit::sample::{self, NOON};
use tokio::task::JoinSet;

use super::{claim, cluster_with, opening, place};
use crate::counted::counted;
use crate::support::{Place, value};

/// How long it lasts.
const STORM: Duration = Duration::from_secs(4);

const RECIPIENTS: u16 = 3;

fn recipient(number: u16) -> RecipientDigest {
    RecipientDigest([u8::try_from(number % RECIPIENTS).unwrap(); 32])
}

fn scope(number: u16) -> Scope {
    match number % 2 {
        0 => Scope::Installation,
        _ => Scope::Project(sample::owner().project),
    }
}

fn limits() -> Quotas {
    sample::mail_quotas(&[
        ("recipient_per_hour", 1_000_000),
        ("project_sends_per_minute", 1_000_000),
        ("client_ip_per_day", 1_000_000),
    ])
}

/// Opens a session, guesses wrong at it, asks for another mail, and verifies; often under a key
/// that others use too.
async fn requests(place: &Place, storage: &Storage, number: u16) {
    let until = NOON.plus_secs(86_400);
    let once = |key: u16| Some(sample::once(&*place.vault, &key.to_string(), "body", until));
    let opening = opening(place, number);
    let opening = Opening {
        context: Context {
            recipient: recipient(number),
            ..opening.context
        },
        quotas: (!number.is_multiple_of(4)).then(limits),
        once: once(number % 7),
        ..opening
    };
    let (id, at) = (*opening.session.id(), opening.at);
    let right = sample::code(&*place.vault, &opening, 0);
    let admitted = storage.open(opening).await.unwrap();
    assert!(!matches!(admitted, Admitted::Limited(_) | Admitted::OnHold));
    for command in [
        sample::submit(&sample::wrong(&right), at),
        sample::resend(1, at.plus_secs(2)),
        sample::submit(&right, at.plus_secs(3)),
    ] {
        let command = Command {
            once: once(10 + number % 5),
            ..counted(command, &limits())
        };
        let applied: Applied = storage.apply(&id, command).await.unwrap();
        drop(applied);
    }
}

/// What operators and workers do.
async fn chores(storage: &Storage, number: u16) {
    let (recipient, scope) = (recipient(number), scope(number));
    let entry = |action| sample::recipient_entry(action, &scope, Some(recipient));
    match number % 4 {
        0 => {
            let token = claim(u8::try_from(number % 200).unwrap(), 9);
            for stored in storage.claim(token).await.unwrap() {
                let id = stored.session.id();
                storage
                    .settle(id, token.lease.token, Settlement::Sent)
                    .await
                    .unwrap();
            }
        }
        1 => {
            let entry = sample::recipient_entry(AuditAction::RecipientErased, &scope, None);
            storage.erase(&recipient, &scope, entry).await.unwrap();
        }
        2 => {
            // Now and then all that there is.
            let days = if number.is_multiple_of(5) { 900 } else { 0 };
            let now = NOON.plus_secs(1_300 + 86_400 * days);
            storage.purge(now, 50).await.unwrap();
        }
        _ => {
            let entry_shown = entry(AuditAction::RecipientShown);
            storage
                .look_up(&recipient, &scope, 9, entry_shown)
                .await
                .unwrap();
            let released = entry(AuditAction::RecipientReleased);
            storage.release(&recipient, &scope, released).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_together_nothing_fails_and_nothing_is_left_half() {
    // Told before whoever waits gives up.
    let Some(cluster) = cluster_with(&[("deadlock_timeout", "100ms")]).await else {
        return;
    };
    let place = Arc::new(place(&cluster));
    let nodes = [place.storage().await, place.connect().await];
    let end = Instant::now() + STORM;
    let mut tasks = JoinSet::new();
    for task in 0..8_u16 {
        let (place, storage) = (place.clone(), nodes[usize::from(task % 2)].clone());
        tasks.spawn(async move {
            let mut turns = 0_u16;
            while Instant::now() < end {
                let number = task + 8 * turns;
                if task < 4 {
                    requests(&place, &storage, number).await;
                } else {
                    chores(&storage, turns.wrapping_add(task)).await;
                }
                turns += 1;
            }
            turns
        });
    }
    let turns = tasks.join_all().await;
    assert!(turns.iter().all(|turns| *turns > 10), "{turns:?}");

    let other = place.other().await;
    for (halves, expected) in [
        (
            "SELECT COUNT(*) FROM sessions FULL JOIN deliveries ON id = session_id \
             WHERE id IS NULL OR session_id IS NULL",
            0,
        ),
        ("SELECT COUNT(*) FROM counters WHERE failures < 0", 0),
        (
            "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'",
            0,
        ),
    ] {
        assert_eq!(value::<i64>(&other, halves).await, expected, "{halves}");
    }
    for number in 0..RECIPIENTS {
        let scope = Scope::Installation;
        let entry = sample::recipient_entry(AuditAction::RecipientErased, &scope, None);
        nodes[0]
            .erase(&recipient(number), &scope, entry)
            .await
            .unwrap();
    }
    for rows in [
        "SELECT COUNT(*) FROM sessions",
        "SELECT COUNT(*) FROM deliveries",
        "SELECT COUNT(*) FROM audit_log WHERE recipient IS NOT NULL",
        "SELECT COUNT(*) FROM counters WHERE subject >= x'02' AND subject < x'04'",
    ] {
        assert_eq!(value::<i64>(&other, rows).await, 0, "{rows}");
    }
    let log = cluster.log();
    assert!(!log.contains("deadlock detected"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}
