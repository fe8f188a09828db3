//! What a plan in the server's log says, and what it may not.

use std::collections::BTreeSet;

use serde_json::Value;

/// Tables that grow with every session, partitions included.
const GROWING: [&str; 5] = [
    "sessions",
    "deliveries",
    "counters",
    "kept_answers",
    "audit_log",
];

/// The most rows that a step of a plan touches, whatever the tables hold: the purge takes eight
/// answers for each of 1000 sessions.
const ROWS_MAX: f64 = 10_000.0;

/// One statement as it was carried out.
pub(crate) struct Plan {
    /// The statement, shortened.
    pub(crate) statement: String,
    pub(crate) indexes: BTreeSet<String>,
    /// The rows that the step which touched most has touched.
    pub(crate) rows: f64,
    pub(crate) blocks: f64,
    pub(crate) millis: f64,
    pub(crate) faults: Vec<String>,
}

/// The plans in a part of a log.
pub(crate) fn read(log: &str) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, rest)) = line.split_once("duration: ") else {
            continue;
        };
        let Some(millis) = rest.strip_suffix(" ms  plan:") else {
            continue;
        };
        let mut json = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            json.push_str(line);
        }
        let said: Value = serde_json::from_str(&json).unwrap();
        let mut plan = Plan {
            statement: shortened(said["Query Text"].as_str().unwrap()),
            indexes: BTreeSet::new(),
            rows: 0.0,
            blocks: number(&said["Plan"], "Shared Hit Blocks")
                + number(&said["Plan"], "Shared Read Blocks"),
            millis: millis.parse().unwrap(),
            faults: Vec::new(),
        };
        plan.add(&said["Plan"]);
        plans.push(plan);
    }
    plans
}

impl Plan {
    fn add(&mut self, node: &Value) {
        let text = |key: &str| node[key].as_str().unwrap_or_default();
        let (kind, relation, index) =
            (text("Node Type"), text("Relation Name"), text("Index Name"));
        // One that the values at hand left out was not carried out.
        let turns = number(node, "Actual Loops");
        if !index.is_empty() && turns > 0.0 {
            self.indexes.insert(of_any_day(index));
        }
        if kind == "Seq Scan" && GROWING.iter().any(|table| relation.starts_with(table)) {
            self.faults.push(format!("reads all of {relation}"));
        }
        // Of an empty table each index looks as good as any other, and a plan is kept.
        let searched = text("Index Cond");
        let is_searched = !searched.is_empty()
            && (!index.contains("recipient") || searched.contains("recipient"));
        if !index.is_empty() && relation.starts_with("sessions") && !is_searched {
            self.faults.push(format!("reads all of {index}"));
        }
        let left_out = number(node, "Rows Removed by Filter")
            + number(node, "Rows Removed by Index Recheck")
            + number(node, "Rows Removed by Join Filter");
        let rows = (number(node, "Actual Rows") + left_out) * turns;
        self.rows = self.rows.max(rows);
        if rows > ROWS_MAX {
            self.faults
                .push(format!("{kind} {relation}{index}: {rows} rows"));
        }
        for below in node["Plans"].as_array().into_iter().flatten() {
            self.add(below);
        }
    }
}

fn number(node: &Value, key: &str) -> f64 {
    node[key].as_f64().unwrap_or_default()
}

/// The name of an index, the same for the partition of any day.
fn of_any_day(index: &str) -> String {
    let is_day = |part: &str| part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = index
        .split('_')
        .map(|part| if is_day(part) { "DAY" } else { part });
    parts.collect::<Vec<_>>().join("_")
}

/// The verb, the table, and what follows `WHERE`: the same statement has the same text, however
/// many values it names.
fn shortened(sql: &str) -> String {
    let sql = sql.replace('"', "");
    let verb = sql.split_whitespace().next().unwrap_or_default();
    let table = ["FROM ", "INTO ", "UPDATE "]
        .iter()
        .filter_map(|word| sql.split_once(word))
        .min_by_key(|(before, _)| before.len())
        .and_then(|(_, after)| after.split_whitespace().next())
        .unwrap_or_default();
    let conditions = sql.split_once(" WHERE ").map_or("", |(_, after)| after);
    let conditions: String = conditions.replace(&format!("{table}."), "");
    let conditions = collapsed(&conditions);
    let mut text = format!("{verb} {table} {conditions}");
    if let Some((end, _)) = text.char_indices().nth(90) {
        text.truncate(end);
    }
    text
}

/// Without the numbers of the values, and with a list of them as one.
fn collapsed(conditions: &str) -> String {
    let mut text = String::new();
    for word in conditions.split_inclusive(' ') {
        let value = word.trim_matches(|end: char| "(), ".contains(end));
        let is_value = value
            .strip_prefix('$')
            .is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        if !is_value {
            text.push_str(word);
        } else if !text.ends_with("$ ") {
            text.push_str("$ ");
        }
    }
    text
}

#[test]
fn a_plan_that_reads_a_whole_table_or_too_many_rows_is_at_fault() {
    let log = |plan: &str| {
        format!(
            "2026-01-10 UTC [1] LOG:  duration: 0.5 ms  plan:\n\t{{\n\t  \"Query Text\": \"SELECT \
             \\\"x\\\" FROM \\\"counters\\\" WHERE \\\"subject\\\" IN ($1, $2)\",\n\t  \"Plan\": {plan}\n\t}}\n\
             2026-01-10 UTC [1] LOG:  checkpoint starting\n"
        )
    };
    let whole = r#"{"Node Type": "Limit", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "counters"}]}"#;
    let many = r#"{"Node Type": "Index Scan", "Index Name": "sessions_20260110_pkey", "Actual Rows": 1,
        "Rows Removed by Filter": 5000, "Actual Loops": 3}"#;
    let good = r#"{"Node Type": "Index Scan", "Index Name": "sessions_20260110_pkey", "Actual Rows": 1,
        "Actual Loops": 1}"#;
    for (plan, faults) in [
        (whole, vec!["reads all of counters"]),
        (many, vec!["Index Scan sessions_20260110_pkey: 15003 rows"]),
        (good, vec![]),
    ] {
        let [read] = &read(&log(&plan.replace('\n', "\n\t")))[..] else {
            panic!("one plan: {plan}")
        };
        assert_eq!(read.faults, faults);
        assert_eq!(read.statement, "SELECT counters subject IN $ ");
    }
}
