//! Whether the house still stands as ARCHITECTURE.md draws it.

mod arrows;
mod documents;
mod files;
mod map;
mod tree;

use crate::problem::{Outcome, Problem};

/// A package of ours, and the ones it may import.
struct Package {
    name: &'static str,
    may_import: &'static [&'static str],
}

/// The table of ARCHITECTURE.md, level by level; arrows point downwards only.
const TABLE: [Package; 12] = [
    Package {
        name: "otpost",
        may_import: &[
            "otpost-http",
            "otpost-service",
            "otpost-storage",
            "otpost-mail",
            "otpost-crypto",
            "otpost-ports",
            "otpost-domain",
            "otpost-migrations",
        ],
    },
    Package {
        name: "otpost-http",
        may_import: &["otpost-service", "otpost-domain"],
    },
    Package {
        name: "otpost-service",
        may_import: &["otpost-ports", "otpost-domain"],
    },
    Package {
        name: "otpost-storage",
        may_import: &["otpost-ports", "otpost-domain", "otpost-migrations"],
    },
    Package {
        name: "otpost-mail",
        may_import: &["otpost-ports", "otpost-domain"],
    },
    Package {
        name: "otpost-crypto",
        may_import: &["otpost-ports", "otpost-domain"],
    },
    Package {
        name: "otpost-testkit",
        may_import: &["otpost-ports", "otpost-domain"],
    },
    Package {
        name: "otpost-ports",
        may_import: &["otpost-domain"],
    },
    Package {
        name: "otpost-migrations",
        may_import: &[],
    },
    Package {
        name: "otpost-domain",
        may_import: &[],
    },
    Package {
        name: "xtask",
        may_import: &["otpost-cluster"],
    },
    Package {
        name: "otpost-cluster",
        may_import: &[],
    },
];

/// Tests of any package may also use the fakes and contract suites, and PostgreSQL servers.
const FOR_TESTS: [&str; 2] = ["otpost-testkit", "otpost-cluster"];

/// Finds what is wrong; an error means that it could not look, which is wrong too.
type Check = fn() -> Outcome<Vec<Problem>>;

/// Runs all checks and tells every problem at once.
pub(crate) fn check() -> Outcome {
    let checks: [(&str, Check); 7] = [
        ("arrows between crates", arrows::check),
        ("the table of ARCHITECTURE.md", map::check),
        ("the domain is pure", tree::domain_is_pure),
        ("size of the dependency tree", tree::is_small),
        ("one TLS and crypto provider", tree::has_one_provider),
        ("paths in the documents", documents::check),
        ("sources: size and first line", files::check),
    ];
    let mut problems = Vec::new();
    for (name, check) in checks {
        let found = check().unwrap_or_else(|problem| vec![problem]);
        println!(
            "{name}: {}",
            if found.is_empty() {
                "as it should be"
            } else {
                "WRONG"
            }
        );
        problems.extend(found);
    }
    for problem in &problems {
        println!("\n- {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(Problem::new(
            format!("{count} rules are broken"),
            "see the list above",
        )),
    }
}
