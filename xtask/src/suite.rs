//! `cargo xtask test`: everything that CI runs, cheapest first.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tollgate_stack::debian::{CHROMIUM, PROMETHEUS};
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::postgres;
use tollgate_stack::progress::{Progress, Silent, run as run_step, step};
use tollgate_stack::repository::TOOLS_PROFILE;
use tollgate_stack::{Filter, Repository};

use crate::progress::Terminal;

/// The version of cargo-deny that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

/// Tests at a time. They wait for disks and processes more than they work: one more than there are cores where CI runs.
const TEST_THREADS: &str = "3";

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
    // A test that fails says where and why; a backtrace through its runtime would only hide that.
    let cargo = |what: &str, arguments: &[&str]| {
        let mut cargo = repository.cargo();
        cargo.env("RUST_BACKTRACE", "0").env(TOOLS_PROFILE, "dev");
        cargo.env("RUST_TEST_THREADS", TEST_THREADS);
        shown(what, cargo.args(arguments))
    };

    cargo("format", &["fmt", "--all", "--check"]).context("`cargo fmt --all` mends it")?;
    let filters = std::thread::spawn(build_filters);
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        // Checking Cranelift takes half a minute, building it minutes: this bench is linted, and run by hand.
        "--features",
        "tollgate-wasm-bench/wasmtime",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    cargo("lints", &lints)?;
    let fuzz = [
        "clippy",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target-dir",
        "target/fuzz",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    cargo("lints of the fuzz targets", &fuzz).context(
        "`cargo update --workspace --manifest-path fuzz/Cargo.toml` brings their lock file up to date",
    )?;
    if !args.skip_deny {
        let mut deny = Command::new(cargo_deny(&repository, &progress)?);
        deny.current_dir(repository.root())
            .args(["check", "licenses", "bans", "sources"]);
        shown("licences and sources of dependencies (deny.toml)", &mut deny)?;
    }
    // Before the tests that need it, as below.
    postgres::programs(&repository, &progress)?;
    cargo(
        "tests of the packages",
        &["test", "--workspace", "--exclude", "tollgate-tests", "--locked"],
    )?;
    // Before the tests that need them, so that no test spends its patience on them.
    step(&progress, "the filters, which were built beside all this", || {
        filters
            .join()
            .unwrap_or_else(|_| bail!("building the filters ended in a panic"))
    })?;
    let tools = [
        "build",
        "--locked",
        "-p",
        "tollgate-sidecar",
        "-p",
        "tollgate-mock",
    ];
    cargo("the sidecar and the mock provider", &tools)?;
    EnvoySource::default().binary(&repository, &progress)?;
    CHROMIUM.program(&repository, &progress)?;
    PROMETHEUS.program(&repository, &progress)?;
    cargo(
        "end to end: the real Envoy, the SDKs, the README",
        &["test", "-p", "tollgate-tests", "--locked"],
    )?;
    writeln!(std::io::stderr(), "everything passed")?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the filters that end-to-end tests run. Optimising each as a whole keeps one core busy for a minute: beside steps
/// that do not use all cores all the time it takes hardly any.
fn build_filters() -> Result<()> {
    for filter in [Filter::Shipped, Filter::TrapOnRequest] {
        Repository::here().build_wasm(filter, &Silent)?;
    }
    Ok(())
}

/// Runs a command that shows its own progress.
fn shown(what: &str, command: &mut Command) -> Result<()> {
    let (since, mut err) = (Instant::now(), std::io::stderr());
    writeln!(err, "==> {what}")?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("{what}: cannot start `{program}`: is it installed? (https://rustup.rs)"))?;
    if !status.success() {
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_string_lossy())
            .collect();
        bail!(
            "{what}: `{program} {}` failed ({status}), see above",
            arguments.join(" ")
        );
    }
    writeln!(err, "    ok {what} ({:.1} s)", since.elapsed().as_secs_f32())?;
    Ok(())
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
        .args(["install", "--locked", "--debug", "--version", CARGO_DENY])
        .args(["cargo-deny", "--root"])
        .arg(&root);
    run_step(progress, "installing cargo-deny, once (minutes)", &mut install)
        .context("or leave it out: cargo xtask test --skip-deny")?;
    Ok(installed)
}
