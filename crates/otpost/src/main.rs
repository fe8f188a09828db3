//! The program `otpost`.

use std::process::ExitCode;

use clap::Parser as _;
use otpost::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match otpost::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("otpost: {failure}");
            ExitCode::FAILURE
        }
    }
}
