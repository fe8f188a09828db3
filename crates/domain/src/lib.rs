#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod address;
mod api_key;
mod base62;
mod code;
pub mod derivation;
mod folded;
mod id;
mod ladder;
mod language;
mod limit;
mod name;
mod network;
mod range;
mod record;
mod resend;
mod session;
mod submit;
mod terms;
mod time;

pub use address::{Address, AddressError};
pub use api_key::{ApiKey, KeyDigest, KeyId, Mode, Permission, Permissions};
pub use code::{Candidate, Code, CodeLength};
pub use folded::FoldedAddress;
pub use id::SessionId;
pub use ladder::{HOLD_FAILURES, NARROW_FAILURES, Profile, SINGLE_FAILURES, Standing};
pub use language::Language;
pub use limit::{Admission, Allowance, Bucket, Limit};
pub use name::{NameError, ProjectName, TemplateName};
pub use network::Network;
pub use range::{AddressRange, InvalidRange};
pub use record::{InvalidRecord, SessionRecord, StateRecord};
pub use resend::{Refusal, Resend};
pub use session::{ExpiryCause, Pending, Session, State, Status, Transition};
pub use submit::{Binding, Submission, Verdict};
pub use terms::{InvalidTerms, ResendPolicy, Terms, TermsRecord};
pub use time::Timestamp;
