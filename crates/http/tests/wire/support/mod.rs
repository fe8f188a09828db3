//! A server on a port of its own, with everything behind it in memory, and a client that can
//! send what no client should.

mod client;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use otpost_domain::{
    ApiKey, Language, Limit, Mode, Permissions, ProjectName, SessionId, TemplateName, Timestamp,
};
use otpost_http::{Dev, ProxyRange, Server, serve};
use otpost_service::{
    Catalogue, InboxReader, Keys, Limits, Mailer, MailerSettings, NewKey, Otp, Policies, Policy,
    Ports,
};
use otpost_testkit::{
    FakeVault, ManualClock, MemoryInbox, MemoryStore, Row, SeededEntropy, sample,
};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use client::{Answer, Request};

pub(crate) const SEND: &str = "/api/v1/otp/send";
pub(crate) const VERIFY: &str = "/api/v1/otp/verify";
pub(crate) const RESEND: &str = "/api/v1/otp/resend";

/// How a server is started.
pub(crate) struct Options {
    pub(crate) policy: Policy,
    pub(crate) accepts_test_keys: bool,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) peer_limit: Limit,
    pub(crate) trusted_proxies: Vec<ProxyRange>,
    pub(crate) is_dev: bool,
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
    stop: CancellationToken,
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
        };
        let runtime = Runtime::new().unwrap();
        let [live, test, other] = runtime.block_on(async {
            for project in ["acme", "other"] {
                keys.create_project(name(project)).await.unwrap();
            }
            [
                new_key(&keys, "acme", Mode::Live, true, None).await,
                new_key(&keys, "acme", Mode::Test, true, None).await,
                new_key(&keys, "other", Mode::Live, true, None).await,
            ]
        });
        let stop = CancellationToken::new();
        let mail_queued = Arc::new(Notify::new());
        let inbox = Arc::new(MemoryInbox::new());
        if options.is_dev {
            let mailer = Mailer {
                outbox: store.clone(),
                vault: vault.clone(),
                entropy: entropy.clone(),
                clock: clock.clone(),
                live: inbox.clone(),
                test: inbox.clone(),
                mail_queued: mail_queued.clone(),
                settings: MailerSettings::default(),
            };
            let stop = stop.clone();
            runtime.spawn(async move { mailer.run(stop).await });
        }
        let ports = Ports {
            sessions: store.clone(),
            keys: store.clone(),
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
            catalogue(),
            options.accepts_test_keys,
            mail_queued,
        );
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            otp: Arc::new(otp),
            workers: 1,
            cors_origins: options.cors_origins,
            peer_limit: options.peer_limit,
            trusted_proxies: options.trusted_proxies,
            dev: options.is_dev.then(|| Dev {
                inbox: InboxReader::new(inbox),
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

    /// Makes another live key of project `acme`.
    pub(crate) fn key(&self, has_permission: bool, expires_at: Option<Timestamp>) -> ApiKey {
        let key = new_key(&self.keys, "acme", Mode::Live, has_permission, expires_at);
        self.runtime.block_on(key)
    }

    pub(crate) fn revoke(&self, key: &ApiKey) {
        let revoked = self.runtime.block_on(self.keys.revoke(&key.id()));
        assert!(revoked.unwrap());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the server and waits for it.
    pub(crate) fn stop(&mut self) -> std::io::Result<()> {
        self.stop.cancel();
        self.server
            .take()
            .map_or(Ok(()), |server| server.join().unwrap())
    }

    /// Asks, and reads the whole answer.
    pub(crate) fn ask(&self, request: &Request) -> Answer {
        client::ask(self.address, request)
    }

    /// Asks for what must be refused: afterwards everything is as it was, to the last attempt,
    /// mail and charge.
    pub(crate) fn ask_in_vain(&self, request: &Request) -> Answer {
        let state = || {
            let counters = self.store.edit(|tables| tables.counters.clone());
            (self.store.sessions(), counters)
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
        self.stop.cancel();
    }
}

pub(crate) fn catalogue() -> Catalogue {
    let templates = ["login", "signup", "reset"];
    Catalogue {
        templates: templates
            .map(|name| TemplateName::parse(name).unwrap())
            .to_vec(),
        languages: ["en", "de"].map(Language::new).to_vec(),
    }
}

fn name(text: &str) -> ProjectName {
    sample::project(text)
}

async fn new_key(
    keys: &Keys,
    project: &str,
    mode: Mode,
    has_permission: bool,
    expires_at: Option<Timestamp>,
) -> ApiKey {
    let new = NewKey {
        project: name(project),
        mode,
        permissions: Permissions {
            otp: has_permission,
        },
        expires_at,
    };
    keys.create_key(new).await.unwrap()
}
