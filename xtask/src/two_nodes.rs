//! Runs what docs/scaling.md shows of two nodes behind a proxy, so that it works when pasted.
//!
//! A block is marked as in a README (`<!-- run: NAME -->`). `start` runs in the background, in a folder
//! with nothing in it but `docs`; the others run after one another in one shell, while it is there.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use otpost_cluster::Binaries;

use crate::background::Background;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, empty, left_out, read, text};
use crate::readme::block::{self, Block};
use crate::{environment, otpost};

const DOCUMENT: &str = "docs/scaling.md";
/// The blocks of the document, in the order of the reader.
const NAMES: [&str; 5] = ["start", "send", "guess", "stop", "verify"];
/// What they print, in this order.
const PROMISES: [&str; 3] = [
    r#""attempts_remaining":4"#,
    r#""attempts_remaining":3"#,
    r#""verified":true"#,
];
/// The variables by which the script takes other ports than the document says.
const PORTS: [&str; 3] = ["PROXY_PORT", "A_PORT", "B_PORT"];
/// A database is made, and debug builds start on a busy machine.
const START: Duration = Duration::from_mins(2);
/// How long all of it may take to end.
const END: Duration = Duration::from_secs(15);

/// Runs the blocks of the document, and sees that nothing is left.
pub(crate) fn run() -> Outcome {
    let document = text(&environment::root().join(DOCUMENT))?;
    let blocks = block::extract(&document)?;
    if blocks.iter().map(|block| &block.name).ne(NAMES.iter()) {
        return Err(Problem::new(
            format!("{DOCUMENT} marks other blocks than are run"),
            format!("mark these, in this order: {}", NAMES.join(", ")),
        ));
    }
    if !is_possible() {
        return left_out(
            "two nodes behind a proxy: they need PostgreSQL, HAProxy, curl and bash",
            "Debian: apt-get install postgresql haproxy curl",
        );
    }
    let binary = otpost::build()?;
    let folder = environment::scratch("two-nodes");
    empty(&folder)?;
    let linked = symlink(environment::root().join("docs"), folder.join("docs"));
    linked.map_err(|error| Problem::new(format!("cannot link docs: {error}"), "mend that"))?;

    let ports = free_ports()?;
    let begin = Instant::now();
    let mut nodes = start(&blocks[0], &binary, &folder, ports)?;
    nodes.until("the nodes", START, |said| {
        said.contains("Running").then_some(())
    })?;
    println!("start: ready after {} s", begin.elapsed().as_secs());
    let said = shell(&blocks[1..], &folder)?;
    print!("{said}");
    let mut rest = said.as_str();
    for promise in PROMISES {
        let Some((_, after)) = rest.split_once(promise) else {
            return Err(broken(promise, &said));
        };
        rest = after;
    }

    let begin = Instant::now();
    drop(nodes);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    while !ports.iter().all(is_free) && begin.elapsed() < END {
        std::thread::sleep(Duration::from_millis(50));
    }
    if begin.elapsed() >= END {
        return Err(broken("everything ends when it is asked to", ""));
    }
    println!("ended: after {} s", begin.elapsed().as_secs());
    Ok(())
}

fn is_possible() -> bool {
    let has_proxy = answers("haproxy", &["-v"]) || answers("/usr/sbin/haproxy", &["-v"]);
    let has_shell = answers("curl", &["--version"]) && answers("bash", &["--version"]);
    has_proxy && has_shell && Binaries::find().is_some()
}

fn start(block: &Block, binary: &Path, folder: &Path, ports: [u16; 3]) -> Outcome<Background> {
    let ports = PORTS.iter().zip(ports);
    let mut words: Vec<String> = ports.map(|(name, port)| format!("{name}={port}")).collect();
    words.push(format!("OTPOST={}", binary.display()));
    // The script itself is to hear that it is to end.
    words.extend(["bash".into(), "-c".into(), format!("exec {}", block.text)]);
    let log = folder.join("start.log");
    Background::start("start.sh", Path::new("env"), words, folder, &log)
}

/// Runs the blocks in one shell that stops at the first command that fails.
fn shell(blocks: &[Block], folder: &Path) -> Outcome<String> {
    let texts = blocks.iter().map(|block| block.text.as_str());
    let script: Vec<&str> = std::iter::once("set -e -o pipefail").chain(texts).collect();
    read(
        Command::new("bash")
            .args(["-c", &script.join("\n")])
            .current_dir(folder),
    )
}

fn free_ports() -> Outcome<[u16; 3]> {
    // All are held until all are found: no two are the same.
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held: Result<Vec<_>, _> = (0..PORTS.len()).map(bind).collect();
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    let ports = held.and_then(|held| held.iter().map(port).collect::<Result<Vec<_>, _>>());
    let ports = ports.ok().and_then(|ports| ports.try_into().ok());
    ports.ok_or_else(|| Problem::new("there is no free port", "end what listens"))
}

fn broken(promise: &str, said: &str) -> Problem {
    Problem::new(
        format!("{DOCUMENT} does not keep its word: {promise}"),
        format!("see target/xtask/two-nodes; it printed:\n{said}"),
    )
}
