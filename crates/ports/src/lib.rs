//! The traits that the use cases of otpost need, and the values that cross them.
//!
//! Few and narrow, named after what a use case needs, not after a technology. Each is object-safe
//! and has a contract suite in `otpost-testkit` that every implementation runs.

mod clock;
mod courier;
mod decide;
mod entropy;
mod inbox;
mod key_store;
mod outbox;
mod quota;
mod readiness;
mod session_store;
mod stored;
mod vault;

pub use clock::Clock;
pub use courier::{Courier, DeliveryError, Letter, Reply};
pub use decide::{Admitted, Decided, Decision, MailChange, admit, decide};
pub use entropy::{Entropy, EntropyError};
pub use inbox::{CapturedMessage, Inbox, InboxError, InboxFilter};
pub use key_store::{KeyRecord, KeyStore, ProjectRecord};
pub use outbox::{Claim, LeaseToken, Outbox, OutboxEntry, Settlement};
pub use quota::{Charge, Counted, Counters, Ledger, Limited, Quotas, RecipientLimits, Subject};
pub use readiness::Readiness;
pub use session_store::{
    Action, Applied, Command, Judged, Opening, Outcome, Purged, RETENTION_SECS, SessionStore,
    StoreError, Submitted,
};
pub use stored::{
    CodeSecret, Context, Delivery, DeliveryState, MessageId, NetworkDigest, Owner, RecipientDigest,
    Sealed, StoredSession,
};
pub use vault::{SealedField, Vault, VaultError};
