//! The actix-web layer of otpost: routes, extractors and the table of errors.
//!
//! An endpoint is one file: what comes in, what goes out, the handler. Every status stands in
//! `error.rs`. A handler knows the use cases and no port, so it cannot go round one.

mod app;
mod auth;
mod call;
mod cors;
mod dev;
mod envelope;
mod error;
mod fields;
mod health;
mod idempotency;
mod instant;
mod json;
mod languages;
mod metered;
mod metering;
mod peers;
mod proxies;
mod recipients;
mod resend;
mod send;
mod server;
mod shared_fields;
mod shell;
mod status;
mod stop;
mod time_left;
mod variables;
mod verify;
mod wrong_fields;

pub use dev::Dev;
pub use server::{Server, serve};
pub use stop::Stop;
