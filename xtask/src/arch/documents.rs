//! Whether the documents name only what is there, and ARCHITECTURE.md every crate.

use std::path::Path;

use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::text;

/// Where paths of the checkout are named in backticks.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "README.md", "README.de.md"];

/// Other documents, whose links must lead somewhere too.
const OTHERS: [&str; 3] = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];

/// Where crates live; each folder in it is one.
const CRATES: &str = "crates";

/// The endings by which a word in backticks is taken for a file.
const ENDINGS: [&str; 9] = [
    ".rs", ".md", ".toml", ".sql", ".yml", ".html", ".txt", ".py", ".sh",
];

pub(super) fn check() -> Outcome<Vec<Problem>> {
    let root = environment::root();
    let crates = names(&root.join(CRATES), Path::is_dir)?;
    // `tests/contract.rs` is a path too: that of a file which crates have.
    let there = |path: &str| {
        let mut folders = crates.iter().map(|name| root.join(CRATES).join(name));
        root.join(path).exists() || folders.any(|folder| folder.join(path).exists())
    };
    let mut problems = Vec::new();
    for name in MAPS {
        let document = text(&root.join(name))?;
        problems.extend(missing(&document, name, there));
        problems.extend(broken_links(&document, name, root));
    }
    for name in OTHERS {
        problems.extend(broken_links(&text(&root.join(name))?, name, root));
    }
    for folder in ["docs", "docs/adr"] {
        for name in names(&root.join(folder), |path| {
            path.extension().is_some_and(|e| e == "md")
        })? {
            let name = format!("{folder}/{name}");
            problems.extend(broken_links(&text(&root.join(&name))?, &name, root));
        }
    }
    problems.extend(unnamed(&text(&root.join("ARCHITECTURE.md"))?, &crates));
    Ok(problems)
}

/// The names in a folder for which `wanted` is true.
fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Outcome<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Problem::new(
            format!("cannot read {}: {error}", folder.display()),
            "is it still there?",
        )
    })?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok(paths
        .filter(|path| wanted(path))
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .collect())
}

/// The paths in backticks that are not there.
fn missing(document: &str, name: &str, exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    prose(document)
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|word| is_path(word, &exists) && !exists(word))
        .map(|word| {
            Problem::new(
                format!("{name} names `{word}`, which is not there"),
                "correct the path",
            )
        })
        .collect()
}

/// A word is taken for a path of ours when its first part is there, or when it ends like a file or
/// a folder. Routes (`/healthz`) and what a run leaves behind are none.
fn is_path(word: &str, exists: impl Fn(&str) -> bool) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let made_by_a_run = ["target/", "otpost-data/", "./", "../"];
    let Some((first, _)) = word.split_once('/') else {
        return false;
    };
    word.chars().all(plain)
        && !first.is_empty()
        && !made_by_a_run.iter().any(|prefix| word.starts_with(prefix))
        && (exists(first) || word.ends_with('/') || ENDINGS.iter().any(|end| word.ends_with(end)))
}

/// The relative links whose target is not there.
fn broken_links(document: &str, name: &str, root: &Path) -> Vec<Problem> {
    let folder = root
        .join(name)
        .parent()
        .map_or_else(|| root.to_owned(), Path::to_path_buf);
    links(document)
        .filter(|target| !folder.join(target).exists())
        .map(|target| {
            Problem::new(
                format!("{name} links to {target}, which is not there"),
                "mend the link",
            )
        })
        .collect()
}

/// The targets of links inside the checkout, without their fragments.
fn links(document: &str) -> impl Iterator<Item = &str> {
    prose(document)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.starts_with('/'))
}

/// The lines outside fenced blocks: those are examples.
fn prose(document: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    document.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The crates that the architecture does not name by folder.
fn unnamed(architecture: &str, crates: &[String]) -> Vec<Problem> {
    crates
        .iter()
        .filter(|name| !names_folder(architecture, &format!("{CRATES}/{name}")))
        .map(|name| {
            Problem::new(
                format!("ARCHITECTURE.md does not name {CRATES}/{name}"),
                "say there what the crate is for, and what it may import",
            )
        })
        .collect()
}

/// `crates/http` is not named by `crates/http2`.
fn names_folder(text: &str, folder: &str) -> bool {
    text.match_indices(folder).any(|(at, _)| {
        let after = text[at + folder.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_checkout(path: &str) -> bool {
        ["crates", "crates/domain", "docs", "docs/api.md"].contains(&path.trim_end_matches('/'))
    }

    #[test]
    fn a_path_that_is_not_there_is_found() {
        let text = "See `crates/domain`, `docs/api.md` and `crates/gone/src/lib.rs`.";

        let found = missing(text, "README.md", in_checkout);

        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().contains("`crates/gone/src/lib.rs`"));
    }

    #[test]
    fn a_misspelt_folder_is_found_by_the_ending_of_its_file() {
        assert_eq!(
            missing("`doc/api.md` `crate/domain/`", "README.md", in_checkout).len(),
            2
        );
    }

    #[test]
    fn routes_media_types_and_what_a_run_leaves_are_no_paths() {
        let text = "`/healthz` `text/plain` `otp-code/v1` `target/debug/otpost` `./otpost-data/x.md` \
                    `POST /api/v1/otp/send` `https://example.com/a.html`";

        assert!(missing(text, "README.md", in_checkout).is_empty());
    }

    #[test]
    fn what_stands_in_a_fenced_block_is_an_example() {
        assert!(missing("```sh\ncat `crates/gone`\n```\n", "README.md", in_checkout).is_empty());
    }

    #[test]
    fn links_are_followed_without_their_fragment_and_foreign_ones_not_at_all() {
        let text = "[a](docs/api.md#send) [b](https://example.com) [c](#here) ![d](docs/x.png)";

        assert_eq!(
            links(text).collect::<Vec<_>>(),
            ["docs/api.md", "docs/x.png"]
        );
    }

    #[test]
    fn a_crate_that_the_architecture_does_not_name_is_found() {
        let crates = ["http".to_owned(), "mail".to_owned()];

        assert_eq!(
            unnamed("`crates/mail` and `crates/http2`", &crates).len(),
            1
        );
        assert!(unnamed("crates/mail, crates/http", &crates).is_empty());
    }
}
