//! One relay: its connections, their number, and its pace.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout};

use super::failure::{Failure, Stage};
use super::line::{Gate, Line, Protection};
use super::parking::Parking;
use super::settings::{RelayError, RelaySettings, Security};
use crate::Message;

/// How long a message waits for its turn before the next relay is asked.
const TURN_WAIT_MAX: Duration = Duration::from_secs(5);

pub(super) struct Relay {
    pub(super) label: String,
    gate: Gate,
    connections: Semaphore,
    pace: Option<Pace>,
    parking: Arc<Parking>,
}

impl Relay {
    pub(super) fn new(settings: RelaySettings, default_hello: &str) -> Result<Self, RelayError> {
        settings.check()?;
        let hello = settings.helo.as_deref().unwrap_or(default_hello);
        let label = settings.label();
        let protection = match settings.security {
            Security::Plain => Protection::Plain,
            Security::StartTls => Protection::StartTls(tls(&settings)?),
            Security::Tls => Protection::Tls(tls(&settings)?),
        };
        Ok(Self {
            gate: Gate {
                protection,
                hello: ClientId::Domain(hello.to_owned()),
                host: settings.host,
                port: settings.port,
                credentials: settings
                    .credentials
                    .map(|one| Credentials::new(one.user, one.password)),
                patience: settings.patience,
            },
            label,
            connections: Semaphore::new(settings.max_connections.get()),
            pace: settings
                .max_per_second
                .map(|rate| Pace::new(Duration::from_secs(1) / rate.get())),
            parking: Arc::default(),
        })
    }

    /// Hands `message` over. Whatever fails, or when this is dropped, its connection is closed.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Failure> {
        let _turn = self.turn().await?;
        if let Some(line) = self.parking.take() {
            match line.send(message).await {
                Ok(line) => {
                    self.parking.park(line);
                    return Ok(());
                }
                // The relay may have closed it, or have had enough of it, in the meantime.
                Err(failure) if failure.stage == Stage::Mail => {}
                Err(failure) => return Err(failure),
            }
        }
        let line = Line::open(&self.gate).await?;
        self.parking.park(line.send(message).await?);
        Ok(())
    }

    /// A connection is opened in someone's turn when none is parked, and parked before the turn
    /// ends: so there are never more than turns, but for those that just say good-bye.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let busy = || Failure::new(Stage::Turn, "it is busy");
        let waiting = timeout(TURN_WAIT_MAX, self.connections.acquire());
        // The inner error is that of a semaphore that was closed, and nobody closes it.
        let Ok(Ok(permit)) = waiting.await else {
            return Err(busy());
        };
        if let Some(pace) = &self.pace {
            sleep_until(pace.reserve().ok_or_else(busy)?).await;
        }
        Ok(permit)
    }
}

/// Spreads messages evenly over time.
struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            next: Mutex::new(Instant::now()),
        }
    }

    /// The next free instant; `None`, and none is taken, when that is too far away.
    fn reserve(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = (*next).max(now);
        if slot > now + TURN_WAIT_MAX {
            return None;
        }
        *next = slot + self.interval;
        Some(slot)
    }
}

fn tls(settings: &RelaySettings) -> Result<TlsParameters, RelayError> {
    let refuse = |error: lettre::transport::smtp::Error| {
        RelayError::Certificates(settings.label(), error.to_string())
    };
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.ca_pem {
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(pem).map_err(refuse)?);
    }
    builder.build_rustls().map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_spread_evenly_and_nobody_waits_too_long() {
        let pace = Pace::new(Duration::from_secs(2));
        let slots: Vec<_> = (0..5).map(|_| pace.reserve()).collect();
        let first = slots[0].unwrap();
        let waits: Vec<_> = slots
            .iter()
            .map(|slot| slot.map(|slot| (slot - first).as_secs()))
            .collect();
        assert_eq!(waits, [Some(0), Some(2), Some(4), None, None]);
    }
}
