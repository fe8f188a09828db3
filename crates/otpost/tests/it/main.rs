//! The real program, over real HTTP, on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::print_stdout,
    reason = "tests show the figures that they found"
)]

mod audit;
mod commands;
mod config;
mod copy;
mod crash;
mod dev;
mod failover;
mod fair_mail;
mod faults;
mod faults_mail;
mod figures;
mod hold;
mod idempotency;
mod kept;
mod keys;
mod ladder;
mod limits;
mod logs;
mod mails;
mod outages;
mod outbox;
mod proxy;
mod recipients;
mod restarts;
mod retention;
mod rotation;
mod serve;
mod shutdown;
mod support;
mod templates;
mod two_nodes;
