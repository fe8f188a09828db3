//! Everything that needs a key.

use otpost_domain::{
    Address, ApiKey, Code, CodeLength, FoldedAddress, KeyDigest, Network, SessionId,
};

use crate::{
    CodeSecret, Endpoint, EntropyError, IdempotencyDigest, NetworkDigest, Owner, RecipientDigest,
    RequestDigest, Sealed,
};

/// Which value of a session is sealed: one cannot be passed off as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedField {
    /// The address on the wire.
    Address,
    /// The variables of the template.
    Variables,
    /// An answer that is kept to be said again.
    Answer,
}

/// Why the vault refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key was retired or never loaded here.
    #[error("no master key has the number {0}")]
    UnknownKey(u32),
    /// What was sealed is not what was stored, or belongs elsewhere.
    #[error("a sealed value cannot be opened")]
    Tampered,
    /// No nonce can be had.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Derives codes, digests addresses, seals and opens what is personal.
///
/// No key leaves it. Every use has its own key, separated by HKDF.
pub trait Vault: Send + Sync {
    /// What a new session's codes shall be derived from.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    fn new_secret(&self) -> Result<CodeSecret, VaultError>;

    /// The code of one generation of one session, for one address.
    ///
    /// # Errors
    ///
    /// [`VaultError::UnknownKey`]: it MUST fail closed.
    fn derive(
        &self,
        secret: &CodeSecret,
        session: &SessionId,
        address: &Address,
        length: CodeLength,
        generation: u32,
    ) -> Result<Code, VaultError>;

    /// The digest under which a recipient is counted and found, the same on every node and after
    /// every rotation of master keys.
    fn digest(&self, address: &FoldedAddress) -> RecipientDigest;

    /// The digest under which a network is counted, as constant as that of a recipient and apart
    /// from it.
    fn digest_network(&self, network: &Network) -> NetworkDigest;

    /// The digest under which the answer to a request with an `Idempotency-Key` is kept. The same
    /// key of another project, mode or endpoint has another.
    fn digest_idempotency_key(
        &self,
        owner: &Owner,
        endpoint: Endpoint,
        key: &str,
    ) -> IdempotencyDigest;

    /// The digest of a request with this key: the same body under another key has another.
    fn digest_request(&self, key: &IdempotencyDigest, body: &[u8]) -> RequestDigest;

    /// Seals a value of a session. Two seals of one value MUST differ.
    ///
    /// # Errors
    ///
    /// When no random bytes can be had.
    fn seal(
        &self,
        session: &SessionId,
        field: SealedField,
        plain: &[u8],
    ) -> Result<Sealed, VaultError>;

    /// Opens what was sealed for the same session and field, and nothing else.
    ///
    /// # Errors
    ///
    /// [`VaultError::UnknownKey`], [`VaultError::Tampered`].
    fn open(
        &self,
        session: &SessionId,
        field: SealedField,
        sealed: &Sealed,
    ) -> Result<Vec<u8>, VaultError>;

    /// All that is kept of an API key.
    fn key_digest(&self, key: &ApiKey) -> KeyDigest;
}

impl dyn Vault + '_ {
    /// The address of a session.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`].
    pub fn open_address(
        &self,
        session: &SessionId,
        sealed: &Sealed,
    ) -> Result<Address, VaultError> {
        let plain = self.open(session, SealedField::Address, sealed)?;
        let text = core::str::from_utf8(&plain).map_err(|_| VaultError::Tampered)?;
        Address::parse(text).map_err(|_| VaultError::Tampered)
    }
}
