//! The server and nodes, stopped and killed again and again under load: nothing that was answered is
//! lost.

use std::time::Duration;

use otpost_cluster::Stop;
use tokio::task::block_in_place;

use crate::support::callers::{Callers, Lost, Memory};
use crate::support::nodes::{DATABASE, Mails, Site, server, sql};

/// How many restarts of the server are wanted, where it is to be more.
const RESTARTS: (&str, usize) = ("OTPOST_SERVER_RESTARTS", 6);
/// How many kills of nodes.
const KILLS: (&str, usize) = ("OTPOST_NODE_KILLS", 12);
const CALLERS: usize = 4;
/// Every answer comes within this time.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Mails on their way at a time, of one node.
const IN_FLIGHT_MAX: usize = 64;
const ENDED_MAX: Duration = Duration::from_secs(10);

#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants a longer run says so"
)]
fn wanted((variable, usual): (&str, usize)) -> usize {
    let value = std::env::var(variable).ok();
    value.map_or(usual, |value| value.parse().unwrap())
}

/// Never twice after the same time, so that every step is hit.
async fn pause(turn: usize) {
    let millis = 200 + u64::try_from(turn * 137 % 700).unwrap();
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn show(what: &str, memory: &Memory, missing: &Lost, mails: &Mails) {
    println!(
        "{what}: {} requests, {} of them refused with 503, the slowest answer after {} ms; of {} \
         sessions, {} attempts, {} verifications and their mails lost: {missing:?}; {} mails came \
         twice, with the same code and Message-ID",
        memory.asked.len(),
        memory.refused(),
        memory.slowest().as_millis(),
        memory.stories.len(),
        memory.judged(),
        memory.verified(),
        memory.duplicates(mails),
    );
    assert!(memory.verified() > 10, "no load");
    assert!(memory.odd.is_empty(), "{:?}", memory.odd);
    assert!(memory.slowest() < ANSWER_MAX, "{:?}", memory.slowest());
    assert_eq!(*missing, Lost::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_answered_is_lost_by_restarts_of_the_server() {
    let Some(mut server) = server(|builder| builder) else {
        return;
    };
    let restarts = wanted(RESTARTS);
    let site = Site::at(&server.url(DATABASE)).await;
    let node = site.node();
    let api = node.api(&site.key);
    let callers = Callers::start(CALLERS, vec![api.clone()], &site.mails);
    for restart in 0..restarts {
        pause(restart).await;
        let how = [Stop::Fast, Stop::Immediate, Stop::Kill][restart % 3];
        block_in_place(|| {
            server.stop(how).unwrap();
            server.resume().unwrap();
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = callers.stop().await;

    let missing = memory.reconcile(&api, &site.mails).await;
    let what = format!("{restarts} restarts of the server");
    show(&what, &memory, &missing, &site.mails);
    assert!(memory.duplicates(&site.mails) <= restarts * IN_FLIGHT_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_answered_is_lost_by_kills_of_two_nodes_in_turn() {
    let Some(server) = server(|builder| builder) else {
        return;
    };
    let kills = wanted(KILLS);
    let site = Site::at(&server.url(DATABASE)).await;
    let mut nodes = vec![site.node(), site.node()];
    let apis = |nodes: &[crate::support::Otpost]| -> Vec<_> {
        nodes.iter().map(|node| node.api(&site.key)).collect()
    };
    let callers = Callers::start(CALLERS, apis(&nodes), &site.mails);
    for kill in 0..kills {
        pause(kill).await;
        nodes.remove(0).kill();
        callers.turn_to(apis(&nodes));
        nodes.push(site.node());
        callers.turn_to(apis(&nodes));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = callers.stop().await;

    let missing = memory.reconcile(&apis(&nodes)[0], &site.mails).await;
    let what = format!("{kills} kills of two nodes in turn");
    show(&what, &memory, &missing, &site.mails);
    assert!(memory.duplicates(&site.mails) <= kills * IN_FLIGHT_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_asked_to_end_under_load_loses_nothing_and_keeps_no_lease() {
    let Some(server) = server(|builder| builder) else {
        return;
    };
    let site = Site::at(&server.url(DATABASE)).await;
    let first = site.node();
    let callers = Callers::start(CALLERS, vec![first.api(&site.key)], &site.mails);
    tokio::time::sleep(Duration::from_secs(3)).await;
    // From now on mails are under way for longer than a stop may take.
    site.mails.relay().hold();
    tokio::time::sleep(Duration::from_millis(500)).await;

    let (status, elapsed) = first.terminate().await;

    let memory = callers.stop().await;
    let leased = sql(
        &server,
        "SELECT count(*) FROM deliveries WHERE lease_token IS NOT NULL",
    );
    let queued = sql(&server, "SELECT count(*) FROM deliveries WHERE state = 0");
    site.mails.relay().release();
    let second = site.node();
    let missing = memory.reconcile(&second.api(&site.key), &site.mails).await;
    let what = format!(
        "asked to end under load: it did after {} ms, with {queued} mails that wait and {leased} \
         leases",
        elapsed.as_millis()
    );
    show(&what, &memory, &missing, &site.mails);
    assert!(status.success(), "{status}");
    assert!(elapsed < ENDED_MAX, "{elapsed:?}");
    assert_eq!(leased, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_asked_to_end_does_so_in_time_although_the_server_is_gone() {
    let Some(mut server) = server(|builder| builder) else {
        return;
    };
    for is_silent in [true, false] {
        let site = Site::at(&server.url(DATABASE)).await;
        let node = site.node();
        let callers = Callers::start(CALLERS, vec![node.api(&site.key)], &site.mails);
        tokio::time::sleep(Duration::from_secs(1)).await;
        block_in_place(|| {
            if is_silent {
                server.freeze().unwrap();
            } else {
                server.stop(Stop::Kill).unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;

        let (status, elapsed) = node.terminate().await;

        block_in_place(|| server.thaw().unwrap());
        let memory = callers.stop().await;
        println!(
            "asked to end while the server is {}: it did after {} ms",
            if is_silent { "silent" } else { "gone" },
            elapsed.as_millis()
        );
        assert!(status.success(), "{status}");
        assert!(elapsed < ENDED_MAX, "{elapsed:?}");
        assert!(memory.odd.is_empty(), "{:?}", memory.odd);
    }
}
