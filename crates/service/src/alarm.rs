//! What an operator is woken for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use otpost_domain::{ProjectName, Timestamp};

/// The time in which a project raises the same alarm once, in seconds: an hour.
const QUIET_SECS: u32 = 3_600;

/// The alarms that were raised, for this process alone.
#[derive(Default)]
pub(crate) struct Alarms {
    failures: Mutex<HashMap<ProjectName, Timestamp>>,
}

impl Alarms {
    /// A project has used up `project_failures_per_day`: somebody guesses at its codes. Past that
    /// a failure comes back with time, and is used up again at once; the log says it once an hour.
    pub(crate) fn failures_used_up(&self, project: &ProjectName, now: Timestamp) {
        let mut raised = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet_until = raised.get(project).map(|last| last.plus_secs(QUIET_SECS));
        if quiet_until.is_some_and(|until| now < until) {
            return;
        }
        raised.insert(project.clone(), now);
        tracing::error!(
            project = %project,
            limit = "project_failures_per_day",
            "alarm: this project has used up its wrong codes of the day, somebody may be guessing: \
             until it has fewer, its sessions have one guess each, and under the strict profile none"
        );
    }
}
