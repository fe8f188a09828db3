//! The tables as SeaORM entities; what a column means stands in the migrations.
#![expect(
    unreachable_pub,
    reason = "the derives make public items, and these modules are private"
)]

pub mod api_key;
pub mod audit_entry;
pub mod counters;
pub mod delivery;
pub mod kept_answer;
pub mod project;
pub mod session;
