//! The line of commands that wait for a commit, and the one lane that serves it: whatever waits when
//! the lane is free shares a commit, and nothing waits for more.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use otpost_ports::StoreError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::batch::{Answer, Batches, Failure, Job, Reply, Turn};
use crate::engine::Patience;
use crate::error::{TooSlow, is_in_use, is_undone, unavailable};
use crate::storage::DEADLINE;

/// So many commands wait; whoever comes beyond is told "not available" at once.
const LINE_MAX: usize = 1_024;

/// So many share a commit. More would save little of what a commit costs, and each would wait for
/// all of them.
const TOGETHER_MAX: usize = 256;

/// Whoever waited for longer when its turn comes is told "not available" instead: under overload
/// those who are served are served within a second, rather than all of them late.
const WAIT_MAX: Duration = Duration::from_millis(700);

/// So often a batch is carried out that met others each time; then each command is, alone.
const TRIES: u32 = 4;

/// The line. A clone is another end of it; the lane ends with the last one.
#[derive(Clone)]
pub(crate) struct Line {
    end: mpsc::Sender<Waiting>,
}

struct Waiting {
    job: Job,
    /// Since when a caller waits for it; `None` for work in the background, which has the time.
    since: Option<Instant>,
}

/// More wait already than can be served in time.
#[derive(Debug, thiserror::Error)]
#[error("too many wait in line here")]
struct Overloaded;

/// Nobody answered: the lane has ended, or gave these commands up.
#[derive(Debug, thiserror::Error)]
#[error("nobody carries it out")]
struct Closed;

/// An error that many were told of at once.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shared(Arc<StoreError>);

impl Line {
    /// Starts the lane on this runtime.
    pub(crate) fn start(batches: Batches) -> Self {
        let (end, line) = mpsc::channel(LINE_MAX);
        tokio::spawn(serve(batches, line));
        Self { end }
    }

    /// Has a command of a caller carried out, or says that too many wait. Whoever drops this before
    /// its turn has changed nothing.
    pub(crate) async fn carry_out<T>(
        &self,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = Reply::new();
        let since = Instant::now();
        let waiting = Waiting {
            job: job(reply),
            since: Some(since),
        };
        self.end.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => unavailable(Overloaded),
            TrySendError::Closed(_) => unavailable(Closed),
        })?;
        answered(answer, since + DEADLINE).await
    }

    /// As [`Line::carry_out`], for work in the background, which waits for so long until there is
    /// room, and for its answer.
    pub(crate) async fn carry_out_patiently<T>(
        &self,
        patience: Duration,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = Reply::new();
        let until = Instant::now() + patience;
        let room = timeout_at(until, self.end.reserve()).await;
        let room = room.map_err(|_| unavailable(TooSlow))?;
        room.map_err(|_| unavailable(Closed))?.send(Waiting {
            job: job(reply),
            since: None,
        });
        answered(answer, until).await
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(..)")
    }
}

async fn answered<T>(answer: Answer<T>, until: Instant) -> Result<T, StoreError> {
    match timeout_at(until, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_nobody)) => Err(unavailable(Closed)),
        Err(_elapsed) => Err(unavailable(TooSlow)),
    }
}

/// Serves the line until nobody can stand in it any more. The next batch is taken when the last one
/// gives its turn back.
async fn serve(batches: Batches, mut line: mpsc::Receiver<Waiting>) {
    let batches = Arc::new(batches);
    let turns = Arc::new(Semaphore::new(1));
    let mut waiting = Vec::with_capacity(TOGETHER_MAX);
    let mut under_way = JoinSet::new();
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await
        && line.recv_many(&mut waiting, TOGETHER_MAX).await > 0
    {
        let mut jobs = Vec::with_capacity(waiting.len());
        let mut oldest = Instant::now();
        for Waiting { job, since } in waiting.drain(..) {
            if since.is_some_and(|since| since.elapsed() > WAIT_MAX) {
                job.fail(unavailable(Overloaded));
                continue;
            }
            oldest = since.map_or(oldest, |since| since.min(oldest));
            jobs.push(job);
        }
        // A task of its own: a panic costs those who are in it, and not the lane.
        let until = oldest + DEADLINE;
        under_way.spawn(carry_out(
            Arc::clone(&batches),
            jobs,
            until,
            Some(turn),
            Patience::OfMany,
        ));
        while let Some(ended) = under_way.try_join_next() {
            tell_of_panic(ended);
        }
    }
    while let Some(ended) = under_way.join_next().await {
        tell_of_panic(ended);
    }
}

fn tell_of_panic(batch: Result<(), JoinError>) {
    if let Err(error) = batch {
        tracing::error!(%error, "commands were given up");
    }
}

/// Carries these jobs out by `until`: in one commit, again where it was undone for a reason that
/// passes, and each alone, besides the lane, where one of them may be to blame. After a commit of
/// unknown outcome nothing is tried again.
fn carry_out(
    batches: Arc<Batches>,
    mut jobs: Vec<Job>,
    until: Instant,
    mut turn: Option<Turn>,
    mut patience: Patience,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut tries = 0;
        loop {
            jobs.retain(|job| !job.is_given_up());
            if jobs.is_empty() {
                return;
            }
            let is_alone = jobs.len() == 1;
            let ended;
            (jobs, ended) = batches.commit(jobs, until, &mut turn, patience).await;
            tries += 1;
            match ended {
                Ok(()) => return jobs.into_iter().for_each(Job::answer),
                Err(Failure::Undone(error)) if is_undone(&error) && (is_alone || tries < TRIES) => {
                    tracing::debug!(%error, "again");
                }
                Err(Failure::Undone(error))
                    if is_alone && patience == Patience::OfMany && is_in_use(&error) =>
                {
                    // It waits on besides the lane, which goes on with others.
                    turn = None;
                    patience = Patience::OfOne;
                }
                Err(Failure::Undone(error)) if !is_alone => {
                    tracing::debug!(%error, "each alone");
                    for job in jobs {
                        let alone = vec![job];
                        tokio::spawn(carry_out(
                            Arc::clone(&batches),
                            alone,
                            until,
                            None,
                            Patience::OfOne,
                        ));
                    }
                    return;
                }
                Err(Failure::Undone(error) | Failure::Broken(error)) => return fail(jobs, error),
            }
        }
    })
}

fn fail(mut jobs: Vec<Job>, error: StoreError) {
    if jobs.len() == 1 {
        if let Some(job) = jobs.pop() {
            job.fail(error);
        }
        return;
    }
    let error = Arc::new(error);
    for job in jobs {
        job.fail(unavailable(Shared(Arc::clone(&error))));
    }
}
