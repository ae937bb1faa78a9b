//! `tollgate-sidecar limits`.

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::api::{Api, ApiArgs, Failure};
use super::output::{segment, show, show_rows, spelled};
use super::table::Column;

const EXAMPLES: &str = "\
Examples:
  tollgate-sidecar limits list
  tollgate-sidecar limits create research-per-key --count requests --amount 60 --period 1m --per key --workspace research
  tollgate-sidecar limits create streams --count concurrent --amount 5 --per key
  tollgate-sidecar limits set lim_01J… --amount 120
  tollgate-sidecar limits reset lim_01J… --key key_01J…
  tollgate-sidecar limits reset --name per-key-requests --key key_01J…";

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("count", "/count"),
    ("amount", "/amount"),
    ("period", "/period"),
    ("per", "/per"),
    ("workspace", "/workspace"),
    ("mode", "/mode"),
];

/// `limits …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LimitsArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: LimitsCommand,
}

#[derive(Debug, Subcommand)]
enum LimitsCommand {
    /// List the limits that hold on every gateway, beside those of its configuration.
    List {
        /// Only those that are for this workspace alone.
        #[arg(long)]
        workspace: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Show a limit.
    Show(Id),
    /// Create a limit: it holds on every gateway within two seconds.
    Create(NewLimit),
    /// Change how much a limit allows, or in which time.
    Set {
        #[command(flatten)]
        id: Id,
        /// How much, per period or at a time.
        #[arg(long)]
        amount: Option<u64>,
        /// The period: 30s, 1m, 24h …
        #[arg(long)]
        period: Option<String>,
        /// Whether it refuses, or only says that it would have.
        #[arg(long, value_enum)]
        mode: Option<Mode>,
    },
    /// Delete a limit.
    Delete(Id),
    /// Give back what a limit has counted: to one, or, where nobody is named, to all.
    Reset(Reset),
}

#[derive(Debug, Args)]
struct Id {
    /// The limit's id: lim_…
    id: String,
}

#[derive(Debug, Args)]
struct NewLimit {
    /// What refusals call it: letters, digits, `_`, `-` and `.`.
    name: String,
    /// What is counted.
    #[arg(long, value_enum)]
    count: Count,
    /// How much, per period or at a time.
    #[arg(long)]
    amount: u64,
    /// The period: 30s, 1m, 24h … Not for `concurrent`.
    #[arg(long)]
    period: Option<String>,
    /// How much can be taken at once after a pause.
    #[arg(long)]
    burst: Option<u64>,
    /// How it is counted.
    #[arg(long, value_enum)]
    algorithm: Option<Algorithm>,
    /// Whose: each has its own count. May be given several times; one count for all where it is not.
    #[arg(long, value_enum)]
    per: Vec<Per>,
    /// Only for this workspace. May be given several times.
    #[arg(long)]
    workspace: Vec<String>,
    /// Only for models that this glob fits. May be given several times.
    #[arg(long)]
    model: Vec<String>,
    /// Only say that it would have refused.
    #[arg(long)]
    shadow: bool,
}

#[derive(Debug, Args)]
struct Reset {
    /// The limit's id: lim_…
    #[arg(required_unless_present = "name", conflicts_with = "name")]
    id: Option<String>,
    /// A limit by its name, also one that only gateways' configurations have.
    #[arg(long)]
    name: Option<String>,
    /// Whose: this workspace's.
    #[arg(long)]
    workspace: Option<String>,
    /// Whose: this user's.
    #[arg(long)]
    user: Option<String>,
    /// Whose: this session's.
    #[arg(long)]
    session: Option<String>,
    /// Whose: this key's (its id).
    #[arg(long)]
    key: Option<String>,
    /// Whose: this address's.
    #[arg(long)]
    ip: Option<String>,
    /// Whose: this model's.
    #[arg(long)]
    model: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Count {
    Requests,
    Tokens,
    InputTokens,
    OutputTokens,
    Concurrent,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Algorithm {
    TokenBucket,
    SlidingWindow,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Per {
    Workspace,
    User,
    Session,
    Key,
    Ip,
    Model,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Enforce,
    Shadow,
}

// === impl LimitsArgs ===

impl LimitsArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let (api, json) = (Api::new(&self.api)?, self.api.json);
        match &self.command {
            LimitsCommand::List { workspace, limit } => {
                let query = [("workspace", workspace.clone())];
                let rows = api.list("limits", "limits", &query, *limit).await?;
                show_rows(json, COLUMNS, &rows)
            }
            LimitsCommand::Show(id) => show(json, &api.get(&id.path(), &[]).await?),
            LimitsCommand::Create(new) => show(json, &api.call(Method::POST, "limits", &new.body()).await?),
            LimitsCommand::Set {
                id,
                amount,
                period,
                mode,
            } => {
                let patch = given([
                    ("amount", amount.map(Value::from)),
                    ("period", period.clone().map(Value::from)),
                    ("mode", mode.map(|mode| spelled(mode).into())),
                ]);
                if patch.is_empty() {
                    return Err(Failure::Usage(
                        "nothing to change: give --amount, --period or --mode".to_owned(),
                    ));
                }
                let changed = api.call(Method::PATCH, &id.path(), &Value::Object(patch)).await?;
                show(json, &changed)
            }
            LimitsCommand::Delete(id) => show(json, &api.call(Method::DELETE, &id.path(), &json!({})).await?),
            LimitsCommand::Reset(reset) => {
                show(json, &api.call(Method::POST, &reset.path(), &reset.body()).await?)
            }
        }
    }
}

/// The fields that have a value.
fn given<const FIELDS: usize>(fields: [(&str, Option<Value>); FIELDS]) -> Map<String, Value> {
    let given = fields.into_iter();
    given
        .filter_map(|(field, value)| Some((field.to_owned(), value?)))
        .collect()
}

// === impl Id ===

impl Id {
    fn path(&self) -> String {
        format!("limits/{}", segment(&self.id))
    }
}

// === impl NewLimit ===

impl NewLimit {
    fn body(&self) -> Value {
        let per: Vec<String> = self.per.iter().copied().map(spelled).collect();
        let mut body = given([
            ("period", self.period.clone().map(Value::from)),
            ("burst", self.burst.map(Value::from)),
            ("algorithm", self.algorithm.map(|one| spelled(one).into())),
            ("mode", self.shadow.then(|| "shadow".into())),
        ]);
        body.extend([
            ("name".to_owned(), json!(self.name)),
            ("count".to_owned(), json!(spelled(self.count))),
            ("amount".to_owned(), json!(self.amount)),
            ("per".to_owned(), json!(per)),
            (
                "match".to_owned(),
                json!({"workspaces": self.workspace, "models": self.model}),
            ),
        ]);
        Value::Object(body)
    }
}

// === impl Reset ===

impl Reset {
    fn path(&self) -> String {
        match (&self.name, &self.id) {
            (Some(name), _) => format!("limits/by-name/{}/reset", segment(name)),
            (None, id) => format!("limits/{}/reset", segment(id.as_deref().unwrap_or_default())),
        }
    }

    fn body(&self) -> Value {
        let value = |text: &Option<String>| text.clone().map(Value::from);
        let subject = given([
            ("workspace", value(&self.workspace)),
            ("user", value(&self.user)),
            ("session", value(&self.session)),
            ("key", value(&self.key)),
            ("ip", value(&self.ip)),
            ("model", value(&self.model)),
        ]);
        if subject.is_empty() {
            return json!({});
        }
        json!({ "subject": subject })
    }
}
