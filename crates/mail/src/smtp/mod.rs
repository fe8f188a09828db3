//! Delivery by SMTP, over relays in order.
//!
//! lettre's pool is deliberately absent: an abandoned exchange would go back into it out of step,
//! and a later refusal would pass for a success. Here a connection belongs to one exchange at a
//! time, and outlives it only after a clean 250.
//!
//! Nothing that is slow holds up the rest: a relay that fails is left alone for a while, each relay
//! before the last one has its share of a try, and each recipient domain its share of a relay.

mod breaker;
mod domains;
mod failure;
mod guard;
mod line;
mod parking;
mod relay;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otpost_ports::{Courier, DeliveryError, Letter};
use tokio::time::Instant;

pub use settings::{Credentials, Patience, RelayError, RelaySettings, Security};

use crate::{Message, Renderer};
use failure::{Failure, Verdict};
use relay::{Budget, Relay};

/// How long a try may take in all. It is less than what the caller allows (20 s), so that a try
/// ends here, where what it ran into can be named and counts against the relay.
const TRY_MAX: Duration = Duration::from_secs(19);
/// The next relay is asked after so long at the latest, if this one is not ready for the message.
const PASS_OVER_MAX: Duration = Duration::from_millis(4_500);
/// So long may all relays before the last one take together: at least half of the try is its own.
const BEFORE_LAST_MAX: Duration = Duration::from_secs(9);
/// How long a message waits for a turn at the last relay.
const LAST_TURN_MAX: Duration = Duration::from_secs(5);

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
        let done_by = Instant::now() + TRY_MAX;
        for (position, relay) in self.relays.iter().enumerate() {
            let budget = budget(position, self.relays.len(), done_by);
            let Err(failure) = relay.send(message, budget).await else {
                // Nobody else hears of what a later relay made good.
                let failed = |(_, trouble): &(&str, Failure)| !trouble.is_busy();
                for (label, trouble) in troubles.into_iter().filter(failed) {
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
            let waits = troubles.iter().map(|(_, trouble)| trouble.wait);
            let wait = waits.min().unwrap_or_default();
            return Err(DeliveryError::Busy { cause, wait });
        }
        let reply = troubles.iter().rev().find_map(|(_, trouble)| trouble.reply);
        Err(DeliveryError::Transient { cause, reply })
    }
}

/// What the relay at `position` of `count` gets of a try. Of what a relay before the last one gets,
/// a third is for the wait for its turn.
fn budget(position: usize, count: usize, done_by: Instant) -> Budget {
    let before_last = u32::try_from(count - 1).unwrap_or(u32::MAX);
    if position + 1 == count {
        return Budget {
            turn: LAST_TURN_MAX,
            ready: TRY_MAX,
            done_by,
        };
    }
    let share = PASS_OVER_MAX.min(BEFORE_LAST_MAX / before_last);
    Budget {
        turn: share / 3,
        ready: share * 2 / 3,
        done_by,
    }
}

#[async_trait]
impl Courier for SmtpCourier {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        let message = self.renderer.message(letter)?;
        self.hand_over(letter, &message).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_relay_always_has_half_of_the_try() {
        let start = Instant::now();
        let done_by = start + TRY_MAX;
        for count in 1..20 {
            let before = (0..count - 1).map(|position| {
                let budget = budget(position, count, done_by);
                budget.turn + budget.ready
            });
            let shares: Vec<_> = before.collect();
            assert!(
                shares.iter().all(|share| *share <= PASS_OVER_MAX),
                "{count}"
            );
            let before_last = shares.iter().sum::<Duration>();
            assert!(before_last <= TRY_MAX / 2, "{count}: {before_last:?}");
        }
    }
}
