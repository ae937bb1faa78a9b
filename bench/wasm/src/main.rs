//! `cargo xtask bench-wasm`: what the filter's `.wasm` costs by itself, in wasmtime: instructions and host calls of each
//! callback, memory, start-up, and what all that grows with. Instructions are the same on a busy machine.
//!
//! A bound that is broken ends it with an error, after everything was measured.

mod gateway;
mod host;
mod measure;
mod vm;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use measure::Bench;

/// What the filter's .wasm costs by itself
#[derive(Debug, Parser)]
struct Args {
    /// The filter
    #[arg(long, default_value = "target/wasm32-wasip1/release/tollgate.wasm")]
    wasm: PathBuf,
    /// Measure only this
    #[arg(long)]
    only: Option<Part>,
    /// How many exchanges, each with a key, a session and an address of its own, must not make anything grow
    #[arg(long, default_value_t = 1_000_000)]
    growth: u64,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Each callback of an exchange.
    Callbacks,
    /// An exchange without one thing or another.
    Features,
    /// A configuration of 10,000 keys, and the memory of a VM.
    Start,
    /// Cost by the number of keys, limits and budgets.
    Scale,
    /// Memory over a million of different keys, sessions and addresses.
    Growth,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let does = |part| args.only.is_none_or(|only| only == part);
    let mut bench = Bench::new(args.wasm)?;
    if does(Part::Callbacks) {
        bench.callbacks()?;
    }
    if does(Part::Features) {
        bench.features()?;
    }
    if does(Part::Start) {
        bench.start()?;
    }
    if does(Part::Scale) {
        bench.scale()?;
    }
    if does(Part::Growth) && args.growth > 0 {
        bench.growth(args.growth)?;
    }
    for broken in &bench.broken {
        writeln!(std::io::stderr(), "error: {broken}")?;
    }
    Ok(if bench.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
