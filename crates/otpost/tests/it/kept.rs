//! A guess that was answered is kept, whoever is killed: the program on either engine, or the server
//! below it.

use std::time::Instant;

use otpost_cluster::Stop;

use crate::support::nodes::{DATABASE, server};
use crate::support::{Api, Otpost, Place, on_both, wrong};

on_both! {
    an_answered_wrong_guess_is_kept_through_every_crash
}

/// How many kills are wanted, where there are to be more than [`KILLS`].
const WANTED: &str = "OTPOST_GUESS_KILLS";
const KILLS: u64 = 20;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants a longer run says so"
)]
fn kills() -> u64 {
    std::env::var(WANTED).map_or(KILLS, |value| value.parse().unwrap())
}

/// A session with one wrong guess that was answered.
async fn guess(api: &Api, number: u64) -> String {
    // Always another address: wrong codes of one would narrow its later sessions.
    api.miss(&format!("ada{number}@example.com")).await
}

/// That the guess counts: with four more the session is closed.
async fn is_kept(api: &Api, session: &str, what: &str) {
    assert_eq!(api.attempts(session).await, 1, "{what}");
    let code = api.code(session).await;
    let refused = api.verify(session, &wrong(&code)).await;
    let remaining = &refused.json()["error"]["details"]["attempts_remaining"];
    assert_eq!(*remaining, 3, "{what}");
}

async fn an_answered_wrong_guess_is_kept_through_every_crash(place: Place) {
    let (start, kills) = (Instant::now(), kills());
    let (mut otpost, mut api) = place.dev();
    for kill in 1..=kills {
        let session = guess(&api, kill).await;
        otpost.kill();
        (otpost, api) = place.dev();
        is_kept(&api, &session, &format!("kill {kill}")).await;
    }
    println!(
        "{}: kill -9 of the node after a wrong guess was answered: the attempt is kept {kills} \
         times of {kills}, in {} s",
        place.engine(),
        start.elapsed().as_secs()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answered_wrong_guess_is_kept_when_the_server_is_killed() {
    const KILLS: u64 = 5;
    let Some(mut server) = server(|builder| builder) else {
        return;
    };
    let place = Place::new();
    let _otpost = place.dev_at(&server.url(DATABASE));
    let api = Otpost::dev_api(place.path());
    for kill in 1..=KILLS {
        let session = guess(&api, kill).await;
        server.stop(Stop::Kill).unwrap();
        let body = serde_json::json!({ "session_id": session, "code": "000000" });
        assert_eq!(api.post("verify", &body).await.status, 503, "kill {kill}");
        server.resume().unwrap();
        is_kept(&api, &session, &format!("kill {kill}")).await;
    }
    println!(
        "PostgreSQL, fsync on: kill -9 of the server after a wrong guess was answered: the attempt \
         is kept {KILLS} times of {KILLS}, and the node goes on by itself"
    );
}
