//! A process that is killed leaves neither its server nor its folder behind.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by a panic, and its process says where its server is"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use otpost_cluster::{Binaries, Cluster};

/// The test runs itself in a process of its own, which is told so by this variable.
const IS_HOLDER: &str = "OTPOST_CLUSTER_HOLDER";

#[test]
fn a_killed_process_leaves_neither_server_nor_folder_behind() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };
    if is_holder() {
        return hold_until_killed(&binaries);
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_killed_process_leaves_neither_server_nor_folder_behind")
        .env(IS_HOLDER, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let folder = lines
        .map_while(Result::ok)
        .find_map(|line| {
            line.split_once("folder: ")
                .map(|(_, folder)| folder.to_owned())
        })
        .unwrap();
    let postmaster =
        std::fs::read_to_string(Path::new(&folder).join("data/postmaster.pid")).unwrap();
    let postmaster = Path::new("/proc").join(postmaster.lines().next().unwrap());
    assert!(postmaster.exists());

    // On unix this is SIGKILL: nothing of the holder runs any more.
    holder.kill().unwrap();
    holder.wait().unwrap();

    let begin = Instant::now();
    while postmaster.exists() || Path::new(&folder).exists() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{folder} is still there"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the process that was started above is told"
)]
fn is_holder() -> bool {
    std::env::var_os(IS_HOLDER).is_some()
}

fn hold_until_killed(binaries: &Binaries) {
    let cluster = Cluster::start(binaries).unwrap();
    println!("folder: {}", cluster.socket_folder().display());
    std::io::stdout().flush().unwrap();
    // Also ends when nobody is there to kill it.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}
