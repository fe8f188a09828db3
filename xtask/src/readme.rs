//! Runs what README.md and README.de.md show, so that it works when pasted.
//!
//! A fenced block is run when the line before it (blank lines aside) is `<!-- run: NAME -->`.
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

mod block;
mod run;

use crate::environment;
use crate::otpost;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, left_out, text};

use block::Block;

const READMES: [&str; 2] = ["README.md", "README.de.md"];

/// Runs the blocks of each README against a service of its own.
pub(crate) fn test() -> Outcome {
    let mut marked = Vec::new();
    for name in READMES {
        let path = environment::root().join(name);
        let blocks = if path.exists() {
            block::extract(&text(&path)?)?
        } else {
            Vec::new()
        };
        if blocks.is_empty() {
            println!("{name} marks no block to run");
        } else {
            check_order(name, &blocks)?;
            marked.push((name, blocks));
        }
    }
    if marked.is_empty() {
        return Ok(());
    }
    if !answers("curl", &["--version"]) || !answers("bash", &["--version"]) {
        return left_out(
            "the examples of the README: they need curl and bash",
            "install both",
        );
    }
    let binary = otpost::build()?;
    for (name, blocks) in marked {
        println!("\n--- the examples of {name} ---");
        run::run(name, &blocks, &binary)?;
    }
    Ok(())
}

/// A reader starts the service before anything else, and misses none of the first three steps.
fn check_order(name: &str, blocks: &[Block]) -> Outcome {
    let names: Vec<&str> = blocks.iter().map(|block| block.name.as_str()).collect();
    if names.starts_with(&["start", "send", "read", "verify"]) {
        return Ok(());
    }
    Err(Problem::new(
        format!("{name} marks the blocks {}", names.join(", ")),
        "mark start, send, read and verify first, in this order",
    ))
}
