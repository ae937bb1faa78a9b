//! `cargo xtask bench-wasm`: what the filter's `.wasm` costs by itself, in wasmtime (`bench/wasm`).

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tollgate_stack::{Filter, Repository};

use crate::bench::BenchArgs;
use crate::progress::Terminal;

/// Builds the filter as it ships, and the bench, and runs it; its output is its own.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    let repository = Repository::here();
    let wasm = repository.build_wasm(Filter::Shipped, &Terminal::default())?;
    let mut cargo = repository.cargo();
    cargo
        .args(["run", "--quiet", "--profile", "load", "--features", "wasmtime"])
        .args(["-p", "tollgate-wasm-bench", "--", "--wasm"])
        .arg(wasm)
        .args(&args.options);
    let status = cargo.status().context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
