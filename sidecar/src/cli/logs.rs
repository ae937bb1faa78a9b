//! `tollgate-sidecar events` and `tollgate-sidecar audit list`.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::api::{Api, ApiArgs, Failure};
use super::output::{say, show_rows};
use super::table::{Column, table};

const EXAMPLES: &str = "\
Examples:
  tollgate-sidecar events --workspace research --limit 20
  tollgate-sidecar events --follow
  tollgate-sidecar events --follow --json | jq -c 'select(.status >= 400)'";

/// How often new events are asked for.
const EVERY: Duration = Duration::from_secs(1);

const EVENTS: &[Column] = &[
    ("time", "/time"),
    ("status", "/status"),
    ("code", "/error_code"),
    ("workspace", "/workspace"),
    ("user", "/user"),
    ("model", "/request_model"),
    ("input", "/input_tokens"),
    ("output", "/output_tokens"),
    ("nano-dollars", "/cost_nanousd"),
    ("ms", "/latency_ms"),
];

const ENTRIES: &[Column] = &[
    ("entry", "/seq"),
    ("time", "/time"),
    ("actor", "/actor"),
    ("action", "/action"),
    ("target", "/target"),
    ("workspace", "/workspace"),
    ("address", "/address"),
];

/// `events`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only of this workspace.
    #[arg(long)]
    workspace: Option<String>,
    /// Only of the key with this id.
    #[arg(long)]
    key: Option<String>,
    /// The last so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on with those that come, until interrupted; with --json each is a line.
    #[arg(long, short)]
    follow: bool,
}

/// `audit list`
#[derive(Debug, Args)]
pub(super) struct AuditListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Only of this workspace.
    #[arg(long)]
    workspace: Option<String>,
    /// The last so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

// === impl EventsArgs ===

impl EventsArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let api = Api::new(&self.api)?;
        let filter = [("workspace", self.workspace.clone()), ("key", self.key.clone())];
        let mut query = filter.to_vec();
        query.extend([
            ("newest", Some("true".to_owned())),
            ("limit", Some(self.limit.to_string())),
        ]);
        let page = api.get("events", &query).await?;
        if !self.follow {
            return show_rows(self.api.json, EVENTS, rows(&page, "events"));
        }
        self.tell(rows(&page, "events"))?;
        let mut after = next(&page);
        loop {
            tokio::time::sleep(EVERY).await;
            let mut query = filter.to_vec();
            query.push(("after", after.clone()));
            let page = api.get("events", &query).await?;
            self.tell(rows(&page, "events"))?;
            after = next(&page).or(after);
        }
    }

    fn tell(&self, events: &[Value]) -> Result<(), Failure> {
        if self.api.json {
            return events.iter().try_for_each(|event| say(&event.to_string()));
        }
        if events.is_empty() {
            Ok(())
        } else {
            say(&table(EVENTS, events))
        }
    }
}

// === impl AuditListArgs ===

impl AuditListArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let api = Api::new(&self.api)?;
        let query = [
            ("workspace", self.workspace.clone()),
            ("newest", Some("true".to_owned())),
            ("limit", Some(self.limit.to_string())),
        ];
        let page = api.get("audit", &query).await?;
        show_rows(self.api.json, ENTRIES, rows(&page, "entries"))
    }
}

fn rows<'a>(page: &'a Value, field: &str) -> &'a [Value] {
    page.get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn next(page: &Value) -> Option<String> {
    page.get("next").and_then(Value::as_str).map(str::to_owned)
}
