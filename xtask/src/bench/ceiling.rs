//! What HTTP and JSON alone can do on this machine: the same answer, and nothing behind it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::requests::Pair;
use super::site::free_host;
use super::wrk::{self, Rate, Target};
use crate::background::Background;
use crate::environment;
use crate::problem::Outcome;
use crate::process::{cargo, run};

/// Sessions that there are not: as many different bodies.
const BODIES: u32 = 10_000;

/// Builds the example `ceiling` of the HTTP crate: a server with the settings of the product's.
pub(super) fn build() -> Outcome<PathBuf> {
    let words = ["build", "--release", "--quiet", "--package", "otpost-http"];
    run(
        &mut cargo(&[&words[..], &["--example", "ceiling"]].concat()),
        "mend what the compiler names",
    )?;
    Ok(environment::target().join("release/examples/ceiling"))
}

/// Measures that program, which has the machine to itself.
pub(super) fn measure(program: &Path, folder: &Path, time: Duration) -> Outcome<Rate> {
    let host = free_host()?;
    let log = folder.join("ceiling.log");
    let mut server = Background::start("ceiling", program, [&host], folder, &log)?;
    server.until("its port", Duration::from_secs(10), |_| {
        std::net::TcpStream::connect(&host).ok().map(|_| ())
    })?;
    // As long as those of the product.
    let pairs = (0..BODIES).map(|number| Pair {
        session: format!("{number:0>30}"),
        code: format!("{number:06}"),
    });
    let pairs: Vec<Pair> = pairs.collect();
    let key = "otp_live_00000000_000000000000000000000000000000000000000000";
    let target = Target {
        host: &host,
        key,
        folder,
        name: "ceiling",
        connections: wrk::CONNECTIONS,
    };
    wrk::verify_again(&target, &pairs, Duration::from_secs(1))?;
    wrk::verify_again(&target, &pairs, time)
}
