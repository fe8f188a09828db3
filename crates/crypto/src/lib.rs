//! Everything that otpost does with a key, on ring: deriving codes, sealing what is personal,
//! digesting what is only to be found again. And the random bytes that keys are made of.
//!
//! [`KeyRing`] reads the keys of a configuration and refuses bad ones; [`RingVault`] is the
//! [`Vault`](otpost_ports::Vault) on such a ring; [`OsEntropy`] is the
//! [`Entropy`](otpost_ports::Entropy) of the operating system. No key is used for two things:
//!
//! | use | key |
//! |---|---|
//! | code | HKDF(salt = nonce of the session, ikm = master, info = [`otpost_domain::derivation::info`]) |
//! | seal | HKDF(salt = session, ikm = master, info = `"otp-seal/v1" 00 ‖ field`) |
//! | recipient | HKDF(salt = none, ikm = index key, info = `"otp-recipient/v1" 00`) |
//! | network | HKDF(salt = none, ikm = index key, info = `"otp-network/v1" 00`) |
//! | idempotency key | HKDF(salt = none, ikm = index key, info = `"otp-idempotency/v1" 00`) |
//! | request | HKDF(salt = none, ikm = index key, info = `"otp-request/v1" 00`) |

mod entropy;
mod hkdf;
mod idempotency;
mod key_ring;
mod new_keys;
mod seal;
#[cfg(test)]
mod uniformity;
mod vault;
#[cfg(test)]
mod vectors;
mod weakness;

pub use entropy::OsEntropy;
pub use key_ring::{KeyError, KeyName, KeyRing};
pub use new_keys::{new_index_key, new_master_key};
pub use vault::RingVault;
pub use weakness::Weakness;
