//! Reading the audit log.

use std::sync::Arc;

use otpost_domain::{Address, FoldedAddress};
use otpost_ports::{AuditEntry, AuditLog, Vault};

use crate::ServiceError;

/// Reads the audit log.
#[derive(Clone)]
pub struct Audit {
    /// Where it is kept.
    pub log: Arc<dyn AuditLog>,
    /// Digests addresses.
    pub vault: Arc<dyn Vault>,
}

impl Audit {
    /// The newest entries first, at most `limit`; those about `address` alone where one is given.
    ///
    /// # Errors
    ///
    /// [`ServiceError`].
    pub async fn entries(
        &self,
        address: Option<&Address>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, ServiceError> {
        let recipient = address.map(|address| self.vault.digest(&FoldedAddress::of(address)));
        Ok(self.log.entries(recipient.as_ref(), limit).await?)
    }
}
