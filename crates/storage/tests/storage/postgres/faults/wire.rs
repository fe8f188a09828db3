//! A way to the server on which one call fails: it knows the protocol, and of statements only `SHOW`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use otpost_storage::Settings;
use sea_orm::sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::Place;

/// Within which a connection comes to rest, or ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection breaks before the server hears of it.
    Unheard,
    /// The server carries it out, and the connection breaks before the answer.
    Unanswered,
    /// As [`Self::Unheard`], and from then on nobody gets through.
    Gone,
    /// The server fails it, and the transaction with it, for the reason of this SQLSTATE.
    Refused(&'static str),
}

/// What is known of all connections together.
#[derive(Debug, Default)]
struct State {
    /// The call that is to fail, counted from 1, and how.
    planned: Option<(u32, Fault)>,
    /// Calls since that was planned.
    calls: u32,
    is_gone: bool,
    /// Connections on which an answer is owed, or a transaction open.
    busy: u32,
}

impl State {
    /// Counts a call, and says how it fails if it does.
    fn count(&mut self) -> Option<Fault> {
        let (nth, fault) = self.planned?;
        self.calls += 1;
        let fault = (self.calls == nth).then_some(fault)?;
        self.is_gone = fault == Fault::Gone;
        Some(fault)
    }
}

/// A socket that stands for that of the server.
pub(super) struct Wire {
    pub(super) settings: Settings,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
    _folder: TempDir,
}

impl Wire {
    /// The way to the database of `place`.
    pub(super) fn to(place: &Place) -> Self {
        const PORT: u16 = 5432;
        let direct = place.settings();
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(socket(folder.path(), PORT)).unwrap();
        let state = watch::Sender::new(State::default());
        let server = Server::of(&direct.url);
        let listening = tokio::spawn(listen(listener, server, state.clone()));
        let (start, _) = direct.url.split_once('?').unwrap_or((&direct.url, ""));
        let folder_name = folder.path().display();
        let url = format!("{start}?host={folder_name}&port={PORT}&sslmode=disable");
        Self {
            settings: Settings { url, ..direct },
            state,
            listening,
            _folder: folder,
        }
    }

    /// Lets the `nth` call from now on fail, once nothing is under way any more.
    pub(super) async fn plan(&self, nth: u32, fault: Fault) {
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| state.busy == 0);
        let settled = tokio::time::timeout(PATIENCE, settled).await;
        settled.expect("a connection comes to rest").unwrap();
        self.state.send_modify(|state| {
            state.calls = 0;
            state.planned = Some((nth, fault));
        });
    }

    /// Lets everything through, and says whether the planned call came and failed.
    pub(super) fn heal(&self) -> bool {
        let mut has_failed = false;
        self.state.send_modify(|state| {
            let planned = state.planned.take();
            has_failed = planned.is_some_and(|(nth, _)| state.calls >= nth);
            state.is_gone = false;
        });
        has_failed
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

async fn listen(listener: UnixListener, server: Server, state: watch::Sender<State>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if !state.borrow().is_gone {
            let line = Line::new(client, server.connect().await, state.clone());
            tokio::spawn(line.carry());
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where the server listens.
enum Server {
    Socket(PathBuf),
    Port(String, u16),
}

impl Server {
    fn of(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        match options.get_socket() {
            Some(folder) => Self::Socket(socket(folder, options.get_port())),
            None => Self::Port(options.get_host().to_owned(), options.get_port()),
        }
    }

    async fn connect(&self) -> Box<dyn Stream> {
        match self {
            Self::Socket(path) => Box::new(UnixStream::connect(path).await.unwrap()),
            Self::Port(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.unwrap();
                Box::new(stream)
            }
        }
    }
}

/// One connection.
struct Line {
    client: UnixStream,
    server: Box<dyn Stream>,
    state: watch::Sender<State>,
    /// From the client, and not passed on yet.
    asked: Vec<u8>,
    /// From the server, and not passed on yet.
    answered: Vec<u8>,
    /// Whether the client has said who it is, which is a message of no kind.
    is_started: bool,
    is_busy: bool,
    /// What the server's next refusal is to say.
    reason: Option<&'static str>,
}

/// That a connection is over.
struct Over;

impl Line {
    fn new(client: UnixStream, server: Box<dyn Stream>, state: watch::Sender<State>) -> Self {
        let mut line = Self {
            client,
            server,
            state,
            asked: Vec::new(),
            answered: Vec::new(),
            is_started: false,
            is_busy: false,
            reason: None,
        };
        line.be_busy(true);
        line
    }

    /// Carries what both say, until one of them goes or the connection is to break.
    async fn carry(mut self) {
        let mut state = self.state.subscribe();
        loop {
            let passed = tokio::select! {
                read = self.client.read_buf(&mut self.asked) => match read {
                    Ok(1..) => self.pass_calls().await,
                    _ => Err(Over),
                },
                read = self.server.read_buf(&mut self.answered) => match read {
                    Ok(1..) => self.pass_answers().await,
                    _ => Err(Over),
                },
                () = gone(&mut state) => Err(Over),
            };
            if passed.is_err() {
                return;
            }
        }
    }

    fn be_busy(&mut self, is_busy: bool) {
        if self.is_busy != is_busy {
            self.is_busy = is_busy;
            self.state.send_modify(|state| {
                state.busy = state.busy + u32::from(is_busy) - u32::from(!is_busy);
            });
        }
    }

    /// Passes whole calls on. A call is all up to the message for which the server answers.
    async fn pass_calls(&mut self) -> Result<(), Over> {
        if !self.is_started {
            let Some(length) = length(&self.asked, 0) else {
                return Ok(());
            };
            self.is_started = true;
            let start: Vec<u8> = self.asked.drain(..length).collect();
            self.tell(&start).await?;
        }
        let mut end = 0;
        while let Some(length) = length(&self.asked[end..], 1) {
            let kind = self.asked[end];
            end += length;
            match kind {
                b'Q' | b'S' => {
                    let call: Vec<u8> = self.asked.drain(..end).collect();
                    end = 0;
                    self.pass_call(&call).await?;
                }
                // Of a statement: more follows.
                b'P' | b'B' | b'D' | b'E' | b'C' => {}
                _ => {
                    let other: Vec<u8> = self.asked.drain(..end).collect();
                    end = 0;
                    self.tell(&other).await?;
                }
            }
        }
        Ok(())
    }

    async fn pass_call(&mut self, call: &[u8]) -> Result<(), Over> {
        let mut fault = None;
        if self.is_busy || !is_question_of_health(call) {
            self.state.send_modify(|state| fault = state.count());
        }
        self.be_busy(true);
        match fault {
            None => self.tell(call).await,
            Some(Fault::Unheard | Fault::Gone) => Err(Over),
            Some(Fault::Unanswered) => {
                self.tell(call).await?;
                self.server.shutdown().await.map_err(|_| Over)?;
                // It goes once it has carried out what it heard, and undone what is left open.
                let mut unheard = Vec::new();
                let gone = self.server.read_to_end(&mut unheard);
                let gone = tokio::time::timeout(PATIENCE, gone).await;
                gone.expect("the server ends the connection").ok();
                Err(Over)
            }
            Some(Fault::Refused(reason)) => {
                // Words that the server does not know fail the transaction there too, so that a commit
                // after them commits nothing.
                self.reason = Some(reason);
                self.tell(&message(b'Q', b"fail\0")).await
            }
        }
    }

    async fn pass_answers(&mut self) -> Result<(), Over> {
        let mut passed = Vec::new();
        while let Some(length) = length(&self.answered, 1) {
            let answer: Vec<u8> = self.answered.drain(..length).collect();
            match (answer[0], answer[length - 1], self.reason) {
                (b'E', _, Some(reason)) => {
                    self.reason = None;
                    let fields = format!("SERROR\0VERROR\0C{reason}\0Mit was to fail\0\0");
                    passed.extend(message(b'E', fields.as_bytes()));
                    continue;
                }
                // Ready for the next call, and in no transaction.
                (b'Z', b'I', _) => self.be_busy(false),
                _ => {}
            }
            passed.extend(answer);
        }
        self.client.write_all(&passed).await.map_err(|_| Over)
    }

    async fn tell(&mut self, message: &[u8]) -> Result<(), Over> {
        self.server.write_all(message).await.map_err(|_| Over)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.be_busy(false);
    }
}

/// Ends once nobody gets through.
async fn gone(state: &mut watch::Receiver<State>) {
    // Whoever carries a line could send the state himself: it is never closed.
    let _ = state.wait_for(|state| state.is_gone).await;
}

/// Whether a connection in no transaction is asked what it is like, or for nothing at all: of no
/// command, and at times that no test knows.
fn is_question_of_health(call: &[u8]) -> bool {
    call.starts_with(b"S") || call[0] == b'Q' && call[5..].starts_with(b"SHOW ")
}

/// Of the message at the start of `bytes`, if it is there as a whole. Its own length, in 4 bytes, comes
/// after as many bytes as say its kind, and does not count those.
fn length(bytes: &[u8], kind: usize) -> Option<usize> {
    let said = bytes.get(kind..kind + 4)?;
    let length = kind + usize::try_from(u32::from_be_bytes(said.try_into().unwrap())).unwrap();
    (bytes.len() >= length).then_some(length)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}
