//! Delivery by SMTP, over relays in order.
//!
//! lettre's pool is deliberately absent: an abandoned exchange would go back into it out of step,
//! and a later refusal would pass for a success. Here a connection belongs to one exchange at a
//! time, and outlives it only after a clean 250.

mod failure;
mod guard;
mod line;
mod parking;
mod relay;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use otpost_ports::{Courier, DeliveryError, Letter};

pub use settings::{Credentials, Patience, RelayError, RelaySettings, Security};

use crate::{Message, Renderer};
use failure::{Failure, Verdict};
use relay::Relay;

/// Hands messages to the first relay that works.
pub struct SmtpCourier {
    renderer: Arc<Renderer>,
    relays: Vec<Relay>,
}

impl SmtpCourier {
    /// A courier over `relays`, the preferred one first. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`RelayError`].
    pub fn new(renderer: Arc<Renderer>, relays: Vec<RelaySettings>) -> Result<Self, RelayError> {
        if relays.is_empty() {
            return Err(RelayError::None);
        }
        let hello = renderer.default_sender().address().domain().to_owned();
        let relays = relays
            .into_iter()
            .map(|settings| Relay::new(settings, &hello))
            .collect::<Result<_, _>>()?;
        Ok(Self { renderer, relays })
    }

    async fn hand_over(&self, letter: &Letter, message: &Message) -> Result<(), DeliveryError> {
        let mut troubles: Vec<(&str, Failure)> = Vec::new();
        for relay in &self.relays {
            let Err(failure) = relay.send(message).await else {
                // Nobody else hears of what a later relay made good.
                for (label, trouble) in troubles {
                    let session = letter.session.short();
                    tracing::warn!(session, "passed over: {}", trouble.describe(label));
                }
                return Ok(());
            };
            match failure.verdict() {
                Verdict::NextRelay => troubles.push((&relay.label, failure)),
                Verdict::Later | Verdict::Refused => return Err(failure.into_error(&relay.label)),
            }
        }
        let causes: Vec<_> = troubles
            .iter()
            .map(|(label, trouble)| trouble.describe(label))
            .collect();
        let cause = causes.join("; ");
        if troubles.iter().all(|(_, trouble)| trouble.is_busy()) {
            return Err(DeliveryError::Busy { cause });
        }
        let reply = troubles.iter().rev().find_map(|(_, trouble)| trouble.reply);
        Err(DeliveryError::Transient { cause, reply })
    }
}

#[async_trait]
impl Courier for SmtpCourier {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        let message = self.renderer.message(letter)?;
        self.hand_over(letter, &message).await
    }
}
