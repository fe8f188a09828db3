//! The program `otpost`.

use std::process::ExitCode;

use clap::Parser as _;
use otpost::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let outcome = runtime.block_on(otpost::run(cli));
    // A name that is being looked up cannot be called off, and must not hold up the end.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("otpost: {failure}");
    ExitCode::FAILURE
}
