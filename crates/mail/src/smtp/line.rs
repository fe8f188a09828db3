//! One connection to a relay: opened, used message by message, closed.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use lettre::transport::smtp::{self};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::{Failure, Stage};
use super::guard::Guard;
use super::settings::Patience;
use crate::Message;

/// What it takes to open a connection.
pub(super) struct Gate {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) credentials: Option<Credentials>,
    pub(super) hello: ClientId,
    pub(super) patience: Patience,
}

pub(super) enum Protection {
    Plain,
    StartTls(TlsParameters),
    Tls(TlsParameters),
}

/// The extension of RFC 2920, as EHLO names it.
const PIPELINING: &str = "PIPELINING";

/// Answers to a command after which the next one may come (RFC 5321, 4.3.2).
const MAIL: [u16; 1] = [250];
const RCPT: [u16; 2] = [250, 251];
const DATA: [u16; 1] = [354];

/// Until when a relay is waited for. Silence after that is a failure, whatever patience is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// Until it is ready for the message.
    pub(super) ready_by: Instant,
    /// Until it has said what becomes of it.
    pub(super) done_by: Instant,
}

/// A connection that is ready for a message. It is worth keeping only after [`Line::send`] has
/// succeeded: a failed or abandoned exchange leaves replies on their way that would count for the
/// next message. So `send` takes it, and gives it back only then.
pub(super) struct Line {
    connection: AsyncSmtpConnection,
    /// Whether the relay takes commands before it has answered those before them (RFC 2920).
    is_pipelined: bool,
    patience: Patience,
    pub(super) messages: u32,
}

impl Line {
    pub(super) async fn open(gate: &Gate, ready_by: Instant) -> Result<Self, Failure> {
        let mut stage = Stage::Connect;
        let open_by = ready_by.min(Instant::now() + gate.patience.open);
        let opened = timeout_at(open_by, gate.open(&mut stage)).await;
        let (connection, is_pipelined) = opened.map_err(|_| Failure::timed_out(stage))??;
        Ok(Self {
            connection,
            is_pipelined,
            patience: gate.patience,
            messages: 0,
        })
    }

    /// A failure is judged by the step that failed.
    pub(super) async fn send(
        mut self,
        message: &Message,
        deadlines: Deadlines,
    ) -> Result<Self, Failure> {
        self.begin(message, deadlines.ready_by).await?;
        let connection = &mut self.connection;
        expect_silence(Stage::Data, connection)?;
        let verdict_by = within(self.patience.verdict, deadlines.done_by);
        let sent = connection.message(&message.bytes);
        step(Stage::Message, verdict_by, &[250], sent).await?;
        self.messages += 1;
        Ok(self)
    }

    /// Until the relay is ready for the message: after MAIL, RCPT and DATA.
    async fn begin(&mut self, message: &Message, ready_by: Instant) -> Result<(), Failure> {
        let connection = &mut self.connection;
        let by = || within(self.patience.reply, ready_by);
        let mail = Mail::new(Some(message.sender.clone()), Vec::new());
        let rcpt = Rcpt::new(message.recipient.clone(), Vec::new());

        expect_silence(Stage::Mail, connection)?;
        if self.is_pipelined {
            let all = connection.command(format!("{mail}{rcpt}{Data}"));
            step(Stage::Mail, by(), &MAIL, all).await?;
            step(Stage::Rcpt, by(), &RCPT, connection.read_response()).await?;
            return step(Stage::Data, by(), &DATA, connection.read_response()).await;
        }
        step(Stage::Mail, by(), &MAIL, connection.command(mail)).await?;
        expect_silence(Stage::Mail, connection)?;
        step(Stage::Rcpt, by(), &RCPT, connection.command(rcpt)).await?;
        expect_silence(Stage::Rcpt, connection)?;
        step(Stage::Data, by(), &DATA, connection.command(Data)).await
    }

    /// Says good-bye, and does not care for the answer.
    pub(super) async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.connection.quit()).await;
    }
}

impl Gate {
    /// A connection, and whether it is pipelined.
    async fn open(&self, stage: &mut Stage) -> Result<(AsyncSmtpConnection, bool), Failure> {
        let fail = |stage: &Stage, error: smtp::Error| Failure::of(*stage, &error);
        let mut connection = match &self.protection {
            Protection::Plain | Protection::StartTls(_) => {
                let stream = Box::new(Guard::new(self.connect().await?));
                AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await
            }
            Protection::Tls(tls) => {
                let place = (self.host.as_str(), self.port);
                let (wait, tls) = (Some(self.address_wait()), Some(tls.clone()));
                AsyncSmtpConnection::connect_tokio1(place, wait, &self.hello, tls, None).await
            }
        }
        .map_err(|error| fail(stage, error))?;
        if let Protection::StartTls(tls) = &self.protection {
            *stage = Stage::StartTls;
            // It fails when the relay does not offer it: there is no way back to plain text.
            let upgraded = connection.starttls(tls.clone(), &self.hello).await;
            upgraded.map_err(|error| fail(stage, error))?;
        }
        // lettre asks too, and does not tell. A relay that does not like to be asked again is as it was. Before
        // AUTH, for a relay may forget who was there when it is greeted anew.
        expect_silence(*stage, &mut connection)?;
        let is_pipelined = match connection.command(Ehlo::new(self.hello.clone())).await {
            Ok(answer) => answer
                .message()
                .any(|line| line.eq_ignore_ascii_case(PIPELINING)),
            Err(error) if error.status().is_some() => false,
            Err(error) => return Err(fail(stage, error)),
        };
        if let Some(credentials) = &self.credentials {
            *stage = Stage::Auth;
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let answer = connection
                .auth(&mechanisms, credentials)
                .await
                .map_err(|error| fail(stage, error))?;
            if !answer.has_code(235) {
                return Err(Failure::unexpected(*stage, answer.code().into()));
            }
        }
        Ok((connection, is_pipelined))
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let fail = |error: std::io::Error| Failure::new(Stage::Connect, error.to_string());
        let place = (self.host.as_str(), self.port);
        let mut failure = Failure::new(Stage::Connect, "the host has no address");
        for address in tokio::net::lookup_host(place).await.map_err(fail)? {
            match timeout(self.address_wait(), TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // The final dot is a packet of its own, which is not to wait for an ACK.
                    stream.set_nodelay(true).map_err(fail)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = fail(error),
                Err(_) => failure = Failure::timed_out(Stage::Connect),
            }
        }
        Err(failure)
    }

    /// Leaves a second address its chance.
    fn address_wait(&self) -> Duration {
        self.patience.open / 2
    }
}

fn within(patience: Duration, by: Instant) -> Instant {
    by.min(Instant::now() + patience)
}

/// A relay that speaks between two steps is out of step: a "250" that came before the message
/// would pass for the answer to it. It is looked at once, without waiting.
fn expect_silence(stage: Stage, connection: &mut AsyncSmtpConnection) -> Result<(), Failure> {
    let mut context = Context::from_waker(Waker::noop());
    if pin!(connection.read_response())
        .poll(&mut context)
        .is_ready()
    {
        return Err(Failure::unasked(stage));
    }
    Ok(())
}

async fn step(
    stage: Stage,
    by: Instant,
    expected: &[u16],
    answer: impl Future<Output = Result<Response, smtp::Error>>,
) -> Result<(), Failure> {
    match timeout_at(by, answer).await {
        Ok(Ok(response)) => {
            let code = u16::from(response.code());
            if expected.contains(&code) {
                Ok(())
            } else {
                Err(Failure::unexpected(stage, code))
            }
        }
        Ok(Err(error)) => Err(Failure::of(stage, &error)),
        Err(_) => Err(Failure::timed_out(stage)),
    }
}
