//! `cargo xtask test`: everything that CI runs, cheapest first.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::progress::{Progress, run as run_step};
use tollgate_stack::{Filter, Repository};

use crate::progress::Terminal;

/// The version of cargo-deny that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

/// Options of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Leave out cargo-deny, whose installation takes minutes where it is not there
    #[arg(long)]
    skip_deny: bool,
}

/// Runs all steps; the first that fails ends it.
pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    let repository = Repository::here();
    let progress = Terminal::default();
    let cargo = |what: &str, arguments: &[&str]| {
        run_step(&progress, what, repository.cargo().args(arguments))
            .with_context(|| format!("to see all of it: cargo {}", arguments.join(" ")))
    };
    rustup_parts(&repository, &progress)?;
    cargo("checking the format", &["fmt", "--all", "--check"])?;
    cargo(
        "checking lints",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    if !args.skip_deny {
        let deny = cargo_deny(&repository, &progress)?;
        let mut command = Command::new(deny);
        command
            .current_dir(repository.root())
            .args(["--offline", "check", "licenses", "bans", "sources"]);
        run_step(
            &progress,
            "checking licences and sources of dependencies",
            &mut command,
        )?;
    }
    repository.build(Filter::Shipped, &progress)?;
    EnvoySource::default().binary(&repository, &progress)?;
    cargo(
        "checking the documentation's links",
        &["doc", "--workspace", "--no-deps", "--locked"],
    )?;
    cargo(
        "testing the packages",
        &["test", "--workspace", "--exclude", "tollgate-tests", "--locked"],
    )?;
    cargo(
        "testing end to end on the real Envoy",
        &["test", "-p", "tollgate-tests", "--locked"],
    )?;
    Ok(ExitCode::SUCCESS)
}

/// What `rust-toolchain.toml` names is fetched by the first call; this says what to do where it is not.
fn rustup_parts(repository: &Repository, progress: &dyn Progress) -> Result<()> {
    run_step(
        progress,
        "checking the toolchain",
        repository.cargo().arg("--version"),
    )
    .context("cargo is needed, with rustup for the toolchain of rust-toolchain.toml: https://rustup.rs")
}

/// cargo-deny from the PATH, or installed under `target/`.
fn cargo_deny(repository: &Repository, progress: &dyn Progress) -> Result<PathBuf> {
    let on_path = Command::new("cargo-deny").arg("--version").output();
    if on_path.is_ok_and(|output| output.status.success()) {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let root = repository.target().join("cargo-tools");
    let installed = root.join("bin/cargo-deny");
    if installed.exists() {
        return Ok(installed);
    }
    let mut install = repository.cargo();
    install
        .args([
            "install",
            "--locked",
            "--debug",
            "--version",
            CARGO_DENY,
            "cargo-deny",
            "--root",
        ])
        .arg(&root);
    run_step(progress, "installing cargo-deny, once (minutes)", &mut install)
        .context("or leave it out: cargo xtask test --skip-deny")?;
    if !installed.exists() {
        bail!("cargo install left no {}", installed.display());
    }
    Ok(installed)
}
