//! `cargo xtask docs`: writes what is generated under `docs/`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tollgate_stack::Repository;

/// Runs the generator: a package of its own, because it is built with the whole sidecar.
pub(crate) fn run() -> Result<ExitCode> {
    let status = Repository::here()
        .cargo()
        .args(["run", "--quiet", "--locked", "--package", "tollgate-reference"])
        .status()
        .context("cannot start cargo")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
