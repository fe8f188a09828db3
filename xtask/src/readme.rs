//! Runs what README.md and README.de.md show, so that it works when pasted.
//!
//! A fenced block is run when the line before it (blank lines aside) is `<!-- run: NAME -->`. Each
//! README marks all of these, in this order:
//!
//! | name | fence | what happens |
//! |---|---|---|
//! | `start` | `sh` | its one line with `cargo run … -- ARGUMENTS` starts the debug binary with these arguments |
//! | `send`, `read`, `verify` | `sh` | run in this order, in one shell, so that variables live on; the whole must print `"verified":true` |
//! | `curl-example` | `sh` | the documented page's example; its send succeeds, and its made-up session is `SESSION_NOT_FOUND` |
//! | `js-example` | `js` | the documented page's example, run by node as a module; its `data.success` is true |
//!
//! All run in an empty folder, where the binary makes `otpost-data`. Nothing in them is changed but
//! `http://127.0.0.1:8080`, when another port had to be taken, and the placeholders of the documented
//! page: `https://dev.mailpass.im` becomes the base URL, `YOUR_API_KEY` the key of `dev.env`.

pub(crate) mod block;
mod run;

use crate::environment;
use crate::otpost;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, left_out, text};

use block::Block;

const READMES: [&str; 2] = ["README.md", "README.de.md"];

/// The blocks of each, in the order of the reader.
const NAMES: [&str; 6] = [
    "start",
    "send",
    "read",
    "verify",
    "curl-example",
    "js-example",
];

/// Runs the blocks of each README against a service of its own.
pub(crate) fn test() -> Outcome {
    let mut readmes = Vec::new();
    for name in READMES {
        let document = text(&environment::root().join(name))?;
        readmes.push((name, blocks(name, &document)?));
    }
    if !answers("curl", &["--version"]) || !answers("bash", &["--version"]) {
        return left_out(
            "the examples of the README: they need curl and bash",
            "install both",
        );
    }
    let binary = otpost::build()?;
    for (name, blocks) in readmes {
        println!("\n--- the examples of {name} ---");
        run::run(name, &blocks, &binary)?;
    }
    Ok(())
}

/// The marked blocks of a README, which must be all that a reader is promised and no other.
fn blocks(readme: &str, document: &str) -> Outcome<[Block; NAMES.len()]> {
    let blocks = block::extract(document)?;
    let names: Vec<String> = blocks.iter().map(|block| block.name.clone()).collect();
    let found = if names == NAMES {
        blocks.try_into().ok()
    } else {
        None
    };
    found.ok_or_else(|| {
        Problem::new(
            format!("{readme} marks the blocks [{}]", names.join(", ")),
            format!("mark these, in this order: {}", NAMES.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readme<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
        let block = |name| format!("<!-- run: {name} -->\n```sh\ntrue\n```\n");
        names.into_iter().map(block).collect()
    }

    #[test]
    fn a_readme_marks_every_block_in_order() {
        let found = blocks("README.md", &readme(NAMES)).unwrap();

        assert_eq!(found.map(|block| block.name), NAMES);
    }

    #[test]
    fn a_readme_that_lost_a_mark_or_all_of_them_fails() {
        for lost in NAMES {
            let document = readme(NAMES.into_iter().filter(|name| *name != lost));
            assert!(blocks("README.md", &document).is_err(), "{lost}");
        }
        assert!(blocks("README.md", "# otpost\n").is_err());
    }

    #[test]
    fn a_readme_with_another_order_or_an_unknown_block_fails() {
        let mut swapped = NAMES;
        swapped.swap(1, 3);
        assert!(blocks("README.md", &readme(swapped)).is_err());
        let more = NAMES.into_iter().chain(["more"]);
        assert!(blocks("README.md", &readme(more)).is_err());
    }
}
