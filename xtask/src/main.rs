//! The developer's one front door: `cargo xtask up | down | test | check | docs | bench`.

mod bench;
mod bench_tokens;
mod bench_wasm;
mod check;
mod docs;
mod down;
mod progress;
mod suite;
mod up;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs, tests and checks Tollgate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts Envoy with the filter, the sidecar and a mock provider, with demo keys
    Up(up::UpArgs),
    /// Ends what `up` started
    Down(down::DownArgs),
    /// Runs everything that CI runs
    Test(suite::TestArgs),
    /// Validates the Tollgate configuration in an Envoy file, with the filter's own code
    Check(check::CheckArgs),
    /// Measures how fast tokens are counted inside the real Envoy
    BenchTokens(bench_tokens::BenchTokensArgs),
    /// Writes the reference of the configurations from their types: docs/*configuration.md and docs/*.schema.json
    Docs,
    /// Measures what the filter's .wasm costs by itself: instructions of each callback, memory, start-up
    BenchWasm(bench::BenchArgs),
    /// Measures what governance costs, beside bare Envoy and others: `bench -- --help` lists the options
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Task::Up(args) => up::run(args),
        Task::Down(args) => down::run(&args),
        Task::Test(args) => suite::run(&args),
        Task::Check(args) => check::run(&args),
        Task::BenchTokens(args) => bench_tokens::run(args),
        Task::Docs => docs::run(),
        Task::BenchWasm(args) => bench_wasm::run(&args),
        Task::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Where stderr is gone there is nobody to tell; the exit code still says it.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
