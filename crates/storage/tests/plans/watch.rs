//! What the server did for each call of the program.

use std::collections::{BTreeMap, BTreeSet};

use otpost_testkit::ManualClock;

use crate::grown::Grown;
use crate::plan::{self, Plan};

pub(crate) struct Watch<'a> {
    grown: &'a Grown,
    /// How much of the log was read.
    read: usize,
    /// By call, and in it by statement: every plan, the first first.
    seen: BTreeMap<&'static str, BTreeMap<String, Vec<Plan>>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(grown: &'a Grown) -> Self {
        Self {
            grown,
            read: grown.cluster.log().len(),
            seen: BTreeMap::new(),
        }
    }

    /// Awaits a call, and notes what the server did meanwhile.
    pub(crate) async fn of<T, E: std::fmt::Debug>(
        &mut self,
        call: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> T {
        let answer = work.await;
        // On the same connection: what came before is in the log by then.
        let clock = ManualClock::new(otpost_testkit::sample::NOON);
        self.grown.storage.millis_ahead(&clock).await.unwrap();
        let log = self.grown.cluster.log();
        let plans = plan::read(&log[self.read..]);
        self.read = log.len();
        let seen = self.seen.entry(call).or_default();
        for plan in plans {
            if plan.statement.contains("clock_timestamp") {
                continue;
            }
            seen.entry(plan.statement.clone()).or_default().push(plan);
        }
        answer.unwrap_or_else(|error| panic!("{call}: {error:?}"))
    }

    /// A line for each statement of each call: the indexes, the most rows and blocks, and how long
    /// it took at most.
    pub(crate) fn show(&self) {
        println!(
            "{:<24} {:>3} {:>7} {:>7} {:>9}  statement -> indexes",
            "call", "n", "rows", "blocks", "ms"
        );
        for (call, statements) in &self.seen {
            for (statement, plans) in statements {
                let most = |of: fn(&Plan) -> f64| plans.iter().map(of).fold(0.0, f64::max);
                let indexes: BTreeSet<_> = plans.iter().flat_map(|plan| &plan.indexes).collect();
                let indexes: Vec<_> = indexes.into_iter().map(String::as_str).collect();
                println!(
                    "{call:<24} {:>3} {:>7} {:>7} {:>9.3}  {statement} -> {}",
                    plans.len(),
                    most(|plan| plan.rows),
                    most(|plan| plan.blocks),
                    most(|plan| plan.millis),
                    indexes.join(", "),
                );
            }
        }
    }

    /// What no plan may do, each fault once.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = BTreeSet::new();
        for (call, statements) in &self.seen {
            for plan in statements.values().flatten() {
                for fault in &plan.faults {
                    faults.insert(format!("{call}: {} {fault}", plan.statement));
                }
            }
        }
        faults.into_iter().collect()
    }
}
