//! The real program, over real HTTP, on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod commands;
mod config;
mod crash;
mod dev;
mod fair_mail;
mod faults;
mod faults_mail;
mod figures;
mod hold;
mod idempotency;
mod keys;
mod ladder;
mod limits;
mod logs;
mod mails;
mod outbox;
mod recipients;
mod retention;
mod serve;
mod shutdown;
mod support;
mod templates;
