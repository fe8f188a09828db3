//! One relay: its connections, their number, its pace, and whether it is asked at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::breaker::{Breaker, Evidence};
use super::domains::{Domains, Ending, Place};
use super::failure::{Blame, Failure, Stage};
use super::line::{Deadlines, Gate, Line, Protection};
use super::parking::Parking;
use super::settings::{RelayError, RelaySettings, Security};
use crate::Message;

/// How long one relay may take for one try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// For a free connection and its turn.
    pub(super) turn: Duration,
    /// And then, until it is ready for the message.
    pub(super) ready: Duration,
    /// Until the try is over.
    pub(super) done_by: Instant,
}

pub(super) struct Relay {
    pub(super) label: String,
    gate: Gate,
    breaker: Breaker,
    connections: Semaphore,
    domains: Domains,
    pace: Option<Pace>,
    parking: Arc<Parking>,
}

/// The right to use a connection, until it is dropped.
struct Turn<'a> {
    place: Place<'a>,
    _permit: SemaphorePermit<'a>,
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
            breaker: Breaker::new(label.clone()),
            label,
            connections: Semaphore::new(settings.max_connections.get()),
            domains: Domains::new(settings.max_connections.get()),
            pace: settings
                .max_per_second
                .map(|rate| Pace::new(Duration::from_secs(1) / rate.get())),
            parking: Arc::default(),
        })
    }

    /// Hands `message` over. Whatever fails, or when this is dropped, its connection is closed.
    pub(super) async fn send(&self, message: &Message, budget: Budget) -> Result<(), Failure> {
        let left_alone = |wait| Failure::no_turn("it failed too often, and is left alone", wait);
        if let Some(wait) = self.breaker.left_alone() {
            return Err(left_alone(wait));
        }
        let domain = message.recipient.domain();
        let mut turn = self.turn(domain, budget.turn).await?;
        // It may have begun to fail while the message waited.
        let admission = self.breaker.admit().map_err(left_alone)?;
        turn.place.begin();
        let deadlines = Deadlines {
            ready_by: budget.done_by.min(Instant::now() + budget.ready),
            done_by: budget.done_by,
        };
        let result = self.exchange(message, deadlines).await;
        let (evidence, ending) = match result.as_ref().map_err(Failure::blame) {
            Ok(()) => (Evidence::Works, Ending::Taken),
            Err(Blame::Nobody) => (Evidence::Nothing, Ending::Other),
            Err(Blame::Relay) => (Evidence::Fails, Ending::Other),
            Err(Blame::Sender) => (Evidence::FailsFor(message.sender.as_ref()), Ending::Other),
            Err(Blame::Domain) => (Evidence::FailsFor(domain), Ending::Stalled),
            Err(Blame::Message) => (Evidence::Works, Ending::Other),
        };
        admission.report(evidence);
        turn.place.end(ending);
        result
    }

    async fn exchange(&self, message: &Message, deadlines: Deadlines) -> Result<(), Failure> {
        if let Some(line) = self.parking.take() {
            match line.send(message, deadlines).await {
                Ok(line) => {
                    self.parking.park(line);
                    return Ok(());
                }
                // The relay may have closed it, or have had enough of it, in the meantime.
                Err(failure) if failure.stage == Stage::Mail => {}
                Err(failure) => return Err(failure),
            }
        }
        let line = Line::open(&self.gate, deadlines.ready_by).await?;
        self.parking.park(line.send(message, deadlines).await?);
        Ok(())
    }

    /// A connection is opened in someone's turn when none is parked, and parked before the turn
    /// ends: so there are never more than turns, but for those that just say good-bye.
    async fn turn<'a>(&'a self, domain: &'a str, wait: Duration) -> Result<Turn<'a>, Failure> {
        let by = Instant::now() + wait;
        let busy = |wait| Failure::no_turn("it is busy", wait);
        let place = self.domains.enter(domain, by).await.map_err(busy)?;
        // The inner error is that of a semaphore that was closed, and nobody closes it.
        let Ok(Ok(permit)) = timeout_at(by, self.connections.acquire()).await else {
            // Others waited as long and were served: its turn is next.
            return Err(busy(Duration::ZERO));
        };
        if let Some(pace) = &self.pace {
            sleep_until(pace.reserve(by).map_err(busy)?).await;
        }
        Ok(Turn {
            place,
            _permit: permit,
        })
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

    /// The next free instant; how far it is, and it is not taken, when that is later than `by`.
    fn reserve(&self, by: Instant) -> Result<Instant, Duration> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = (*next).max(now);
        if slot > by {
            return Err(slot - now);
        }
        *next = slot + self.interval;
        Ok(slot)
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
        let by = Instant::now() + Duration::from_secs(5);
        let slots: Vec<_> = (0..5).map(|_| pace.reserve(by)).collect();
        let first = slots[0].unwrap();
        let waits: Vec<_> = slots
            .into_iter()
            .map(|slot| slot.map(|slot| (slot - first).as_secs()))
            .map(|slot| slot.map_err(|wait| wait.as_secs_f64().ceil()))
            .collect();
        assert_eq!(waits, [Ok(0), Ok(2), Ok(4), Err(6.0), Err(6.0)]);
    }
}
