//! One connection to a relay: opened, used message by message, closed.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
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
    patience: Patience,
    pub(super) messages: u32,
}

impl Line {
    pub(super) async fn open(gate: &Gate, ready_by: Instant) -> Result<Self, Failure> {
        let mut stage = Stage::Connect;
        let open_by = ready_by.min(Instant::now() + gate.patience.open);
        let connection = match timeout_at(open_by, gate.open(&mut stage)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(failure)) => return Err(failure),
            Err(_) => return Err(Failure::timed_out(stage)),
        };
        Ok(Self {
            connection,
            patience: gate.patience,
            messages: 0,
        })
    }

    /// Step by step, for a failure is judged by the step that failed.
    pub(super) async fn send(
        mut self,
        message: &Message,
        deadlines: Deadlines,
    ) -> Result<Self, Failure> {
        let Patience { reply, verdict, .. } = self.patience;
        let Deadlines { ready_by, done_by } = deadlines;
        let connection = &mut self.connection;

        expect_silence(Stage::Mail, connection)?;
        let mail = connection.command(Mail::new(Some(message.sender.clone()), Vec::new()));
        step(Stage::Mail, within(reply, ready_by), &[250], mail).await?;

        expect_silence(Stage::Mail, connection)?;
        let rcpt = connection.command(Rcpt::new(message.recipient.clone(), Vec::new()));
        step(Stage::Rcpt, within(reply, ready_by), &[250, 251], rcpt).await?;

        expect_silence(Stage::Rcpt, connection)?;
        let data = connection.command(Data);
        step(Stage::Data, within(reply, ready_by), &[354], data).await?;

        expect_silence(Stage::Data, connection)?;
        let sent = connection.message(&message.bytes);
        step(Stage::Message, within(verdict, done_by), &[250], sent).await?;

        self.messages += 1;
        Ok(self)
    }

    /// Says good-bye, and does not care for the answer.
    pub(super) async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.connection.quit()).await;
    }
}

impl Gate {
    async fn open(&self, stage: &mut Stage) -> Result<AsyncSmtpConnection, Failure> {
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
        Ok(connection)
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
