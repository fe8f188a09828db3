//! The pure decision on a new session, between an adapter's read and its write.

use crate::idempotency::Known;
use crate::quota::charge;
use crate::{Counted, KeptAnswer, Ledger, Limited, Opening, Replayed, Vault, VaultError};

/// Whether a session may be opened. What is charged stands in the ledger.
#[must_use = "commit the ledger with the session"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It may.
    Open(Vec<Counted>),
    /// It came before, and nothing is charged.
    Replayed(Replayed),
    /// Another request came under its key, and nothing is charged.
    KeyReused,
    /// A limit refuses, and nothing is charged.
    Limited(Limited),
    /// The address is on hold, and nothing is charged.
    OnHold,
}

/// Judges whether `opening` may be committed. `kept` is the answer that is kept under its
/// idempotency key. Every adapter calls this.
///
/// # Errors
///
/// Those of the vault: nothing was judged then.
pub fn admit(
    opening: &Opening,
    kept: Option<&KeptAnswer>,
    ledger: &mut Ledger,
    vault: &dyn Vault,
) -> Result<Admitted, VaultError> {
    let now = opening.at;
    if let (Some(once), Some(kept)) = (opening.once, kept)
        && let Some(known) = once.known(kept, now, vault)?
    {
        return Ok(match known {
            Known::Same(replayed) => Admitted::Replayed(replayed),
            Known::Other => Admitted::KeyReused,
        });
    }
    let Some(quotas) = &opening.quotas else {
        return Ok(Admitted::Open(Vec::new()));
    };
    let context = &opening.context;
    let (owner, recipient) = (&context.owner, &context.recipient);
    let mut charged = ledger.clone();
    let mut counted = match charge(&quotas.caller, &mut charged, now) {
        Ok(counted) => counted,
        Err(limited) => return Ok(Admitted::Limited(limited)),
    };
    if quotas.standing(owner, recipient, ledger, now).is_on_hold() {
        return Ok(Admitted::OnHold);
    }
    if !context.is_exempt {
        match charge(&quotas.of_recipient(owner, recipient), &mut charged, now) {
            Ok(more) => counted.extend(more),
            Err(limited) => return Ok(Admitted::Limited(limited)),
        }
    }
    *ledger = charged;
    Ok(Admitted::Open(counted))
}
