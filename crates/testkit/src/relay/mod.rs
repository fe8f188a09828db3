//! An SMTP relay that keeps what it is given, and misbehaves on demand.
//!
//! It listens on a free port of 127.0.0.1 and ends with its test.
//!
//! ```
//! use otpost_testkit::relay::{Fault, Relay, Security, Verb};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let relay = Relay::start(Security::StartTls).await;
//! relay.inject(Fault::refuse(Verb::Rcpt, 550));
//! // … the client is refused …
//! relay.heal();
//! // … and now is not, so that `relay.wait_for(1).await` shows its message.
//! # });
//! ```

mod conversation;
mod fault;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub use fault::{Fault, Verb};

/// How long [`Relay::wait_for`] waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a relay is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In the clear.
    Plain,
    /// In the clear, until STARTTLS (RFC 3207); without it nothing is taken.
    StartTls,
    /// Over TLS from the first byte.
    Implicit,
}

/// What a relay is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How it is spoken to.
    pub security: Security,
    /// The user and password that it asks for, if any; offered over TLS only, unless the relay is
    /// [`Security::Plain`].
    pub credentials: Option<(String, String)>,
    /// The names that its certificate is for.
    pub names: Vec<String>,
    /// Whether it says that it takes commands before it has answered those before them (RFC 2920). It
    /// does in any case.
    pub is_pipelined: bool,
}

impl From<Security> for Settings {
    fn from(security: Security) -> Self {
        Self {
            security,
            credentials: None,
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            is_pipelined: false,
        }
    }
}

/// A message that a relay was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The path of `MAIL FROM`, without brackets.
    pub from: String,
    /// The paths of `RCPT TO`, without brackets.
    pub recipients: Vec<String>,
    /// The bytes between DATA and the final dot as they were on the wire.
    pub data: Vec<u8>,
    /// Whether they came over TLS.
    pub is_encrypted: bool,
    /// Who had logged in.
    pub user: Option<String>,
    /// Whether the client is told that it was taken; not, when the relay falls silent after the
    /// final dot.
    pub is_acknowledged: bool,
    /// When it was complete.
    pub received_at: Instant,
}

impl Received {
    /// The message without the dots that are only for the wire (RFC 5321, 4.5.2).
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let lines = self.data.split_inclusive(|byte| *byte == b'\n');
        let unstuffed = lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line));
        unstuffed.copied().collect()
    }
}

/// A relay that runs until it is stopped or dropped.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    ca_pem: String,
    listener: Option<JoinHandle<()>>,
}

/// What the relay and its connections share.
struct Shared {
    settings: Settings,
    acceptor: TlsAcceptor,
    log: watch::Sender<Log>,
    /// The fault, and for how many connections yet.
    fault: Mutex<Option<(Fault, usize)>>,
    /// Whether new connections have to wait before anything is said to them.
    is_held: watch::Sender<bool>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    commands: Vec<Vec<u8>>,
    messages: Vec<Received>,
}

impl Relay {
    /// Starts a relay.
    pub async fn start(settings: impl Into<Settings>) -> Self {
        let settings = settings.into();
        let (acceptor, ca_pem) = tls::acceptor(&settings.names);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut relay = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                settings,
                acceptor,
                log: watch::Sender::new(Log::default()),
                fault: Mutex::new(None),
                is_held: watch::Sender::new(false),
            }),
            ca_pem,
            listener: None,
        };
        relay.listen(listener);
        relay
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of it in a configuration, with its credentials, which must need no encoding.
    #[must_use]
    pub fn url(&self) -> String {
        let settings = &self.shared.settings;
        let scheme = match settings.security {
            Security::Plain => "smtp",
            Security::StartTls => "smtp+starttls",
            Security::Implicit => "smtps",
        };
        let login = settings.credentials.as_ref();
        let login = login.map(|(user, password)| format!("{user}:{password}@"));
        format!("{scheme}://{}{}", login.unwrap_or_default(), self.address)
    }

    /// The certificate of the authority that signed its certificate.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Every connection from now on meets this fault.
    pub fn inject(&self, fault: Fault) {
        self.inject_times(fault, usize::MAX);
    }

    /// The next `connections` connections meet this fault.
    pub fn inject_times(&self, fault: Fault, connections: usize) {
        *self.shared.fault() = Some((fault, connections));
    }

    /// Connections from now on meet no fault.
    pub fn heal(&self) {
        *self.shared.fault() = None;
    }

    /// Says nothing on connections from now on, until [`Relay::release`]: whatever happens until
    /// then did not wait for an answer of this relay.
    pub fn hold(&self) {
        self.shared.is_held.send_replace(true);
    }

    /// Begins to speak on the connections that were held.
    pub fn release(&self) {
        self.shared.is_held.send_replace(false);
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.log.borrow().connections
    }

    /// Every line that clients sent outside of messages, as it was on the wire (inside of TLS).
    #[must_use]
    pub fn commands(&self) -> Vec<Vec<u8>> {
        self.shared.log.borrow().commands.clone()
    }

    /// Every message that it was given and did not refuse.
    #[must_use]
    pub fn messages(&self) -> Vec<Received> {
        self.shared.log.borrow().messages.clone()
    }

    /// Waits until it was given `count` messages in all, and shows them. Panics after 20 seconds.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_until(|log| log.messages.len() >= count).await;
        self.messages()
    }

    /// Waits until `count` connections were made in all. Panics after 20 seconds.
    pub async fn wait_for_connections(&self, count: usize) {
        self.wait_until(|log| log.connections >= count).await;
    }

    async fn wait_until(&self, reached: impl Fn(&Log) -> bool) {
        let mut log = self.shared.log.subscribe();
        let reached = tokio::time::timeout(PATIENCE, log.wait_for(reached)).await;
        let reached = reached.map(|log| log.is_ok());
        assert_eq!(reached, Ok(true), "the relay waited in vain");
    }

    /// Ends every connection, and refuses new ones.
    pub async fn stop(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.abort();
            // It ends by being aborted, which is an error; its port is free then.
            let _ = listener.await;
        }
    }

    /// Listens again, on the same port.
    pub async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await;
        self.listen(listener.expect("nobody else took the port"));
    }

    fn listen(&mut self, listener: TcpListener) {
        let shared = self.shared.clone();
        self.listener = Some(tokio::spawn(async move {
            // Dropped with this task, and with it every connection.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(shared.clone().serve(stream));
            }
        }));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl Shared {
    fn fault(&self) -> std::sync::MutexGuard<'_, Option<(Fault, usize)>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next connection meets.
    fn take_fault(&self) -> Option<Fault> {
        let mut slot = self.fault();
        let (fault, connections) = slot.as_mut()?;
        let fault = fault.clone();
        *connections -= 1;
        if *connections == 0 {
            *slot = None;
        }
        Some(fault)
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        self.log.send_modify(|log| log.connections += 1);
        let mut is_held = self.is_held.subscribe();
        // An error would say that the sender is gone, which lives as long as this.
        let _ = is_held.wait_for(|is_held| !is_held).await;
        let fault = self.take_fault();
        // Clients leave as they like, and not every one of them likes the certificate.
        let _ = conversation::hold(&self, fault, stream).await;
    }
}
