//! How many commands a second the storage alone carries out, and what each costs: for a profiler.
//!
//! `cargo run --release -p otpost-storage --example commands -- sqlite:///tmp/commands.db?mode=rwc 50000`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool that stops at the first fault, and speaks"
)]

use std::sync::Arc;
use std::time::Instant;

use otpost_domain::{SessionId, Timestamp};
use otpost_ports::{
    Admitted, Applied, Command, Context, Opening, Outcome, RecipientDigest, SessionStore,
};
use otpost_storage::{Settings, Storage};
use otpost_testkit::{FakeVault, sample};
use tokio::task::JoinSet;

/// So many callers wait for an answer at any time, unless a third argument says otherwise.
const CALLERS: u32 = 256;

/// Session `number`, of a recipient of its own, counted against every limit.
fn opening(vault: &FakeVault, number: u32) -> Opening {
    let at = Timestamp::from_millis(sample::NOON.as_millis() + i64::from(number));
    let opening = sample::opening_at(vault, 1, sample::terms(), at);
    let mut recipient = [0; 32];
    recipient[..4].copy_from_slice(&number.to_be_bytes());
    let mut message = opening.delivery.message;
    message.0[..4].copy_from_slice(&number.to_be_bytes());
    Opening {
        context: Context {
            recipient: RecipientDigest(recipient),
            ..opening.context
        },
        delivery: otpost_ports::Delivery {
            message,
            ..opening.delivery
        },
        quotas: Some(sample::mail_quotas(&[
            ("project_sends_per_minute", 1_000_000),
            ("installation_mails_per_minute", 1_000_000),
            ("client_ip_per_day", 1_000_000),
        ])),
        ..opening
    }
}

/// Has `work` done for each number below `count`, so many `at_once`, and says how fast.
async fn timed<F>(name: &str, count: u32, at_once: u32, work: impl Fn(u32) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..count {
        if number >= at_once {
            callers.join_next().await.unwrap().unwrap();
        }
        callers.spawn(work(number));
    }
    callers.join_all().await;
    let passed = start.elapsed();
    println!(
        "{name}: {:.0} a second, {:.1} µs each",
        f64::from(count) / passed.as_secs_f64(),
        passed.as_secs_f64() * 1e6 / f64::from(count)
    );
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap();
    let count: u32 = arguments.next().unwrap().parse().unwrap();
    let at_once = arguments
        .next()
        .map_or(CALLERS, |number| number.parse().unwrap());
    let vault = Arc::new(FakeVault::new());
    let storage = Storage::connect(&Settings::at(url), vault.clone())
        .await
        .unwrap();
    storage.migrate().await.unwrap();
    let openings: Vec<Opening> = (0..count).map(|number| opening(&vault, number)).collect();
    let guesses: Arc<Vec<(SessionId, Command)>> = Arc::new(
        openings
            .iter()
            .map(|opening| {
                let code = sample::code(&*vault, opening, 0);
                let command = Command {
                    quotas: Some(sample::verify_quotas(&[
                        ("project_verifies_per_minute", 1_000_000),
                        ("project_failures_per_day", 1_000_000),
                    ])),
                    ..sample::submit(&code, opening.at)
                };
                (*opening.session.id(), command)
            })
            .collect(),
    );
    let openings = Arc::new(openings);

    timed("open", count, at_once, |number| {
        let (storage, openings) = (storage.clone(), Arc::clone(&openings));
        async move {
            let opening = openings[usize::try_from(number).unwrap()].clone();
            assert!(matches!(storage.open(opening).await, Ok(Admitted::Open(_))));
        }
    })
    .await;
    timed("verify", count, at_once, |number| {
        let (storage, guesses) = (storage.clone(), Arc::clone(&guesses));
        async move {
            let (id, command) = guesses[usize::try_from(number).unwrap()].clone();
            let Ok(Applied::Judged(judged)) = storage.apply(&id, command).await else {
                panic!("not judged");
            };
            assert!(matches!(
                judged.outcome,
                Outcome::Submitted(otpost_domain::Verdict::Verified)
            ));
        }
    })
    .await;
    storage.close().await;
}
