//! Which of our packages may import which, compared with `cargo metadata`.

use serde_json::Value;

use super::{FOR_TESTS, TABLE};
use crate::problem::{Outcome, Problem};
use crate::process::{cargo, read};

/// One dependency between two packages of ours.
#[derive(Debug, PartialEq, Eq)]
struct Arrow {
    from: String,
    to: String,
    for_tests: bool,
}

pub(super) fn check() -> Outcome<Vec<Problem>> {
    let metadata = read(&mut cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| {
        Problem::new(
            format!("`cargo metadata` is no JSON: {error}"),
            "run it by hand",
        )
    })?;
    let packages = packages(&metadata);
    let mut problems = strangers(&packages);
    problems.extend(arrows(&metadata, &packages).iter().filter_map(forbidden));
    Ok(problems)
}

/// The names of all packages of the workspace.
fn packages(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|package| package["name"].as_str().map(str::to_owned))
        .collect()
}

/// The dependencies whose both ends are ours, also the optional and the renamed ones.
fn arrows(metadata: &Value, ours: &[String]) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let (Some(from), Some(to)) = (package["name"].as_str(), dependency["name"].as_str())
            else {
                continue;
            };
            if ours.iter().any(|name| name == to) {
                let for_tests = dependency["kind"] == "dev";
                arrows.push(Arrow {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    for_tests,
                });
            }
        }
    }
    arrows
}

/// Packages that the table does not know, and rows without a package.
fn strangers(packages: &[String]) -> Vec<Problem> {
    let unknown = packages
        .iter()
        .filter(|name| TABLE.iter().all(|row| row.name != **name))
        .map(|name| format!("the package {name} has no row in the table of the crates"));
    let gone = TABLE
        .iter()
        .filter(|row| packages.iter().all(|name| name != row.name))
        .map(|row| {
            format!(
                "the table of the crates has a row for {}, which is gone",
                row.name
            )
        });
    unknown
        .chain(gone)
        .map(|what| Problem::new(what, "edit xtask/src/arch.rs and ARCHITECTURE.md"))
        .collect()
}

fn forbidden(arrow: &Arrow) -> Option<Problem> {
    let row = TABLE.iter().find(|row| row.name == arrow.from)?;
    let allowed = row.may_import.contains(&arrow.to.as_str())
        || (arrow.for_tests && FOR_TESTS.contains(&arrow.to.as_str()));
    (!allowed).then(|| {
        let list = if row.may_import.is_empty() {
            "nothing of ours".to_owned()
        } else {
            row.may_import.join(", ")
        };
        Problem::new(
            format!("{} imports {}", arrow.from, arrow.to),
            format!("remove the dependency; {} may import {list}", arrow.from),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &str, to: &str, for_tests: bool) -> Arrow {
        Arrow {
            from: from.to_owned(),
            to: to.to_owned(),
            for_tests,
        }
    }

    #[test]
    fn an_arrow_of_the_table_is_allowed_and_any_other_is_not() {
        assert!(forbidden(&arrow("otpost-http", "otpost-service", false)).is_none());

        let problem = forbidden(&arrow("otpost-http", "otpost-ports", false)).unwrap();

        let text = problem.to_string();
        assert!(text.contains("otpost-http imports otpost-ports"), "{text}");
        assert!(
            text.contains("may import otpost-service, otpost-domain"),
            "{text}"
        );
    }

    #[test]
    fn only_tests_may_import_what_is_for_tests() {
        for helper in FOR_TESTS {
            assert!(forbidden(&arrow("otpost-storage", helper, true)).is_none());
            assert!(forbidden(&arrow("otpost-storage", helper, false)).is_some());
            assert!(forbidden(&arrow("otpost", helper, false)).is_some());
        }
    }

    #[test]
    fn tests_may_not_go_round_the_table_either() {
        assert!(forbidden(&arrow("otpost-service", "otpost-storage", true)).is_some());
    }

    #[test]
    fn arrows_are_read_from_metadata_and_foreign_crates_are_none() {
        let metadata = serde_json::json!({"packages": [
            {"name": "otpost-domain", "dependencies": [{"name": "serde", "kind": null}]},
            {"name": "otpost-ports", "dependencies": [
                {"name": "otpost-domain", "kind": null, "rename": "core"},
                {"name": "otpost-domain", "kind": "dev"},
            ]},
        ]});

        let found = arrows(&metadata, &packages(&metadata));

        let expected = [false, true].map(|dev| arrow("otpost-ports", "otpost-domain", dev));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_package_without_a_row_is_found_and_so_is_a_row_without_a_package() {
        let mut packages: Vec<String> = TABLE.iter().map(|row| row.name.to_owned()).collect();
        assert!(strangers(&packages).is_empty());

        "otpost-utils".clone_into(&mut packages[0]);

        assert_eq!(strangers(&packages).len(), 2);
    }
}
