#![doc = include_str!("../README.md")]

use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m20261122_000001_projects_and_keys;
mod m20261122_000002_sessions;
mod m20261122_000003_deliveries;
mod m20261122_000004_counters;
mod m20261122_000005_exempt_recipients;
mod m20261122_000006_kept_answers;
mod m20261122_000007_audit_log;
mod m20261122_000008_uses_of_keys;
mod m20261122_000009_sessions_by_recipient;
mod m20261122_000010_old_failures;
mod m20261123_000011_partitions;
mod m20261123_000012_failed_mails;
mod m20261130_000013_recipients_by_time;

/// Every migration, in the order of their application.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_projects_and_keys::Migration),
            Box::new(m20261122_000002_sessions::Migration),
            Box::new(m20261122_000003_deliveries::Migration),
            Box::new(m20261122_000004_counters::Migration),
            Box::new(m20261122_000005_exempt_recipients::Migration),
            Box::new(m20261122_000006_kept_answers::Migration),
            Box::new(m20261122_000007_audit_log::Migration),
            Box::new(m20261122_000008_uses_of_keys::Migration),
            Box::new(m20261122_000009_sessions_by_recipient::Migration),
            Box::new(m20261122_000010_old_failures::Migration),
            Box::new(m20261123_000011_partitions::Migration),
            Box::new(m20261123_000012_failed_mails::Migration),
            Box::new(m20261130_000013_recipients_by_time::Migration),
        ]
    }
}
