//! The wire contract, row by row, over real sockets: one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails by a panic"
)]

mod support;

mod addresses;
mod auth;
mod body;
mod codes;
mod cors;
mod dev_inbox;
mod envelope;
mod health;
mod hold;
mod limits;
mod log;
mod peers;
mod rate_limit_fields;
mod resend;
mod send;
mod send_fields;
mod status;
mod test_keys;
mod verify;
