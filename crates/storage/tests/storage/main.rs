//! What the engines add to the promises of the ports: files, schema, locks, faults and races.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by a panic"
)]

mod at_rest;
mod audited;
mod cancelled;
mod copied;
mod corrupt;
mod counted;
mod counters;
mod erased;
mod forgotten;
mod panicking;
mod postgres;
mod races;
mod schema;
mod support;
mod together;
mod unavailable;
