//! `cargo xtask bench-tokens`: how fast tokens are counted inside the real Envoy.
//!
//! A filter that only counts (`tokens/bench`) is loaded as a bootstrap extension: it runs on Envoy's main thread, in
//! the V8 that workers have, and logs what it measured.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use tollgate_stack::Repository;
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::progress::{Progress as _, run as run_step};
use tollgate_tokens_bench::measure::{Figure, Logged, MARK, Memory, ROUNDS};

use crate::progress::Terminal;

/// Lines of Envoy's log that an error repeats.
const KEPT_LINES: usize = 20;

/// Options of `bench-tokens`.
#[derive(Debug, Args)]
pub(crate) struct BenchTokensArgs {
    /// Measure only corpora whose names contain this
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Which Envoy: a path, or `func-e`; the PyPI wheel by default
    #[arg(long, value_name = "ENVOY")]
    envoy: Option<EnvoySource>,
}

/// What the filter logged.
#[derive(Debug, Default, Serialize)]
struct Report {
    figures: Vec<Measured>,
    memory: Memory,
}

/// A figure, and what the filter cannot know.
#[derive(Debug, Serialize)]
struct Measured {
    #[serde(flatten)]
    figure: Figure,
    /// Megabytes for each second that Envoy's main thread was given by the system, over all rounds.
    cpu: Option<f64>,
}

/// An Envoy that ends when this is dropped.
struct Running(Child);

/// Builds the filter, runs it, and prints a Markdown table.
pub(crate) fn run(args: BenchTokensArgs) -> Result<ExitCode> {
    let repository = Repository::here();
    let progress = Terminal::default();
    let envoy = args.envoy.unwrap_or_default().binary(&repository, &progress)?;
    let package = ["-p", "tollgate-tokens-bench", "--lib"];
    let mut build = repository.cargo();
    build
        .args(["build", "--release", "--target", "wasm32-wasip1"])
        .args(package);
    run_step(&progress, "building the counting filter", &mut build)?;
    let folder = repository.target();
    let config = folder.join("bench-tokens.json");
    let wasm = folder.join("wasm32-wasip1/release/tollgate_tokens_bench.wasm");
    fs::write(&config, bootstrap(&wasm, &args.only))
        .with_context(|| format!("cannot write {}", config.display()))?;

    progress.begin("counting inside Envoy");
    let figures = measured(&envoy, &config, |figure| {
        progress.note(&format!("{}, {}", figure.encoding, figure.corpus));
    });
    progress.end(figures.is_ok());
    let report = figures?;
    print_table(&report)?;
    if let Some(path) = args.json {
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        serde_json::to_writer_pretty(file, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An Envoy that has nothing but the counting filter.
fn bootstrap(wasm: &Path, only: &str) -> String {
    let service = json!({
        "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
        "singleton": true,
        "config": {
            "name": "tokens-bench",
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": only,
            },
            "vm_config": {
                "vm_id": "tokens-bench",
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": wasm}},
            },
        },
    });
    let extension = json!({"name": "envoy.bootstrap.wasm", "typed_config": service});
    json!({"bootstrap_extensions": [extension]}).to_string()
}

/// Runs Envoy until the filter has logged everything.
fn measured(envoy: &Path, config: &Path, mut each: impl FnMut(&Figure)) -> Result<Report> {
    let mut command = Command::new(envoy);
    command
        .arg("-c")
        .arg(config)
        .args(["--disable-hot-restart", "--concurrency", "1", "-l", "info"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", envoy.display()))?;
    let log = child.stderr.take().context("Envoy has no stderr")?;
    let running = Running(child);
    let (mut last, mut report) = (Vec::new(), Report::default());
    let mut since = None;
    for line in BufReader::new(log).lines() {
        let text = line.context("Envoy's log cannot be read")?;
        if let Some((_, logged)) = text.split_once(MARK) {
            match serde_json::from_str(logged).context("the filter logged no figure")? {
                Logged::Begin => since = running.seconds(),
                Logged::Figure(figure) => {
                    each(&figure);
                    let counted = (figure.bytes * (1 + ROUNDS)) as f64 / 1e6;
                    let took = running.seconds().zip(since).map(|(now, since)| now - since);
                    report.figures.push(Measured {
                        cpu: took.map(|seconds| counted / seconds),
                        figure,
                    });
                }
                Logged::Done(memory) => return Ok(Report { memory, ..report }),
            }
        }
        last.push(text);
    }
    let from = last.len().saturating_sub(KEPT_LINES);
    bail!(
        "Envoy ended before everything was counted; the end of its log:\n{}",
        last.get(from..).unwrap_or_default().join("\n")
    )
}

fn print_table(report: &Report) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "| encoding | corpus | bytes | tokens | first MB/s | warm MB/s | best MB/s | MB a CPU second |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|")?;
    for Measured { figure, cpu } in &report.figures {
        writeln!(
            out,
            "| {} | {} | {} | {} | {:.0} | {:.0} | {:.0} | {} |",
            figure.encoding,
            figure.corpus,
            figure.bytes,
            figure.tokens,
            figure.first,
            figure.warm,
            figure.best,
            cpu.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.0}"))
        )?;
    }
    let Memory { tables, grown } = &report.memory;
    writeln!(out)?;
    for (encoding, bytes) in tables {
        writeln!(
            out,
            "{encoding}: tables and memo of {:.2} MB",
            *bytes as f64 / 1e6
        )?;
    }
    writeln!(out, "memory that counting added to the VM: {grown} bytes")?;
    Ok(())
}

// === impl Running ===

impl Running {
    /// For how long its main thread has run, where the system tells (Linux).
    fn seconds(&self) -> Option<f64> {
        let id = self.0.id();
        let text = fs::read_to_string(format!("/proc/{id}/task/{id}/schedstat")).ok()?;
        let nanoseconds: u64 = text.split_whitespace().next()?.parse().ok()?;
        Some(nanoseconds as f64 / 1e9)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It holds nothing that a gentle end would save; where it has ended already, that is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
