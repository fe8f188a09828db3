//! Every statement on a database that has grown: each finds its rows by an index, and each index is
//! of use. `cargo xtask plans` runs this on millions of sessions.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(clippy::print_stdout, reason = "the plans are shown")]

mod costs;
mod grown;
mod life;
mod plan;
mod watch;

use grown::Grown;
use otpost_cluster::Binaries;
use watch::Watch;

/// How many sessions there are to be, where more are wanted than [`FEW`].
const ROWS: &str = "OTPOST_PLANS_ROWS";

/// Enough for a planner to prefer an index, and filled in a few seconds.
const FEW: u64 = 20_000;

#[expect(
    clippy::disallowed_methods,
    reason = "whoever wants a larger database says so"
)]
fn rows() -> u64 {
    std::env::var(ROWS).map_or(FEW, |rows| rows.parse().unwrap())
}

#[tokio::test]
async fn every_statement_has_its_index_and_every_index_its_statement() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };
    let grown = Grown::to(rows(), &binaries, 1).await;
    grown.explain();
    let mut watch = Watch::new(&grown);
    life::live(&grown, &mut watch).await;
    let unused = grown.unused_indexes().await;
    life::end(&grown, &mut watch).await;
    grown.storage.close().await;

    watch.show();
    assert_eq!(watch.faults(), Vec::<String>::new());
    assert!(unused.is_empty(), "without a statement: {unused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_writes_what_is_measured() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };
    let grown = Grown::to(rows(), &binaries, costs::CALLERS).await;
    costs::measure(std::sync::Arc::new(grown)).await;
}
