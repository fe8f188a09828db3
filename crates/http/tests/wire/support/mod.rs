//! A server on a port of its own, with everything behind it in memory, and a client that can
//! send what no client should.

mod client;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use otpost_domain::{
    AddressRange, ApiKey, Language, Limit, Mode, Permissions, ProjectName, SessionId, TemplateName,
};
use otpost_http::{Dev, Server, Stop, serve};
use otpost_service::{
    Actor, Catalogue, InboxReader, KeyUses, Keys, Limits, Mailer, MailerSettings, NewKey, Otp,
    Policies, Policy, Ports, Slots,
};
use otpost_testkit::{
    FakeVault, ManualClock, MemoryInbox, MemoryStore, Row, SeededEntropy, sample,
};
use tokio::runtime::Runtime;

pub(crate) use client::{Answer, Request};

pub(crate) const SEND: &str = "/api/v1/otp/send";
pub(crate) const VERIFY: &str = "/api/v1/otp/verify";
pub(crate) const RESEND: &str = "/api/v1/otp/resend";
pub(crate) const LOOKUP: &str = "/api/v1/otp/recipients/lookup";
pub(crate) const RELEASE: &str = "/api/v1/otp/recipients/release";
pub(crate) const ERASE: &str = "/api/v1/otp/recipients/erase";

pub(crate) const OTP: Permissions = Permissions {
    otp: true,
    admin: false,
};
pub(crate) const ADMIN: Permissions = Permissions {
    otp: false,
    admin: true,
};

/// How a server is started.
pub(crate) struct Options {
    pub(crate) policy: Policy,
    pub(crate) accepts_test_keys: bool,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) peer_limit: Limit,
    pub(crate) trusted_proxies: Vec<AddressRange>,
    pub(crate) is_dev: bool,
    pub(crate) workers: usize,
}

/// Without limits, so that a test of something else may ask as often as it likes.
impl Default for Options {
    fn default() -> Self {
        Self {
            policy: Policy {
                limits: Limits::off(),
                ..Policy::default()
            },
            accepts_test_keys: true,
            cors_origins: Vec::new(),
            peer_limit: Limit::new(0, 1),
            trusted_proxies: Vec::new(),
            is_dev: false,
            workers: 1,
        }
    }
}

/// A running server and all that stands behind it. It stops when this is dropped.
pub(crate) struct Wire {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) vault: Arc<FakeVault>,
    /// A live and a test key of project `acme`, and a live key of another project.
    pub(crate) live: ApiKey,
    pub(crate) test: ApiKey,
    pub(crate) other: ApiKey,
    keys: Keys,
    runtime: Runtime,
    address: SocketAddr,
    stop: Stop,
    server: Option<JoinHandle<std::io::Result<()>>>,
}

impl Wire {
    pub(crate) fn start() -> Self {
        Self::start_with(Options::default())
    }

    pub(crate) fn start_with_policy(policy: Policy) -> Self {
        Self::start_with(Options {
            policy,
            ..Options::default()
        })
    }

    /// With no limits but those that `change` sets.
    pub(crate) fn start_with_limits(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::off();
        change(&mut limits);
        Self::start_with_policy(Policy {
            limits,
            ..Policy::default()
        })
    }

    pub(crate) fn start_with(options: Options) -> Self {
        let clock = Arc::new(ManualClock::default());
        let entropy = Arc::new(SeededEntropy::default());
        let vault = Arc::new(FakeVault::new());
        let store = Arc::new(MemoryStore::new(vault.clone()));
        let keys = Keys {
            store: store.clone(),
            vault: vault.clone(),
            entropy: entropy.clone(),
            clock: clock.clone(),
            actor: Actor::Operator("tester".to_owned()),
        };
        let runtime = Runtime::new().unwrap();
        let [live, test, other] = runtime.block_on(async {
            for project in ["acme", "other"] {
                keys.create_project(name(project)).await.unwrap();
            }
            [
                keys.create_key(new_key("acme", Mode::Live)).await.unwrap(),
                keys.create_key(new_key("acme", Mode::Test)).await.unwrap(),
                keys.create_key(new_key("other", Mode::Live)).await.unwrap(),
            ]
        });
        let stop = Stop::new();
        let settings = MailerSettings::default();
        let slots = Arc::new(if options.is_dev {
            Slots::new(&settings)
        } else {
            Slots::none()
        });
        let inbox = Arc::new(MemoryInbox::new());
        if options.is_dev {
            let mailer = Mailer {
                outbox: store.clone(),
                vault: vault.clone(),
                entropy: entropy.clone(),
                clock: clock.clone(),
                live: inbox.clone(),
                test: inbox.clone(),
                slots: slots.clone(),
                settings,
            };
            let stop = stop.due().clone();
            runtime.spawn(async move { mailer.run(stop).await });
        }
        let ports = Ports {
            sessions: store.clone(),
            keys: store.clone(),
            recipients: store.clone(),
            readiness: store.clone(),
            vault: vault.clone(),
            entropy: entropy.clone(),
            clock: clock.clone(),
        };
        let policies = Policies {
            general: options.policy,
            ..Policies::default()
        };
        let otp = Otp::new(
            ports,
            policies,
            Arc::new(catalogue()),
            options.accepts_test_keys,
            slots,
            Arc::new(KeyUses::new(store.clone())),
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            otp: Arc::new(otp),
            workers: options.workers,
            cors_origins: options.cors_origins,
            peer_limit: options.peer_limit,
            trusted_proxies: options.trusted_proxies,
            finish_within: Duration::from_secs(8),
            dev: options.is_dev.then(|| Dev {
                inbox: InboxReader::new(inbox.clone()),
                preview: inbox,
                key: live.clone(),
                host: "127.0.0.1".to_owned(),
            }),
        };
        let serving = serve(vec![listener], server, stop.clone());
        let server = std::thread::spawn(move || Runtime::new().unwrap().block_on(serving));
        Self {
            clock,
            entropy,
            store,
            vault,
            live,
            test,
            other,
            keys,
            runtime,
            address,
            stop,
            server: Some(server),
        }
    }

    /// Makes another key: a live one of project `acme` with the permission `otp`, but for what
    /// `change` says.
    pub(crate) fn key(&self, change: impl FnOnce(&mut NewKey)) -> ApiKey {
        let mut new = new_key("acme", Mode::Live);
        change(&mut new);
        self.runtime.block_on(self.keys.create_key(new)).unwrap()
    }

    /// Makes a live key of project `acme` with the permission `admin` alone.
    pub(crate) fn admin(&self) -> ApiKey {
        self.key(|new| new.permissions = ADMIN)
    }

    pub(crate) fn revoke(&self, key: &ApiKey) {
        let revoked = self.runtime.block_on(self.keys.revoke(&key.id()));
        assert!(revoked.unwrap());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the server say that it will stop.
    pub(crate) fn announce_stop(&self) {
        self.stop.announce();
    }

    /// Stops the server and waits for it.
    pub(crate) fn stop(&mut self) -> std::io::Result<()> {
        self.stop.end();
        self.server
            .take()
            .map_or(Ok(()), |server| server.join().unwrap())
    }

    /// Asks, and reads the whole answer.
    pub(crate) fn ask(&self, request: &Request) -> Answer {
        client::ask(self.address, request)
    }

    /// Asks the same that often at once: no lookup of a key ends before every request is looked up
    /// or answered.
    pub(crate) fn ask_at_once(&self, request: &Request, times: usize) -> Vec<Answer> {
        let answered = AtomicUsize::new(0);
        let ask = || {
            let answer = self.ask(request);
            answered.fetch_add(1, Ordering::SeqCst);
            answer
        };
        let looked_up_before = self.store.lookups();
        thread::scope(|scope| {
            let held = self.store.hold_lookups();
            let asking: Vec<_> = (0..times).map(|_| scope.spawn(ask)).collect();
            let deadline = Instant::now() + Duration::from_secs(20);
            let under_way = || self.store.lookups() - looked_up_before;
            while answered.load(Ordering::SeqCst) + under_way() < times {
                assert!(Instant::now() < deadline, "the requests did not come in");
                thread::sleep(Duration::from_millis(1));
            }
            drop(held);
            let asked = asking.into_iter().map(|thread| thread.join().unwrap());
            asked.collect()
        })
    }

    /// Asks for what must be refused: afterwards everything is as it was, to the last attempt,
    /// mail, charge, kept answer and entry of the audit log.
    pub(crate) fn ask_in_vain(&self, request: &Request) -> Answer {
        let state = || {
            let kept = self.store.edit(|tables| {
                let answers: Vec<_> = tables.kept_answers.keys().copied().collect();
                (tables.counters.clone(), answers, tables.audit.clone())
            });
            (self.store.sessions(), kept)
        };
        let before = state();
        let answer = self.ask(request);
        assert_eq!(state(), before, "something happened");
        answer
    }

    /// A POST with the live key.
    pub(crate) fn post(&self, path: &str, body: &str) -> Request {
        Request::post(path, body).key(&self.live)
    }

    /// A status request with the live key.
    pub(crate) fn status(&self, session_id: &str) -> Answer {
        let path = format!("/api/v1/otp/status/{session_id}");
        self.ask(&Request::get(&path).key(&self.live))
    }

    /// Opens a session with the live key and returns its identifier.
    pub(crate) fn open(&self) -> String {
        self.open_with(r#"{"email":"user@example.com"}"#)
    }

    /// Opens a session with the live key and returns its identifier.
    pub(crate) fn open_with(&self, body: &str) -> String {
        let answer = self.ask(&self.post(SEND, body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.member("session_id")
    }

    /// A session with all that is kept beside it.
    pub(crate) fn row(&self, session_id: &str) -> Row {
        let id = SessionId::parse(session_id).unwrap();
        self.store.edit(|tables| tables.sessions[&id].clone())
    }

    /// The code in force of a session.
    pub(crate) fn code(&self, session_id: &str) -> String {
        let stored = self.row(session_id).stored;
        let generation = stored.session.pending().unwrap().generation();
        let code = stored.code(generation, &*self.vault).unwrap();
        code.reveal().to_owned()
    }

    /// Another code than the one in force, of the same length.
    pub(crate) fn wrong_code(&self, session_id: &str) -> String {
        let code = self.code(session_id);
        let last = if code.ends_with('0') { "1" } else { "0" };
        format!("{}{last}", &code[..code.len() - 1])
    }

    /// Submits `code` with the live key.
    pub(crate) fn verify(&self, session_id: &str, code: &str) -> Answer {
        self.ask(&self.verification(session_id, code))
    }

    /// A submission of `code` with the live key.
    pub(crate) fn verification(&self, session_id: &str, code: &str) -> Request {
        let body = format!(r#"{{"session_id":"{session_id}","code":"{code}"}}"#);
        self.post(VERIFY, &body)
    }

    /// Makes one wrong guess at the usual address, and sets to `failures` what is counted of it.
    pub(crate) fn fail(&self, failures: u32) {
        let session_id = self.open();
        let answer = self.verify(&session_id, &self.wrong_code(&session_id));
        assert_eq!(answer.status, 400);
        self.count(failures);
    }

    /// Sets to `failures` what is counted of the one address that has any.
    pub(crate) fn count(&self, failures: u32) {
        let changed = self.store.edit(|tables| {
            let counters = tables.counters.values_mut();
            let failed = counters.filter(|counters| counters.failures > 0);
            failed.map(|counters| counters.failures = failures).count()
        });
        assert_eq!(changed, 1);
    }

    /// A resend with the live key.
    pub(crate) fn resend(&self, session_id: &str) -> Request {
        self.post(RESEND, &format!(r#"{{"session_id":"{session_id}"}}"#))
    }

    /// The attempts of a session.
    pub(crate) fn attempts(&self, session_id: &str) -> u8 {
        self.row(session_id).stored.session.attempts()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Nobody waits for it: a test that wants to see it end stops it itself.
        self.stop.end();
    }
}

pub(crate) fn catalogue() -> Catalogue {
    let templates = ["login", "signup", "reset"];
    Catalogue {
        templates: templates
            .map(|name| TemplateName::parse(name).unwrap())
            .to_vec(),
        languages: ["en", "de"].map(Language::new).to_vec(),
        ..Catalogue::default()
    }
}

fn name(text: &str) -> ProjectName {
    sample::project(text)
}

fn new_key(project: &str, mode: Mode) -> NewKey {
    NewKey {
        project: name(project),
        mode,
        permissions: OTP,
        expires_at: None,
        allowed_from: Vec::new(),
    }
}
