//! The real program, over real HTTP, on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commands;
mod config;
mod dev;
mod faults;
mod figures;
mod keys;
mod ladder;
mod limits;
mod logs;
mod mails;
mod serve;
mod shutdown;
mod support;
