//! `cargo xtask bench`: builds the bench as quick as it must be, and runs it.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use tollgate_stack::Repository;
use tollgate_stack::repository::TOOLS_PROFILE;

/// Options of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Options of the bench itself, such as `--quick`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) options: Vec<String>,
}

/// Runs the bench; its output is its own.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    let mut cargo = Repository::here().cargo();
    cargo
        .args([
            "run",
            "--quiet",
            "--profile",
            "load",
            "-p",
            "tollgate-bench",
            "--",
        ])
        .args(&args.options)
        // The sidecar shares a core with the load: one that is not optimised would take it away.
        .env(TOOLS_PROFILE, "load");
    let status = cargo.status().context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
