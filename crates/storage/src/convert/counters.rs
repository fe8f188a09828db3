//! Counters as rows.

use otpost_domain::{Bucket, Timestamp};
use otpost_ports::{Counters, StoreError, Subject};

use super::Table;
use crate::entity::counters::Model;

pub(crate) const COUNTERS: Table = Table("counters");

/// What stands for "never" in the column of when a row was used.
const NEVER: i64 = 0;

/// The row of `subject`.
pub(crate) fn row(subject: &Subject, counters: &Counters) -> Model {
    let [paid_1, paid_2, paid_3] = counters.buckets.map(Bucket::as_micros);
    Model {
        subject: subject.as_bytes().to_vec(),
        paid_1,
        paid_2,
        paid_3,
        failures: counters.failures.into(),
        used_at: counters.used_at.map_or(NEVER, Timestamp::as_millis),
        failing_since: counters.failing_since.map(Timestamp::as_millis),
    }
}

/// What `row` says.
pub(crate) fn read(row: Model) -> Result<(Subject, Counters), StoreError> {
    let counters = Counters {
        buckets: [row.paid_1, row.paid_2, row.paid_3].map(Bucket::from_micros),
        failures: COUNTERS.number("failures", row.failures)?,
        failing_since: row.failing_since.map(Timestamp::from_millis),
        used_at: (row.used_at != NEVER).then(|| Timestamp::from_millis(row.used_at)),
    };
    Ok((Subject::from_bytes(row.subject), counters))
}
