//! What the dependency trees may hold: little, one crypto provider, and nothing with `std` below
//! the domain.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::{cargo, read, run, text};

/// The target without an operating system for which the domain is built.
const BARE: &str = "thumbv7em-none-eabihf";

/// All that the domain needs, its optional `serde` included. Every one of them is `no_std`.
const DOMAIN_MAY_NEED: [&str; 26] = [
    "icu_collections",
    "icu_locale_core",
    "icu_normalizer",
    "icu_normalizer_data",
    "icu_properties",
    "icu_properties_data",
    "icu_provider",
    "idna",
    "idna_adapter",
    "litemap",
    "otpost-domain",
    "potential_utf",
    "serde",
    "serde_core",
    "smallvec",
    "stable_deref_trait",
    "subtle",
    "tinystr",
    "unicode-properties",
    "utf8_iter",
    "utf_types",
    "writeable",
    "yoke",
    "zerofrom",
    "zerotrie",
    "zerovec",
];

/// The most crates the binary may be built from, ours included.
const CRATES_MAX: usize = 330;

/// The one provider of TLS and cryptography.
const PROVIDER: &str = "ring";

/// What must not be in the lock file, not even behind a feature; a prefix ends with `*`.
const NOT_WANTED: [&str; 8] = [
    "aws-lc*",
    "boring*",
    "native-tls",
    "openssl",
    "openssl-sys",
    "rsa",
    "rustls-rustcrypto",
    "mbedtls*",
];

/// The domain alone, since feature unification hides a violation in a build of the workspace.
pub(super) fn domain_is_pure() -> Outcome<Vec<Problem>> {
    let tree = read(&mut cargo(&[
        "tree",
        "-p",
        "otpost-domain",
        "-e",
        "normal,no-proc-macro",
        "--all-features",
        "--prefix",
        "none",
        "-f",
        "{p}|{f}",
    ]))?;
    let mut problems: Vec<Problem> = tree.lines().filter_map(not_for_the_domain).collect();
    let library = text(&environment::root().join("crates/domain/src/lib.rs"))?;
    if !library.lines().any(|line| line.trim() == "#![no_std]") {
        problems.push(Problem::new(
            "crates/domain/src/lib.rs does not say #![no_std]",
            "say it, and take what you need from `core` and `alloc`",
        ));
    }
    if problems.is_empty() {
        build_for_bare_target()?;
    }
    Ok(problems)
}

fn build_for_bare_target() -> Outcome {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(environment::root())
        .args(["--print", "target-libdir", "--target", BARE]);
    let library = read(&mut rustc).unwrap_or_default();
    if !Path::new(library.trim()).is_dir() {
        println!(
            "the domain was judged by its dependency tree alone: {BARE} is not installed \
             (rustup target add {BARE})"
        );
        return Ok(());
    }
    run(
        &mut cargo(&[
            "check",
            "-p",
            "otpost-domain",
            "--all-features",
            "--target",
            BARE,
        ]),
        "something below the domain needs `std`: rustc names it",
    )
}

/// One line of the tree: `name version|features`, a second mention marked `(*)`.
fn not_for_the_domain(line: &str) -> Option<Problem> {
    let (package, features) = line.trim_end_matches(" (*)").split_once('|')?;
    let name = package.split(' ').next()?;
    if !DOMAIN_MAY_NEED.contains(&name) {
        return Some(Problem::new(
            format!("the domain needs {name}, which is not on its list"),
            "do without it; or, if it is no_std and does no I/O, list it in xtask/src/arch/tree.rs",
        ));
    }
    features
        .split(',')
        .any(|feature| feature == "std")
        .then(|| {
            Problem::new(
                format!("the domain needs {name} with its feature `std`"),
                "switch its default features off",
            )
        })
}

pub(super) fn is_small() -> Outcome<Vec<Problem>> {
    let tree = read(&mut cargo(&[
        "tree", "-e", "no-dev", "-p", "otpost", "--prefix", "none",
    ]))?;
    let count = crates(&tree);
    println!("{count} crates (at most {CRATES_MAX})");
    let too_many = count > CRATES_MAX;
    Ok(too_many
        .then(|| {
            Problem::new(
                format!("the binary is built from {count} crates, more than {CRATES_MAX}"),
                "switch default features off; see `cargo tree -e no-dev -p otpost --duplicates`",
            )
        })
        .into_iter()
        .collect())
}

/// How many different packages a tree names.
fn crates(tree: &str) -> usize {
    let packages = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|l| !l.is_empty());
    packages.collect::<BTreeSet<_>>().len()
}

pub(super) fn has_one_provider() -> Outcome<Vec<Problem>> {
    Ok(providers(&text(&environment::root().join("Cargo.lock"))?))
}

fn providers(lock: &str) -> Vec<Problem> {
    let names: BTreeSet<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    let mut problems: Vec<Problem> = names
        .iter()
        .filter(|name| NOT_WANTED.iter().any(|pattern| matches(pattern, name)))
        .map(|name| {
            Problem::new(
                format!("Cargo.lock has {name}, but {PROVIDER} is the only crypto provider"),
                format!("see `cargo tree --workspace --target all -i {name}`; switch it off there"),
            )
        })
        .collect();
    if !names.contains(PROVIDER) {
        problems.push(Problem::new(
            format!("Cargo.lock has no {PROVIDER}"),
            "the provider changed? then change this check, deny.toml and the documents",
        ));
    }
    problems
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(name == pattern, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_is_not_on_the_domains_list_is_found() {
        assert!(not_for_the_domain("subtle v2.6.1|").is_none());
        assert!(not_for_the_domain("yoke v0.8.4|derive,zerofrom (*)").is_none());

        let problem = not_for_the_domain("tokio v1.54.1|rt").unwrap();

        assert!(problem.to_string().contains("the domain needs tokio"));
    }

    #[test]
    fn a_listed_crate_with_std_is_found() {
        assert!(not_for_the_domain("serde v1.0.229|alloc,std").is_some());
    }

    #[test]
    fn a_package_named_twice_in_a_tree_counts_once() {
        let tree = "otpost v0.1.0\na v1.0.0\nb v1.0.0\na v1.0.0 (*)\na v2.0.0\n\n";

        assert_eq!(crates(tree), 4);
    }

    #[test]
    fn another_crypto_provider_in_the_lock_file_is_found() {
        let clean = "name = \"ring\"\nname = \"openssl-probe\"\n";
        assert!(providers(clean).is_empty());

        let found = providers(&format!("{clean}name = \"aws-lc-rs\"\nname = \"rsa\"\n"));

        assert_eq!(found.len(), 2);
        assert!(found[0].to_string().contains("aws-lc-rs"));
    }

    #[test]
    fn a_lock_file_without_the_provider_is_found() {
        assert_eq!(providers("name = \"serde\"\n").len(), 1);
    }
}
