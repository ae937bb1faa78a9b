//! What governance costs: Tollgate beside bare Envoy and its peers. `cargo xtask bench` runs it.

mod clock;
mod compare;
mod listen;
mod load;
mod machine;
mod namespace;
mod parts;
mod plan;
mod processor;
mod progress;
mod report;
mod row;
mod scale;
mod streams;
mod upstream;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde::Serialize;
use tollgate_bench_prompts::Corpus;
use tollgate_stack::{Filter, Repository};

use crate::compare::compare;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Report;
use crate::row::Kind;

/// Measures what governance costs, in rows that take turns on one machine.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    /// Rows to measure; bare Envoy is always one
    #[arg(long, value_delimiter = ',', value_name = "ROW")]
    rows: Vec<Kind>,
    /// Rows to measure beside those: other gateways, which are installed first
    #[arg(long, value_delimiter = ',', value_name = "ROW")]
    with: Vec<Kind>,
    /// Another build of Tollgate's filter, as one more row: a .wasm file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scale", "parts"])]
    against: Option<PathBuf>,
    /// Sizes of request bodies in bytes
    #[arg(long, value_delimiter = ',', default_values_t = [512, 2_048, 10_240, 102_400])]
    sizes: Vec<usize>,
    /// How often each row has its turn
    #[arg(long, default_value_t = 8)]
    rounds: usize,
    /// How long a turn takes, in seconds
    #[arg(long, default_value_t = 2.0)]
    slice: f64,
    /// Leave out streams
    #[arg(long)]
    no_streams: bool,
    /// Measure how the cost grows with keys, limits, budgets and workers, instead of rows; into scale.md and scale.json
    #[arg(long)]
    scale: bool,
    /// Measure what each part of governance adds to bodies of so many bytes (2048, if none is given), instead of rows; into
    /// parts.md and parts.json
    #[arg(
        long,
        value_name = "BYTES",
        num_args = 0..=1,
        default_missing_value = "2048",
        conflicts_with = "scale"
    )]
    parts: Option<usize>,
    /// For development: 2 KB only, 3 rounds of 1 s
    #[arg(long)]
    quick: bool,
    /// Folder for bench.md and bench.json
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(Args::parse()))
}

async fn run(args: Args) -> Result<()> {
    let progress = Progress;
    let machine = Machine::here()?;
    let plan = if args.quick {
        Plan {
            sizes: vec![2_048],
            rounds: 3,
            slice_s: 1.0,
        }
    } else {
        Plan {
            sizes: args.sizes,
            rounds: args.rounds,
            slice_s: args.slice,
        }
    };
    let mut kinds = if args.rows.is_empty() {
        Kind::DEFAULT.to_vec()
    } else {
        args.rows
    };
    kinds.extend(args.with);
    if !kinds.contains(&Kind::Bare) {
        kinds.insert(0, Kind::Bare);
    }
    let corpus = Corpus::read(Repository::here().root())?;
    // Building is no part of what is measured: it may use all cores.
    Repository::here().build(Filter::Shipped, &progress)?;
    if args.parts.is_some() || kinds.contains(&Kind::Floor) {
        Repository::here().build_wasm(Filter::Floor, &progress)?;
    }
    progress.say("starting the rows");
    machine::bind_self()?;
    let upstream = upstream::start()?;
    if args.scale {
        let found = scale::run(upstream, &corpus, &plan, &progress).await?;
        return write(&args.out, "scale", &scale::markdown(&found), &found, &progress);
    }
    if let Some(bytes) = args.parts {
        let found = parts::run(upstream, &corpus, &plan, bytes, &progress).await?;
        let table = parts::markdown(&found, bytes);
        return write(&args.out, "parts", &table, &found, &progress);
    }
    let mut rows = Vec::new();
    for kind in kinds {
        rows.push(
            kind.start(upstream)
                .await
                .with_context(|| format!("cannot start {kind:?}"))?,
        );
    }
    if let Some(wasm) = &args.against {
        rows.push(row::tollgate::start_another(upstream, wasm).await?);
    }
    let (slices, memory) = plan.run(&rows, &corpus, &progress).await?;
    let streams = if args.no_streams {
        Vec::new()
    } else {
        streams::run(&rows, &corpus, plan.rounds, &progress).await?
    };
    let report = Report {
        command: command(),
        machine,
        plan,
        figures: compare(&slices),
        memory,
        slices,
        streams,
    };
    write(&args.out, "bench", &report.markdown(), &report, &progress)
}

/// Leaves tables and all that they come from in files, and prints the tables.
fn write(
    folder: &Path,
    name: &str,
    tables: &str,
    figures: &impl Serialize,
    progress: &Progress,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    std::fs::write(file("md"), tables)?;
    std::fs::write(file("json"), serde_json::to_vec_pretty(figures)?)?;
    std::io::stdout().write_all(tables.as_bytes())?;
    progress.say(&format!(
        "written to {} and {}",
        file("md").display(),
        file("json").display()
    ));
    Ok(())
}

/// The command that this run can be repeated with.
fn command() -> String {
    let arguments = std::env::args().skip(1);
    ["cargo xtask bench".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
