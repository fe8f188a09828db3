//! The server is lost and its standby takes over: nothing that was answered is lost, and no node is
//! started anew.

use std::time::{Duration, Instant};

use otpost_cluster::{Cluster, Stop};
use tokio::task::block_in_place;

use crate::support::callers::{Callers, Lost};
use crate::support::eventually;
use crate::support::nodes::{Name, Site, server, sql};

/// How many failovers by a kill are wanted, where it is to be more than one.
const ROUNDS: &str = "OTPOST_FAILOVERS";
const CALLERS: usize = 8;
/// How long there is load before, and while nobody serves, and after.
const PHASE: Duration = Duration::from_secs(3);
/// Every answer comes within this time.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Once the name has moved, and what it names takes writes.
const HEALED_MAX: Duration = Duration::from_secs(5);

/// How a server is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// Its processes are killed.
    Killed,
    /// It goes silent, as when its machine is cut off.
    Silent,
    /// It is killed, and the name moves before the standby is promoted.
    KilledAndMovedEarly,
    /// It takes no more writes, and keeps its connections.
    ReadOnly,
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants a longer run says so"
)]
fn rounds_wanted() -> usize {
    let value = std::env::var(ROUNDS).ok();
    value.map_or(1, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_answered_is_lost_when_the_server_is_killed() {
    for _ in 0..rounds_wanted() {
        fail_over(Loss::Killed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_answered_is_lost_when_the_server_goes_silent() {
    fail_over(Loss::Silent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_that_is_not_promoted_yet_is_not_asked() {
    fail_over(Loss::KilledAndMovedEarly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_takes_no_more_writes_is_left() {
    fail_over(Loss::ReadOnly).await;
}

/// A server, and a standby without whose word it commits nothing.
async fn pair() -> Option<(Cluster, Cluster)> {
    let primary = server(|builder| builder.setting("synchronous_commit", "on"))?;
    let standby = block_in_place(|| primary.standby("second")).unwrap();
    sql(
        &primary,
        "ALTER SYSTEM SET synchronous_standby_names = 'second'",
    );
    sql(&primary, "SELECT pg_reload_conf()");
    eventually("the standby", async || {
        let state = sql(&primary, "SELECT sync_state FROM pg_stat_replication");
        (state == "sync").then_some(())
    })
    .await;
    Some((primary, standby))
}

async fn fail_over(loss: Loss) {
    let Some((mut primary, standby)) = pair().await else {
        return;
    };
    let name = Name::of(&primary);
    let site = Site::at(&name.url()).await;
    let node = site.node();
    let api = node.api(&site.key);
    let callers = Callers::start(CALLERS, vec![api.clone()], &site.mails);
    tokio::time::sleep(PHASE).await;

    block_in_place(|| match loss {
        Loss::Killed | Loss::KilledAndMovedEarly => primary.stop(Stop::Kill).unwrap(),
        Loss::Silent => primary.freeze().unwrap(),
        Loss::ReadOnly => {
            sql(
                &primary,
                "ALTER SYSTEM SET default_transaction_read_only = on",
            );
            sql(&primary, "SELECT pg_reload_conf()");
        }
    });
    let gone_at = Instant::now();
    if matches!(loss, Loss::KilledAndMovedEarly) {
        name.give_to(&standby);
    }
    tokio::time::sleep(PHASE).await;
    let found = Instant::now();
    block_in_place(|| standby.promote()).unwrap();
    name.give_to(&standby);
    let moved = Instant::now();
    tokio::time::sleep(HEALED_MAX + PHASE).await;
    let memory = callers.stop().await;

    let healed = memory.healed_after(moved);
    // What is under way when a server reloads its settings is still carried out.
    let settled = gone_at + Duration::from_millis(200);
    let served = memory.served_within(settled, found);
    let missing = memory.reconcile(&api, &site.mails).await;
    println!(
        "failover, {loss:?}: {} requests, {} of them refused with 503, the slowest answer after {} ms, \
         served again {} ms after the name had moved; of {} sessions, {} attempts, {} verifications \
         and their mails lost: {missing:?}; {} mails came twice",
        memory.asked.len(),
        memory.refused(),
        memory.slowest().as_millis(),
        healed.as_millis(),
        memory.stories.len(),
        memory.judged(),
        memory.verified(),
        memory.duplicates(&site.mails),
    );
    assert!(
        memory.stories.len() > 50 && memory.verified() > 10,
        "no load"
    );
    assert!(memory.odd.is_empty(), "{:?}", memory.odd);
    assert!(served.is_empty(), "{served:?}");
    assert!(memory.refused() > 0);
    assert!(memory.slowest() < ANSWER_MAX, "{:?}", memory.slowest());
    assert!(healed < HEALED_MAX, "{healed:?}");
    assert_eq!(missing, Lost::default());
}
