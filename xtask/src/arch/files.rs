//! How long source files are, and how they open.

use std::path::{Path, PathBuf};

use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::text;

/// A file this long has more than one topic.
const LINES_MAX: usize = 600;

/// Half of all files are at most this long.
const MEDIAN_MAX: usize = 150;

/// The folders that hold Rust.
const FOLDERS: [&str; 3] = ["crates", "migrations", "xtask"];

pub(super) fn check() -> Outcome<Vec<Problem>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&environment::root().join(folder), &mut paths)?;
    }
    let mut problems = Vec::new();
    let mut lengths = Vec::new();
    for path in paths {
        let content = text(&path)?;
        let name = path
            .strip_prefix(environment::root())
            .unwrap_or(&path)
            .display()
            .to_string();
        lengths.push(content.lines().count());
        problems.extend(judge(&name, &content));
    }
    let median = median(&mut lengths);
    println!(
        "{} Rust files, median {median} lines (at most {MEDIAN_MAX})",
        lengths.len()
    );
    if median > MEDIAN_MAX {
        problems.push(Problem::new(
            format!("half of the files have more than {MEDIAN_MAX} lines: the median is {median}"),
            "give topics files of their own",
        ));
    }
    Ok(problems)
}

/// All Rust files below `folder`, except what cargo built there.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Outcome {
    let unreadable = |error: std::io::Error| {
        Problem::new(
            format!("cannot read {}: {error}", folder.display()),
            "is it still there?",
        )
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    Ok(())
}

fn judge(name: &str, content: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lines = content.lines().count();
    if lines > LINES_MAX {
        problems.push(Problem::new(
            format!("{name} has {lines} lines, more than {LINES_MAX}"),
            "split it by topic, its tests with it",
        ));
    }
    if !content.starts_with("//!") && !content.starts_with("#!") {
        problems.push(Problem::new(
            format!("{name} does not say what lives there"),
            "open it with one `//!` sentence",
        ));
    }
    problems
}

fn median(lengths: &mut [usize]) -> usize {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_that_opens_with_a_sentence_is_good() {
        assert!(judge("a.rs", "//! Bounds.\n").is_empty());
        assert!(judge("lib.rs", "#![doc = include_str!(\"../README.md\")]\n").is_empty());
    }

    #[test]
    fn a_file_that_opens_with_code_is_found() {
        assert_eq!(judge("a.rs", "use core::fmt;\n").len(), 1);
    }

    #[test]
    fn a_file_is_too_long_from_its_six_hundred_and_first_line() {
        let long = format!("//! Long.\n{}", "//\n".repeat(LINES_MAX - 1));
        assert!(judge("a.rs", &long).is_empty());

        assert_eq!(judge("a.rs", &format!("{long}//\n")).len(), 1);
    }

    #[test]
    fn the_median_is_the_middle_length() {
        assert_eq!(median(&mut [900, 10, 20]), 20);
    }
}
