//! Callers who send, guess and verify without a pause, and remember every answer; and what of it
//! is true afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::http::ask;
use super::nodes::Mails;
use super::{Answer, Api, wrong};

/// How long a caller waits for a mail before it goes on without.
const MAIL: Duration = Duration::from_millis(700);
/// How long a caller waits for an answer, which is a failure.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two requests of a caller.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a mail may take that was with a node that was killed, or whose lease nobody knows of:
/// some leases of 60 s.
const LEASES: Duration = Duration::from_secs(200);

/// What was said of a session that was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) email: String,
    pub(crate) session: String,
    /// Guesses that were judged, the right one included.
    pub(crate) judged: u64,
    /// Guesses of which nobody knows.
    pub(crate) unsure: u64,
    pub(crate) is_verified: bool,
    /// The right code was submitted, and nobody knows what became of it.
    pub(crate) is_unsure_verified: bool,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
    /// `None` where the node was gone or went.
    pub(crate) status: Option<u16>,
}

/// What callers remember.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) stories: Vec<Story>,
    pub(crate) asked: Vec<Asked>,
    /// Answers that are none of 200, the 400 of a wrong code, and 503 with `Retry-After`.
    pub(crate) odd: Vec<String>,
}

/// Callers of whichever nodes are named at the moment.
pub(crate) struct Callers {
    tasks: JoinSet<Memory>,
    apis: watch::Sender<Vec<Api>>,
    ends: watch::Sender<bool>,
}

impl Callers {
    /// So many at a time.
    pub(crate) fn start(count: usize, apis: Vec<Api>, mails: &Arc<Mails>) -> Self {
        static ADDRESSES: AtomicUsize = AtomicUsize::new(0);
        let (apis, ends) = (watch::Sender::new(apis), watch::Sender::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let caller = Caller {
                turn: number,
                apis: apis.subscribe(),
                ends: ends.subscribe(),
                mails: mails.clone(),
                memory: Memory::default(),
            };
            tasks.spawn(caller.run(&ADDRESSES));
        }
        Self { tasks, apis, ends }
    }

    /// From now on only these nodes are asked.
    pub(crate) fn turn_to(&self, apis: Vec<Api>) {
        self.apis.send_replace(apis);
    }

    /// Lets every caller finish its request.
    pub(crate) async fn stop(self) -> Memory {
        self.ends.send_replace(true);
        let mut all = Memory::default();
        for memory in self.tasks.join_all().await {
            all.stories.extend(memory.stories);
            all.asked.extend(memory.asked);
            all.odd.extend(memory.odd);
        }
        all.asked.sort_by_key(|asked| asked.begin);
        all
    }
}

struct Caller {
    /// Which node is asked next.
    turn: usize,
    apis: watch::Receiver<Vec<Api>>,
    ends: watch::Receiver<bool>,
    mails: Arc<Mails>,
    memory: Memory,
}

impl Caller {
    async fn run(mut self, addresses: &'static AtomicUsize) -> Memory {
        while !self.is_over() {
            let number = addresses.fetch_add(1, Ordering::Relaxed);
            let email = format!("reader{number}@customer{}.example", number % 50);
            self.tell_a_story(number, email).await;
        }
        self.memory
    }

    fn is_over(&self) -> bool {
        *self.ends.borrow()
    }

    /// Opens a session, guesses wrong once or twice, and verifies every other one.
    async fn tell_a_story(&mut self, number: usize, email: String) {
        let Some(answer) = self.ask("send", json!({ "email": email })).await else {
            return;
        };
        if answer.status != 200 {
            self.note_odd(&answer, &[]);
            return;
        }
        let mut story = Story {
            session: answer.text("/data/session_id"),
            email,
            ..Story::default()
        };
        if let Some(code) = self.code(&story.email).await {
            let wrong = wrong(&code);
            for _ in 0..=number % 2 {
                self.guess(&mut story, &wrong, false).await;
            }
            if number.is_multiple_of(2) {
                self.guess(&mut story, &code, true).await;
            }
        }
        self.memory.stories.push(story);
    }

    async fn guess(&mut self, story: &mut Story, code: &str, is_right: bool) {
        if self.is_over() {
            return;
        }
        let body = json!({ "session_id": story.session, "code": code });
        let answer = self.ask("verify", body).await;
        let expected = if is_right { 200 } else { 400 };
        match answer {
            Some(answer) if answer.status == expected => {
                story.judged += 1;
                story.is_verified |= is_right;
            }
            other => {
                story.unsure += 1;
                story.is_unsure_verified |= is_right;
                if let Some(answer) = other {
                    self.note_odd(&answer, &[code]);
                }
            }
        }
    }

    fn note_odd(&mut self, answer: &Answer, about: &[&str]) {
        if answer.status != 503 || answer.header("retry-after").is_none() {
            self.memory.odd.push(format!("{about:?}: {answer:?}"));
        }
    }

    async fn code(&self, email: &str) -> Option<String> {
        let begin = Instant::now();
        while begin.elapsed() < MAIL && !self.is_over() {
            if let Some((_, code)) = self.mails.to(email).pop() {
                return Some(code);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Where nobody is named, the first who is.
    async fn turn_to_a_node(&mut self) -> Option<Api> {
        self.turn += 1;
        let apis = self.apis.wait_for(|apis| !apis.is_empty()).await.ok()?;
        Some(apis[self.turn % apis.len()].clone())
    }

    async fn ask(&mut self, endpoint: &str, body: Value) -> Option<Answer> {
        tokio::time::sleep(PAUSE).await;
        let api = self.turn_to_a_node().await?;
        let (path, body) = (format!("/api/v1/otp/{endpoint}"), body.to_string());
        let begin = Instant::now();
        let headers = api.headers();
        let asked = ask(api.address, "POST", &path, &headers, &body);
        let answer = tokio::time::timeout(ANSWER, asked).await;
        let answer = answer.unwrap_or_else(|_| {
            self.memory.odd.push(format!("{endpoint}: no answer"));
            None
        });
        self.memory.asked.push(Asked {
            begin,
            end: Instant::now(),
            status: answer.as_ref().map(|answer| answer.status),
        });
        answer
    }
}

/// What is not as it was answered; and how much was looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) sessions: usize,
    pub(crate) attempts: u64,
    pub(crate) verifications: usize,
    pub(crate) mails: usize,
    /// Guesses that were counted and not submitted, and verifications without a right code.
    pub(crate) invented: usize,
}

impl Memory {
    /// Compares every story with its session, and waits for every mail that was promised.
    pub(crate) async fn reconcile(&self, api: &Api, mails: &Mails) -> Lost {
        let mut lost = Lost::default();
        for story in &self.stories {
            let status = self.status(api, &story.session).await;
            if status.status == 404 {
                lost.sessions += 1;
                continue;
            }
            let data = &status.json()["data"];
            let attempts = data["attempts"].as_u64().unwrap();
            lost.attempts += story.judged.saturating_sub(attempts);
            lost.invented += usize::from(attempts > story.judged + story.unsure);
            let is_verified = data["status"] == "verified";
            lost.verifications += usize::from(story.is_verified && !is_verified);
            let may_be = story.is_verified || story.is_unsure_verified;
            lost.invented += usize::from(is_verified && !may_be);
        }
        let by = Instant::now() + LEASES;
        loop {
            let missing = self
                .stories
                .iter()
                .filter(|one| mails.to(&one.email).is_empty());
            lost.mails = missing.count();
            if lost.mails == 0 || Instant::now() > by {
                return lost;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn status(&self, api: &Api, session: &str) -> Answer {
        let path = format!("/api/v1/otp/status/{session}");
        let answer = ask(api.address, "GET", &path, &api.headers(), "").await;
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 404), "{answer:?}");
        answer
    }

    /// How many copies beyond the first came, each with the code and `Message-ID` of the first.
    pub(crate) fn duplicates(&self, mails: &Mails) -> usize {
        let mut duplicates = 0;
        for story in &self.stories {
            let copies = mails.to(&story.email);
            assert!(copies.iter().all(|copy| *copy == copies[0]), "{copies:?}");
            duplicates += copies.len().saturating_sub(1);
        }
        duplicates
    }

    pub(crate) fn verified(&self) -> usize {
        self.stories.iter().filter(|one| one.is_verified).count()
    }

    pub(crate) fn judged(&self) -> u64 {
        self.stories.iter().map(|one| one.judged).sum()
    }

    /// How many were refused with 503.
    pub(crate) fn refused(&self) -> usize {
        let refused = self.asked.iter().filter(|asked| asked.status == Some(503));
        refused.count()
    }

    /// How long the slowest answer took.
    pub(crate) fn slowest(&self) -> Duration {
        let times = self.asked.iter().map(|asked| asked.end - asked.begin);
        times.max().unwrap_or_default()
    }

    /// Answers other than 503 to what was asked and answered between these instants.
    pub(crate) fn served_within(&self, begin: Instant, end: Instant) -> Vec<&Asked> {
        let within = self.asked.iter();
        within
            .filter(|asked| begin <= asked.begin && asked.end <= end && asked.status != Some(503))
            .collect()
    }

    /// After which time from `since` on nothing was refused any more.
    pub(crate) fn healed_after(&self, since: Instant) -> Duration {
        let refused = self
            .asked
            .iter()
            .filter(|asked| asked.status != Some(200) && asked.status != Some(400));
        let last = refused.map(|asked| asked.end).max();
        let served = self
            .asked
            .iter()
            .any(|asked| asked.status == Some(200) && last.is_none_or(|last| asked.begin > last));
        assert!(served, "nothing was served after the last refusal");
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(since))
    }
}
