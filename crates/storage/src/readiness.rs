//! The port that says whether requests can be served.

use async_trait::async_trait;
use otpost_ports::{Readiness, StoreError};

use crate::error::unavailable;
use crate::storage::in_time;
use crate::{SchemaError, Storage};

#[async_trait]
impl Readiness for Storage {
    async fn ready(&self) -> Result<(), StoreError> {
        in_time(|| async {
            let known = self.migrations().await.map_err(unavailable)?;
            match known.iter().filter(|one| !one.is_applied).count() {
                0 => Ok(()),
                pending => Err(unavailable(SchemaError::Behind { pending })),
            }
        })
        .await
    }
}
