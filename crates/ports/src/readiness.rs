//! Whether requests can be served.

use async_trait::async_trait;

use crate::StoreError;

/// Tells a load balancer whether this node is of use.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Whether the storage answers and has every migration that this program knows.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with what is missing.
    async fn ready(&self) -> Result<(), StoreError>;
}
