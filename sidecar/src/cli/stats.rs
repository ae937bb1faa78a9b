//! `tollgate-sidecar stats` and `tollgate-sidecar export`.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::api::{Api, ApiArgs, Failure};
use super::output::{show_rows, spelled};
use super::table::Column;
use super::time;

const STATS_EXAMPLES: &str = "\
Examples:
  tollgate-sidecar stats --by model
  tollgate-sidecar stats --by key --workspace research --from 2026-01-01T00:00:00Z --json";
const EXPORT_EXAMPLES: &str = "\
Examples:
  tollgate-sidecar export events --from 2026-01-01T00:00:00Z --output january.csv
  tollgate-sidecar export focus --workspace research --output chargeback.csv
  tollgate-sidecar export stats --by model --interval day > by-model.csv";

const COLUMNS: &[Column] = &[
    ("group", "/group"),
    ("requests", "/requests"),
    ("refusals", "/refusals"),
    ("errors", "/errors"),
    ("input", "/input_tokens"),
    ("output", "/output_tokens"),
    ("usd", "/cost_usd"),
    ("p50", "/latency_ms/p50"),
    ("p95", "/latency_ms/p95"),
    ("p99", "/latency_ms/p99"),
];

/// `stats`
#[derive(Debug, Args)]
#[command(after_help = STATS_EXAMPLES)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    grouping: Grouping,
}

/// `export …`
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Where to; without it standard output.
    #[arg(long, short, global = true, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(subcommand)]
    command: ExportCommand,
}

#[derive(Debug, Subcommand)]
enum ExportCommand {
    /// Events, oldest first.
    Events(Period),
    /// Costs in FOCUS 1.2, for chargeback: a row for what a key used of a model in a day.
    Focus(Period),
    /// Statistics, a row for each group in each interval.
    Stats {
        #[command(flatten)]
        period: Period,
        #[command(flatten)]
        grouping: Grouping,
    },
}

#[derive(Debug, Args)]
struct Period {
    /// Where it begins (RFC 3339); thirty days before its end unless given.
    #[arg(long, value_parser = time)]
    from: Option<Timestamp>,
    /// Where it ends; now unless given.
    #[arg(long, value_parser = time)]
    to: Option<Timestamp>,
    /// Only of this workspace.
    #[arg(long)]
    workspace: Option<String>,
}

#[derive(Debug, Args)]
struct Grouping {
    /// By what.
    #[arg(long, value_enum, default_value = "model")]
    by: Dimension,
    /// How long an interval is.
    #[arg(long, value_enum, default_value = "day")]
    interval: Interval,
    /// How many groups; the rest together.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dimension {
    None,
    Workspace,
    User,
    Key,
    Model,
    Provider,
    Endpoint,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Interval {
    Minute,
    Hour,
    Day,
}

// === impl StatsArgs ===

impl StatsArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let api = Api::new(&self.api)?;
        let mut query = self.period.query();
        query.extend(self.grouping.query());
        let answer = api.get("stats", &query).await?;
        let totals = answer
            .get("totals")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        if self.api.json {
            return super::output::show(true, &answer);
        }
        let named: Vec<Value> = totals.iter().map(named).collect();
        show_rows(false, COLUMNS, &named)
    }
}

// === impl ExportArgs ===

impl ExportArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let api = Api::new(&self.api)?;
        let (path, query) = match &self.command {
            ExportCommand::Events(period) => ("exports/events.csv", period.query()),
            ExportCommand::Focus(period) => ("exports/focus.csv", period.query()),
            ExportCommand::Stats { period, grouping } => {
                let mut query = period.query();
                query.extend(grouping.query());
                ("exports/stats.csv", query)
            }
        };
        let Some(file) = &self.output else {
            return api.download(path, &query, &mut std::io::stdout().lock()).await;
        };
        // What is there stays until the whole new one is.
        let part = file.with_added_extension("part");
        let opened = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        api.download(path, &query, &mut BufWriter::new(opened)).await?;
        std::fs::rename(&part, file).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(())
    }
}

// === impl Period ===

impl Period {
    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("from", self.from.map(|time| time.to_string())),
            ("to", self.to.map(|time| time.to_string())),
            ("workspace", self.workspace.clone()),
        ]
    }
}

// === impl Grouping ===

impl Grouping {
    fn query(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("group_by", Some(spelled(self.by))),
            ("interval", Some(spelled(self.interval))),
            ("limit", Some(self.limit.to_string())),
        ]
    }
}

/// A group whose name says what it is where it has none.
fn named(total: &Value) -> Value {
    let mut total = total.clone();
    let is_others = total.get("is_others").is_some();
    if let Some(group) = total.get_mut("group").filter(|group| group.is_null()) {
        *group = Value::from(if is_others { "(others)" } else { "(none)" });
    }
    total
}
