//! Whether the table of ARCHITECTURE.md says the imports that are checked.

use std::collections::BTreeSet;

use super::{Package, TABLE};
use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::text;

/// What stands for no import.
const NOTHING: &str = "nothing of ours";

pub(super) fn check() -> Outcome<Vec<Problem>> {
    let document = text(&environment::root().join("ARCHITECTURE.md"))?;
    Ok(compare(&rows(&document), &TABLE))
}

/// A row of the document: a package, and what it may import.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    imports: BTreeSet<String>,
}

/// The rows of the table with the columns crate, what it is, and imports.
fn rows(document: &str) -> Vec<Row> {
    let table = document
        .lines()
        .skip_while(|line| !is_head(line))
        // The head, and the line below it.
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    table.filter_map(row).collect()
}

fn is_head(line: &str) -> bool {
    let cells = cells(line);
    cells.first() == Some(&"crate") && cells.last() == Some(&"imports")
}

fn row(line: &str) -> Option<Row> {
    let cells = cells(line);
    let (folder, imports) = (cells.first()?, cells.last()?);
    let imports = imports.split(',').map(str::trim);
    Some(Row {
        name: package(folder),
        imports: imports.filter(|one| *one != NOTHING).map(package).collect(),
    })
}

fn cells(line: &str) -> Vec<&str> {
    let inner = line.trim().trim_matches('|');
    inner.split('|').map(str::trim).collect()
}

/// The package of a crate that is named by its folder or by the last part of it.
fn package(written: &str) -> String {
    let folder = written.trim_matches('`');
    match folder.strip_prefix("crates/").unwrap_or(folder) {
        own @ ("otpost" | "xtask") => own.to_owned(),
        part => format!("otpost-{part}"),
    }
}

fn compare(rows: &[Row], table: &[Package]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in table {
        let name = package.name;
        let allowed: BTreeSet<&str> = package.may_import.iter().copied().collect();
        match rows.iter().find(|row| row.name == name) {
            None => problems.push(differs(&format!("it has no row for {name}"))),
            Some(row)
                if row
                    .imports
                    .iter()
                    .map(String::as_str)
                    .ne(allowed.iter().copied()) =>
            {
                let list = |names: Vec<&str>| match names.as_slice() {
                    [] => NOTHING.to_owned(),
                    names => names.join(", "),
                };
                problems.push(differs(&format!(
                    "{name} imports {}, and may import {}",
                    list(row.imports.iter().map(String::as_str).collect()),
                    list(allowed.into_iter().collect()),
                )));
            }
            Some(_) => {}
        }
    }
    let is_known = |row: &&Row| table.iter().any(|package| package.name == row.name);
    let unknown = rows.iter().filter(|row| !is_known(row));
    problems.extend(unknown.map(|row| differs(&format!("it has a row for {}", row.name))));
    problems
}

fn differs(how: &str) -> Problem {
    Problem::new(
        format!("the table of ARCHITECTURE.md is not that of xtask/src/arch.rs: {how}"),
        "edit the one that is wrong",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\
| other | table |
|---|---|
| `crates/gone` | x |

| crate | what it is | imports |
|---|---|---|
| `crates/otpost` | the binary | http, domain, `migrations` |
| `crates/http` | routes | domain |
| `crates/domain` | values | nothing of ours |
| `xtask` | chores | nothing of ours |

| `crates/later` | no row | of it |
";

    const SAME: [Package; 4] = [
        Package {
            name: "otpost",
            may_import: &["otpost-migrations", "otpost-http", "otpost-domain"],
        },
        Package {
            name: "otpost-http",
            may_import: &["otpost-domain"],
        },
        Package {
            name: "otpost-domain",
            may_import: &[],
        },
        Package {
            name: "xtask",
            may_import: &[],
        },
    ];

    #[test]
    fn a_table_that_says_the_same_in_another_order_is_good() {
        let found = rows(DOCUMENT);

        assert_eq!(found.len(), 4);
        assert!(compare(&found, &SAME).is_empty());
    }

    #[test]
    fn an_import_too_many_or_too_few_is_found() {
        for (from, to) in [
            ("| routes | domain |", "| routes | domain, ports |"),
            ("| routes | domain |", "| routes | nothing of ours |"),
            ("http, domain, `migrations`", "http, domain"),
        ] {
            let found = compare(&rows(&DOCUMENT.replace(from, to)), &SAME);
            assert_eq!(found.len(), 1, "{from} {to}");
        }
    }

    #[test]
    fn a_row_too_many_or_too_few_is_found() {
        let text = DOCUMENT.replace("`xtask`", "`crates/utils`");
        assert_eq!(compare(&rows(&text), &SAME).len(), 2);
        assert_eq!(compare(&rows("# No table\n"), &SAME).len(), SAME.len());
    }
}
