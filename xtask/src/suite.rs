//! `cargo xtask test`: everything that CI runs, cheapest first. What waits, or keeps one core busy, goes beside the rest.

mod binaries;
mod step;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Args;
use tollgate_stack::debian::{CHROMIUM, PROMETHEUS};
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::postgres;
use tollgate_stack::progress::Silent;
use tollgate_stack::repository::TOOLS_FOLDER;
use tollgate_stack::{Filter, Repository};

use self::binaries::Binary;
use self::step::{Beside, Step, both};

/// The version of cargo-deny that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

/// End-to-end tests at a time. They wait for disks and processes more than they work: one more than there are cores where
/// CI runs.
const WHOLE_THREADS: &str = "3";

/// Tests of the packages at a time, beside those.
const PACKAGES_THREADS: &str = "2";

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
    cargo("format", &["fmt", "--all", "--check"])
        .show()
        .context("`cargo fmt --all` mends it")?;
    let filters = Beside::start("the filters", |_| build_filters());
    let programs = Beside::start("Envoy, PostgreSQL, Chromium and Prometheus", |_| fetch_programs());
    let deny = (!args.skip_deny).then(|| Beside::start("cargo-deny", deny));
    lint()?;
    if let Some(deny) = deny {
        deny.join()?;
    }
    // Before the tests that need them, so that no test spends its patience on them.
    let built = binaries::build(&repository)?;
    programs.join()?;
    filters.join()?;
    let whole = repository.root().join("tests");
    let (whole, packages): (Vec<_>, Vec<_>) = built.into_iter().partition(|binary| binary.is_in(&whole));
    // Both wait more than they work, and for other things.
    let packages = Beside::start("tests of the packages", move |log| test_packages(&packages, log));
    let whole = test_whole(&repository, &whole);
    both(whole, packages.join())?;
    writeln!(std::io::stderr(), "everything passed")?;
    Ok(ExitCode::SUCCESS)
}

fn lint() -> Result<()> {
    let workspace = [
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
    cargo("lints", &workspace).show()?;
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
    cargo("lints of the fuzz targets", &fuzz).show().context(
        "`cargo update --workspace --manifest-path fuzz/Cargo.toml` brings their lock file up to date",
    )
}

fn test_packages(binaries: &[Binary], log: &mut Vec<u8>) -> Result<()> {
    for binary in binaries {
        tests(binary.step(), PACKAGES_THREADS).keep(log)?;
    }
    let examples = ["test", "--workspace", "--doc", "--locked"];
    tests(
        cargo("examples in the documentation", &examples),
        PACKAGES_THREADS,
    )
    .keep(log)
}

/// End to end: the real Envoy, the SDKs, the README.
fn test_whole(repository: &Repository, binaries: &[Binary]) -> Result<()> {
    for binary in binaries {
        tests(binary.step(), WHOLE_THREADS)
            .env(TOOLS_FOLDER, repository.target().join("debug"))
            .show()?;
    }
    Ok(())
}

fn tests(step: Step, threads: &str) -> Step {
    // A test that fails says where and why; a backtrace through its runtime would only hide that.
    step.env("RUST_BACKTRACE", "0").env("RUST_TEST_THREADS", threads)
}

/// Builds the filters that end-to-end tests run. Optimising each as a whole keeps one core busy for a minute: beside steps
/// that do not use all cores all the time it takes hardly any.
fn build_filters() -> Result<()> {
    for filter in [Filter::Shipped, Filter::TrapOnRequest] {
        Repository::here().build_wasm(filter, &Silent)?;
    }
    Ok(())
}

/// Fetches the programs that tests run.
fn fetch_programs() -> Result<()> {
    let repository = Repository::here();
    postgres::programs(&repository, &Silent)?;
    EnvoySource::default().binary(&repository, &Silent)?;
    CHROMIUM.program(&repository, &Silent)?;
    PROMETHEUS.program(&repository, &Silent)?;
    Ok(())
}

/// Licences and sources of the dependencies (deny.toml).
fn deny(log: &mut Vec<u8>) -> Result<()> {
    let repository = Repository::here();
    let mut deny = Command::new(cargo_deny(&repository, log)?);
    deny.current_dir(repository.root())
        .args(["check", "licenses", "bans", "sources"]);
    Step::new("licences and sources of dependencies (deny.toml)", deny).keep(log)
}

/// cargo-deny from the PATH, or installed under `target/`.
fn cargo_deny(repository: &Repository, log: &mut Vec<u8>) -> Result<PathBuf> {
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
        .arg(&root)
        // Nobody looks for faults in it.
        .env("CARGO_PROFILE_DEV_DEBUG", "none");
    Step::new("installing cargo-deny, once", install)
        .keep(log)
        .context("or leave it out: cargo xtask test --skip-deny")?;
    Ok(installed)
}

/// A step of the repository's cargo.
fn cargo(what: &str, arguments: &[&str]) -> Step {
    let mut cargo = Repository::here().cargo();
    cargo.args(arguments);
    Step::new(what, cargo).repeated_by(format!("cargo {}", arguments.join(" ")))
}
