//! The wire contract, row by row, over real sockets: one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails by a panic"
)]

mod support;

mod addresses;
mod allow_ip;
mod auth;
mod body;
mod codes;
mod cors;
mod dev_inbox;
mod dev_sign_in;
mod dev_templates;
mod envelope;
mod health;
mod hold;
mod idempotency;
mod limits;
mod log;
mod not_kept;
mod peers;
mod rate_limit_fields;
mod recipients;
mod resend;
mod send;
mod send_fields;
mod status;
mod test_keys;
mod verify;
