//! The courier of test keys in production: their messages go nowhere.

use async_trait::async_trait;
use otpost_ports::{Courier, DeliveryError, Letter};

/// Takes every message and does nothing with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscardCourier;

#[async_trait]
impl Courier for DiscardCourier {
    async fn deliver(&self, _letter: &Letter) -> Result<(), DeliveryError> {
        Ok(())
    }
}
