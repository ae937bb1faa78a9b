//! `tollgate-sidecar keys`.

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{Api, ApiArgs, Failure};
use super::output::{show, show_rows, warn};
use super::table::Column;
use super::time;

const EXAMPLES: &str = "\
Examples:
  tollgate-sidecar keys list --workspace research
  tollgate-sidecar keys create --name ci --workspace research --model 'gpt-4o*' --expires-at 2099-01-01T00:00:00Z
  tollgate-sidecar keys create --name ci --workspace research --json | jq -r .key
  tollgate-sidecar keys revoke key_01J…";

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("prefix", "/prefix"),
    ("name", "/name"),
    ("workspace", "/workspace"),
    ("user", "/user"),
    ("status", "/status"),
    ("models", "/models"),
    ("expires", "/expires_at"),
];

/// `keys …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct KeysArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// List keys.
    List {
        /// Only of this workspace.
        #[arg(long)]
        workspace: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Show a key.
    Show(Id),
    /// Create a key. The key itself is shown this once, and nowhere kept.
    Create(NewKey),
    /// Pause a key until it is resumed.
    Pause(Id),
    /// Resume a paused key.
    Resume(Id),
    /// Revoke a key, for good.
    Revoke(Id),
}

#[derive(Debug, Args)]
struct Id {
    /// The key's id: key_…
    id: String,
}

#[derive(Debug, Args)]
struct NewKey {
    /// What people call it.
    #[arg(long)]
    name: String,
    /// What it belongs to.
    #[arg(long)]
    workspace: String,
    /// The person or service behind it.
    #[arg(long)]
    user: Option<String>,
    /// A model that it may call, as a glob; may be given several times. Without any, all.
    #[arg(long = "model")]
    models: Vec<String>,
    /// When it ends (RFC 3339); without it never.
    #[arg(long, value_parser = time)]
    expires_at: Option<Timestamp>,
    /// A moderation policy of the sidecar's configuration.
    #[arg(long)]
    moderation: Option<String>,
    /// What the key begins with: `tg_live_` or `tg_test_`.
    #[arg(long, value_enum, default_value = "live")]
    environment: Environment,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Environment {
    Live,
    Test,
}

// === impl KeysArgs ===

impl KeysArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let (api, json) = (Api::new(&self.api)?, self.api.json);
        match &self.command {
            KeysCommand::List { workspace, limit } => {
                let rows = api
                    .list("keys", "keys", &[("workspace", workspace.clone())], *limit)
                    .await?;
                show_rows(json, COLUMNS, &rows)
            }
            KeysCommand::Show(id) => show(json, &api.get(&id.path(), &[]).await?),
            KeysCommand::Create(new) => {
                let made = api.call(Method::POST, "keys", &new.body()).await?;
                show(json, &made)?;
                if !json {
                    warn("the key is shown this once: store it now");
                }
                Ok(())
            }
            KeysCommand::Pause(id) => show(json, &id.turn(&api, "pause").await?),
            KeysCommand::Resume(id) => show(json, &id.turn(&api, "resume").await?),
            KeysCommand::Revoke(id) => show(json, &id.turn(&api, "revoke").await?),
        }
    }
}

// === impl Id ===

impl Id {
    fn path(&self) -> String {
        format!("keys/{}", super::output::segment(&self.id))
    }

    async fn turn(&self, api: &Api, how: &str) -> Result<Value, Failure> {
        api.call(Method::POST, &format!("{}/{how}", self.path()), &json!({}))
            .await
    }
}

// === impl NewKey ===

impl NewKey {
    fn body(&self) -> Value {
        json!({
            "name": self.name,
            "workspace": self.workspace,
            "user": self.user,
            "models": self.models,
            "expires_at": self.expires_at,
            "moderation": self.moderation,
            "environment": match self.environment {
                Environment::Live => "live",
                Environment::Test => "test",
            },
        })
    }
}
