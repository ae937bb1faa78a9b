//! `tollgate-sidecar workspaces` and `tollgate-sidecar users`: who may call, and who is stopped.

use axum::http::Method;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::{Api, ApiArgs, Failure};
use super::output::{segment, show, show_rows};
use super::table::Column;

const WORKSPACES_EXAMPLES: &str = "\
Examples:
  tollgate-sidecar workspaces list
  tollgate-sidecar workspaces pause research
  tollgate-sidecar workspaces resume research";
const USERS_EXAMPLES: &str = "\
Examples:
  tollgate-sidecar users list --workspace research
  tollgate-sidecar users pause usr_01J…
  tollgate-sidecar users create ann --workspace research --json | jq -r .id | xargs tollgate-sidecar users pause";

const WORKSPACES_COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("name", "/display_name"),
    ("status", "/status"),
    ("this month", "/month_cost_usd"),
    ("last seen", "/last_seen_at"),
];
const USERS_COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("workspace", "/workspace"),
    ("user", "/user"),
    ("status", "/status"),
    ("this month", "/month_cost_usd"),
    ("last seen", "/last_seen_at"),
];

/// `workspaces …`
#[derive(Debug, Args)]
#[command(after_help = WORKSPACES_EXAMPLES)]
pub(super) struct WorkspacesArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: WorkspacesCommand,
}

#[derive(Debug, Subcommand)]
enum WorkspacesCommand {
    /// List workspaces.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Pause a workspace: within two seconds all that it asks is refused, by key or by JWT, until it is resumed.
    Pause {
        /// What keys and events name it by.
        id: String,
    },
    /// Resume a paused workspace.
    Resume {
        /// What keys and events name it by.
        id: String,
    },
}

/// `users …`
#[derive(Debug, Args)]
#[command(after_help = USERS_EXAMPLES)]
pub(super) struct UsersArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Debug, Subcommand)]
enum UsersCommand {
    /// List users of workspaces.
    List {
        /// Only of this workspace.
        #[arg(long)]
        workspace: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Make a user known that has neither a key nor ever called, to pause it.
    Create {
        /// What keys, tokens and events name it by.
        user: String,
        /// Of which workspace.
        #[arg(long)]
        workspace: String,
    },
    /// Pause a user: within two seconds all that it asks is refused, by key or by JWT, until it is resumed.
    Pause {
        /// The user's id: usr_…
        id: String,
    },
    /// Resume a paused user.
    Resume {
        /// The user's id: usr_…
        id: String,
    },
}

// === impl WorkspacesArgs ===

impl WorkspacesArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let (api, json) = (Api::new(&self.api)?, self.api.json);
        match &self.command {
            WorkspacesCommand::List { limit } => {
                let rows = api.list("workspaces", "workspaces", &[], *limit).await?;
                show_rows(json, WORKSPACES_COLUMNS, &rows)
            }
            WorkspacesCommand::Pause { id } => show(json, &turn(&api, "workspaces", id, "paused").await?),
            WorkspacesCommand::Resume { id } => show(json, &turn(&api, "workspaces", id, "active").await?),
        }
    }
}

// === impl UsersArgs ===

impl UsersArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let (api, json) = (Api::new(&self.api)?, self.api.json);
        match &self.command {
            UsersCommand::List { workspace, limit } => {
                let of = [("workspace", workspace.clone())];
                show_rows(
                    json,
                    USERS_COLUMNS,
                    &api.list("users", "users", &of, *limit).await?,
                )
            }
            UsersCommand::Create { user, workspace } => {
                let new = json!({ "workspace": workspace, "user": user });
                show(json, &api.call(Method::POST, "users", &new).await?)
            }
            UsersCommand::Pause { id } => show(json, &turn(&api, "users", id, "paused").await?),
            UsersCommand::Resume { id } => show(json, &turn(&api, "users", id, "active").await?),
        }
    }
}

/// Pauses or resumes one of a collection.
async fn turn(api: &Api, collection: &str, id: &str, status: &str) -> Result<Value, Failure> {
    let path = format!("{collection}/{}", segment(id));
    api.call(Method::PATCH, &path, &json!({ "status": status })).await
}
