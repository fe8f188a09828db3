//! What went wrong when the caller did nothing wrong.

use otpost_ports::{EntropyError, StoreError, VaultError};

/// A use case could not be carried out. Nothing is known to have happened.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A part is missing for now: another try later may work.
    #[error("a part of the service is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something is broken, and another try will not help.
    #[error("the service is broken: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            StoreError::Corrupt { .. } | StoreError::Vault(_) => Self::Broken(error.into()),
        }
    }
}

impl From<VaultError> for ServiceError {
    fn from(error: VaultError) -> Self {
        Self::Broken(error.into())
    }
}

impl From<EntropyError> for ServiceError {
    fn from(error: EntropyError) -> Self {
        Self::Broken(error.into())
    }
}

/// A store answered another command than it was given.
pub(crate) fn foreign_outcome() -> ServiceError {
    ServiceError::Broken("the store answered another command".into())
}
