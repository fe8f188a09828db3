//! The traits that the use cases of otpost need, and the values that cross them.
//!
//! Few and narrow, named after what a use case needs, not after a technology. Each is object-safe
//! and has a contract suite in `otpost-testkit` that every implementation runs.

mod admit;
mod audit;
mod catalogue;
mod clock;
mod courier;
mod decide;
mod entropy;
mod idempotency;
mod inbox;
mod key_store;
mod ledger;
mod outbox;
mod quota;
mod readiness;
mod recipients;
mod session_store;
mod stored;
mod vault;

pub use admit::{Admitted, admit};
pub use audit::{AUDIT_RETENTION_SECS, Actor, AuditAction, AuditEntry, AuditLog};
pub use catalogue::{Catalogue, Catalogues};
pub use clock::Clock;
pub use courier::{Courier, DeliveryError, Letter, Reply};
pub use decide::{Decided, Decision, Found, MailChange, decide};
pub use entropy::{Entropy, EntropyError};
pub use idempotency::{
    CONFLICTS_MAX, Endpoint, IdempotencyDigest, KeptAnswer, Once, Replayed, RequestDigest, Said,
};
pub use inbox::{CapturedMessage, Inbox, InboxError, InboxFilter, Preview};
pub use key_store::{KeyRecord, KeyStore, ProjectRecord};
pub use ledger::{Counters, Ledger, Subject};
pub use outbox::{Claim, Lease, LeaseToken, Outbox, OutboxEntry, OutboxQuery, Settlement};
pub use quota::{Charge, Counted, Limited, Quotas, RecipientLimits};
pub use readiness::Readiness;
pub use recipients::{Erased, RecipientRecord, RecipientStore, Scope, release};
pub use session_store::{
    Action, Applied, Command, FAILURES_RETENTION_SECS, Judged, Opening, Outcome, Purged,
    RETENTION_SECS, SessionStore, StoreError, Submitted,
};
pub use stored::{
    CodeSecret, Context, Delivery, DeliveryState, MessageId, NetworkDigest, Owner, RecipientDigest,
    Sealed, StoredSession,
};
pub use vault::{SealedField, Vault, VaultError};
