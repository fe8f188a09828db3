//! What each command costs: log, rows and their updates in place, and what is left in the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Claim, Command, Lease, LeaseToken, NetworkDigest, Opening, Outbox, Quotas,
    Readiness, RecipientDigest, SessionStore, Settlement, Subject,
};
use otpost_testkit::sample;
use tokio::task::JoinSet;

use crate::grown::{Grown, MIDNIGHT};
use crate::{FEW, rows};

/// Sessions in each measurement, and in the short form of the suite.
const COUNT: u32 = 1_000;
const COUNT_OF_SUITE: u32 = 16;

/// Callers at a time, each with a connection.
pub(crate) const CALLERS: u32 = 8;

const DAY: u32 = 86_400;

/// Tables whose updates are counted.
const TABLES: [&str; 3] = ["sessions", "deliveries", "counters"];

fn count() -> u32 {
    if rows() == FEW { COUNT_OF_SUITE } else { COUNT }
}

pub(crate) async fn measure(grown: Arc<Grown>) {
    grown.storage.keep_partitions(MIDNIGHT).await.unwrap();
    println!(
        "{:<34} {:>10} {:>9} {:>28} {:>8}",
        "command", "log/B", "pages/B", "updates in place, per table", "n/s"
    );
    send(&grown, "what waits already", MIDNIGHT).await;
    let first = MIDNIGHT;
    short_life(&grown, "after a checkpoint", first, true).await;
    short_life(&grown, "later", first.plus_secs(3_600), false).await;
    left(&grown, first);
    long_life(&grown, first.plus_secs(DAY)).await;
    left(&grown, first.plus_secs(DAY));
    let from = first.plus_secs(2 * DAY);
    for table in ["sessions", "deliveries"] {
        let partition = partition(&grown, table, from);
        grown.sql(&format!("ALTER TABLE {partition} SET (fillfactor = 80)"));
    }
    println!("pages filled to 80 %");
    short_life(&grown, "later", from, false).await;
    left(&grown, from);
    long_life(&grown, from.plus_secs(DAY / 2)).await;
    left(&grown, from);
    grown.sql(
        "DROP INDEX sessions_by_state_and_hard_end; \
         CREATE INDEX pending ON sessions (hard_end) WHERE state = 0",
    );
    println!("an index of what waits alone");
    let from = first.plus_secs(3 * DAY);
    short_life(&grown, "later", from, false).await;
    left(&grown, from);
}

/// A mail is asked for, sent, and its code entered.
async fn short_life(grown: &Arc<Grown>, when: &str, from: Timestamp, is_fresh: bool) {
    let fresh = || {
        if is_fresh {
            grown.sql("CHECKPOINT");
        }
    };
    let measured = |what: &str| format!("{what}, {when}");
    fresh();
    each(grown, &measured("open"), from, Kind::Open).await;
    fresh();
    send(grown, &measured("claim 16, settle each"), from).await;
    fresh();
    each(grown, &measured("right code"), from, Kind::Right).await;
}

/// As a short one, with two wrong guesses and two resends first.
async fn long_life(grown: &Arc<Grown>, from: Timestamp) {
    each(grown, "open", from, Kind::Open).await;
    send(grown, "claim 16, settle each", from).await;
    grown.sql("CHECKPOINT");
    each(grown, "wrong code, after a checkpoint", from, Kind::Wrong).await;
    each(grown, "wrong code, later", from, Kind::Wrong).await;
    grown.sql("CHECKPOINT");
    each(grown, "resend, after a checkpoint", from, Kind::Resend(40)).await;
    send(grown, "claim 16, settle each", from.plus_secs(40)).await;
    each(grown, "resend, later", from, Kind::Resend(80)).await;
    send(grown, "claim 16, settle each", from.plus_secs(80)).await;
    each(grown, "right code", from, Kind::Right).await;
}

#[derive(Clone, Copy)]
enum Kind {
    Open,
    Wrong,
    Right,
    /// After so many seconds.
    Resend(u32),
}

/// One command for each session, by all callers at once.
async fn each(grown: &Arc<Grown>, what: &str, from: Timestamp, kind: Kind) {
    let before = Figures::of(grown).await;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let grown = grown.clone();
        callers.spawn(async move {
            for number in (caller..count()).step_by(CALLERS as usize) {
                command(&grown, from, number, kind).await;
            }
        });
    }
    callers.join_all().await;
    before.show(grown, what).await;
}

async fn command(grown: &Grown, from: Timestamp, number: u32, kind: Kind) {
    let opening = opening(grown, from, number);
    let id: SessionId = *opening.session.id();
    let at = from.plus_secs(30);
    let right = sample::code(&*grown.vault, &opening, 0);
    let command = match kind {
        Kind::Open => {
            let admitted = grown.storage.open(opening).await.unwrap();
            assert!(matches!(admitted, Admitted::Open(_)), "{admitted:?}");
            return;
        }
        Kind::Wrong => sample::submit(&sample::wrong(&right), at),
        Kind::Right => sample::submit(&right, at),
        Kind::Resend(secs) => sample::resend(1, from.plus_secs(secs)),
    };
    let command = Command {
        quotas: Some(quotas(number)),
        ..command
    };
    let applied = grown.storage.apply(&id, command).await.unwrap();
    assert!(matches!(applied, Applied::Judged(_)), "{applied:?}");
}

/// Sends every mail that waits.
async fn send(grown: &Arc<Grown>, what: &str, at: Timestamp) {
    let before = Figures::of(grown).await;
    let now = at.plus_secs(30);
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let grown = grown.clone();
        callers.spawn(async move {
            let token = LeaseToken([u8::try_from(caller).unwrap(); 16]);
            let claim = Claim {
                lease: Lease {
                    token,
                    until: now.plus_secs(60),
                },
                now,
                limit: 16,
            };
            loop {
                let claimed = grown.storage.claim(claim).await.unwrap();
                if claimed.is_empty() {
                    return;
                }
                for mail in claimed {
                    let settled = grown
                        .storage
                        .settle(mail.session.id(), token, Settlement::Sent);
                    assert!(settled.await.unwrap());
                }
            }
        });
    }
    callers.join_all().await;
    before.show(grown, what).await;
}

/// Session `number` of those from `from` on, always the same; one network has four of them.
fn opening(grown: &Grown, from: Timestamp, number: u32) -> Opening {
    let at = Timestamp::from_millis(from.as_millis() + i64::from(number));
    let mut spread = [0; 32];
    let seed = u64::from(number) ^ u64::try_from(from.as_millis()).unwrap();
    for (chunk, part) in spread.chunks_mut(8).zip(1_u64..) {
        let mixed = (seed + part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        chunk.copy_from_slice(
            &mixed
                .rotate_left(29)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9)
                .to_be_bytes(),
        );
    }
    let opening = sample::opening_at(&*grown.vault, 1, sample::terms(), at);
    let mut context = opening.context;
    context.recipient = RecipientDigest(spread);
    Opening {
        context,
        secret: Some(otpost_ports::CodeSecret {
            kid: otpost_testkit::FakeVault::KID,
            nonce: spread,
        }),
        quotas: Some(quotas(number)),
        ..opening
    }
}

/// Limits of every kind, which refuse nothing here.
fn quotas(number: u32) -> Quotas {
    let mut quotas = sample::mail_quotas(&[
        ("project_sends_per_minute", 1_000_000),
        ("installation_mails_per_minute", 1_000_000),
        ("client_ip_per_day", 1_000_000),
        ("recipient_per_10_minutes", 1_000),
        ("recipient_per_day", 1_000),
        ("project_failures_per_day", 1_000_000),
    ]);
    let mut network = [7; 32];
    network[..4].copy_from_slice(&(number / 4).wrapping_mul(0x9e37_79b1).to_be_bytes());
    let network = Subject::network_of(&sample::owner().project, &NetworkDigest(network));
    for charge in &mut quotas.caller {
        if charge.name.starts_with("client_ip") {
            charge.subject = network.clone();
        }
    }
    quotas
}

/// What the server has counted so far.
struct Figures {
    begin: Instant,
    log: f64,
    pages: f64,
    updates: Vec<(f64, f64)>,
}

impl Figures {
    async fn of(grown: &Arc<Grown>) -> Self {
        // A connection tells what it counted a second later, with what it does next.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let mut connections = JoinSet::new();
        for _ in 0..8 * CALLERS {
            let grown = grown.clone();
            connections.spawn(async move { grown.storage.ready().await.unwrap() });
        }
        connections.join_all().await;
        let [log, pages] =
            numbers(&grown.sql(
                "SELECT pg_current_wal_insert_lsn() - '0/0', (SELECT wal_fpi FROM pg_stat_wal)",
            ));
        let updates = TABLES.map(|table| {
            let [all, in_place] = numbers(&grown.sql(&format!(
                "SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_user_tables \
                 WHERE relname LIKE '{table}%'"
            )));
            (all, in_place)
        });
        Self {
            begin: Instant::now(),
            log,
            pages,
            updates: updates.to_vec(),
        }
    }

    async fn show(&self, grown: &Arc<Grown>, what: &str) {
        let secs = self.begin.elapsed().as_secs_f64();
        let now = Self::of(grown).await;
        assert!(now.log > self.log, "{what} wrote nothing");
        let count = f64::from(count());
        let updates: Vec<_> = now
            .updates
            .iter()
            .zip(&self.updates)
            .map(|(now, before)| {
                let (all, in_place) = (now.0 - before.0, now.1 - before.1);
                format!("{:.2}/{:.2}", in_place / count, all / count)
            })
            .collect();
        println!(
            "{what:<34} {:>10.0} {:>9.2} {:>28} {:>8.0}",
            (now.log - self.log) / count,
            (now.pages - self.pages) / count,
            updates.join(" "),
            count / secs,
        );
    }
}

/// What is left of a day.
fn left(grown: &Grown, day: Timestamp) {
    for table in ["sessions", "deliveries"] {
        let partition = partition(grown, table, day);
        let sizes = grown.sql(&format!(
            "SELECT count(*), round(pg_relation_size('{partition}') / count(*)::numeric), \
             round(pg_indexes_size('{partition}') / count(*)::numeric) FROM {partition}"
        ));
        println!("  {partition}: rows, bytes each, and of indexes: {sizes}");
    }
    let sizes = grown.sql(
        "SELECT count(*), round(pg_relation_size('counters') / count(*)::numeric), \
         round(pg_indexes_size('counters') / count(*)::numeric), \
         count(*) FILTER (WHERE used_at >= extract(epoch FROM '2026-01-10'::timestamptz) * 1000) \
         FROM counters",
    );
    println!("  counters: rows, bytes each, of indexes, and new rows: {sizes}");
}

fn partition(grown: &Grown, table: &str, day: Timestamp) -> String {
    let millis = day.as_millis();
    grown.sql(&format!(
        "SELECT '{table}_' || to_char(to_timestamp({millis} / 1000) AT TIME ZONE 'UTC', 'YYYYMMDD')"
    ))
}

fn numbers<const N: usize>(row: &str) -> [f64; N] {
    let numbers: Vec<f64> = row
        .split('|')
        .map(|number| number.parse().unwrap())
        .collect();
    numbers.try_into().unwrap()
}
