//! Requests that their caller wants carried out once.

use otpost_ports::{Endpoint, Once};

use crate::{Caller, Otp};

/// How long an answer is said again, in seconds: 24 hours.
const KEPT_SECS: u32 = 86_400;
/// How long that to a verification is said again, in seconds: 2 minutes.
const VERIFICATION_KEPT_SECS: u32 = 120;

/// What a caller wants carried out once.
#[derive(Clone)]
pub struct Idempotency {
    /// Its `Idempotency-Key`.
    pub key: String,
    /// The whole body that it came with.
    pub body: Vec<u8>,
}

impl Otp {
    /// The wish of `caller` at an endpoint, if it has one.
    pub(crate) fn once(
        &self,
        caller: &Caller,
        endpoint: Endpoint,
        asked: Option<&Idempotency>,
    ) -> Option<Once> {
        let Idempotency { key, body } = asked?;
        let vault = &self.ports.vault;
        let key = vault.digest_idempotency_key(&caller.owner, endpoint, key);
        let secs = match endpoint {
            Endpoint::Send | Endpoint::Resend => KEPT_SECS,
            Endpoint::Verify => VERIFICATION_KEPT_SECS,
        };
        Some(Once {
            key,
            request: vault.digest_request(&key, body),
            until: self.now().plus_secs(secs),
        })
    }
}

/// The body may contain a code.
impl std::fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Idempotency({} bytes)", self.body.len())
    }
}
