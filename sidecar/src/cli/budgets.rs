//! `tollgate-sidecar budgets`.

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use tollgate_core::config::Span;
use tollgate_core::time::UnixMillis;

use super::api::{Api, ApiArgs, Failure};
use super::output::{segment, show, show_rows, spelled};
use super::table::Column;

const EXAMPLES: &str = "\
Examples:
  tollgate-sidecar budgets list
  tollgate-sidecar budgets create --workspace research --unit usd --period month --amount 100
  tollgate-sidecar budgets create --workspace '*' --user '*' --unit tokens --period day --amount 1000000
  tollgate-sidecar budgets set bud_01J… --amount 250
  tollgate-sidecar budgets deposit bud_01J… 5.00 --idempotency-key invoice-17
  tollgate-sidecar budgets raise bud_01J… 50.00 --for 2d --reason 'the launch'";

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("unit", "/unit"),
    ("period", "/period"),
    ("amount", "/amount"),
    ("spent", "/spent"),
    ("leased", "/leased"),
    ("remaining", "/remaining"),
    ("ends", "/period_end"),
    ("enforcement", "/enforcement"),
];

const RAISES: &[Column] = &[
    ("id", "/id"),
    ("amount", "/amount"),
    ("until", "/until"),
    ("active", "/active"),
    ("reason", "/reason"),
    ("by", "/by"),
    ("withdrawn", "/withdrawn_at"),
];

/// `budgets …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BudgetsArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    command: BudgetsCommand,
}

#[derive(Debug, Subcommand)]
enum BudgetsCommand {
    /// List budgets.
    List {
        /// Only those that this template made.
        #[arg(long)]
        template_id: Option<String>,
        /// Archived ones too.
        #[arg(long)]
        archived: bool,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Show a budget.
    Show(Id),
    /// Create a budget, or with `*` in its subject a template of budgets.
    Create(NewBudget),
    /// Change a budget's name or amount.
    Set {
        #[command(flatten)]
        id: Id,
        /// How much there is in a period.
        #[arg(long)]
        amount: Option<String>,
        /// What people call it.
        #[arg(long)]
        name: Option<String>,
    },
    /// Archive a budget, for good.
    Archive(Id),
    /// Raise a budget for a while; afterwards it is what it was.
    Raise(NewRaise),
    /// List a budget's raises, those that have ended included.
    Raises(Id),
    /// End a raise before its time.
    Withdraw {
        #[command(flatten)]
        id: Id,
        /// The raise's id: rse_…
        raise: String,
    },
    /// Add to a prepaid balance.
    Deposit {
        #[command(flatten)]
        id: Id,
        /// How much, in the budget's unit.
        amount: String,
        /// New for each deposit: the same deposit may be tried again with the same one.
        #[arg(long)]
        idempotency_key: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Id {
    /// The budget's id: bud_…
    id: String,
}

#[derive(Debug, Args)]
struct NewRaise {
    #[command(flatten)]
    id: Id,
    /// By how much, in the budget's unit.
    amount: String,
    /// When it ends: 2026-12-01T00:00:00Z.
    #[arg(long, required_unless_present = "span", conflicts_with = "span")]
    until: Option<String>,
    /// For how long: 30m, 12h, 2d.
    #[arg(long = "for", value_parser = Span::parse)]
    span: Option<Span>,
    /// Why, for whoever reads it later.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct NewBudget {
    /// How much there is in a period: dollars, tokens or requests.
    #[arg(long)]
    amount: String,
    /// Of what.
    #[arg(long, value_enum)]
    unit: Unit,
    /// How long it lasts.
    #[arg(long, value_enum)]
    period: Period,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// Of which workspace; `*` for one budget each.
    #[arg(long)]
    workspace: Option<String>,
    /// Of which user.
    #[arg(long)]
    user: Option<String>,
    /// Of which key (its id).
    #[arg(long)]
    key: Option<String>,
    /// Of which model.
    #[arg(long)]
    model: Option<String>,
    /// Of which tag of requests.
    #[arg(long)]
    tag: Option<String>,
    /// Only count, and refuse nothing.
    #[arg(long)]
    soft: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unit {
    Usd,
    Tokens,
    Requests,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Period {
    Request,
    Session,
    Day,
    Week,
    Month,
    Total,
}

// === impl BudgetsArgs ===

impl BudgetsArgs {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let (api, json) = (Api::new(&self.api)?, self.api.json);
        match &self.command {
            BudgetsCommand::List {
                template_id,
                archived,
                limit,
            } => {
                let query = [
                    ("template_id", template_id.clone()),
                    ("archived", archived.then(|| "true".to_owned())),
                ];
                let rows = api.list("budgets", "budgets", &query, *limit).await?;
                show_rows(json, COLUMNS, &rows)
            }
            BudgetsCommand::Show(id) => show(json, &api.get(&id.path(), &[]).await?),
            BudgetsCommand::Create(new) => show(json, &api.call(Method::POST, "budgets", &new.body()).await?),
            BudgetsCommand::Set { id, amount, name } => {
                let mut patch = Map::new();
                for (field, value) in [("amount", amount), ("name", name)] {
                    if let Some(value) = value {
                        patch.insert(field.to_owned(), json!(value));
                    }
                }
                if patch.is_empty() {
                    return Err(Failure::Usage(
                        "nothing to change: give --amount or --name".to_owned(),
                    ));
                }
                show(
                    json,
                    &api.call(Method::PATCH, &id.path(), &Value::Object(patch)).await?,
                )
            }
            BudgetsCommand::Archive(id) => {
                show(json, &api.call(Method::DELETE, &id.path(), &json!({})).await?)
            }
            BudgetsCommand::Raise(raise) => {
                let path = format!("{}/raises", raise.id.path());
                show(json, &api.call(Method::POST, &path, &raise.body()).await?)
            }
            BudgetsCommand::Raises(id) => {
                let path = format!("{}/raises", id.path());
                show_rows(json, RAISES, &api.list(&path, "raises", &[], 1_000).await?)
            }
            BudgetsCommand::Withdraw { id, raise } => {
                let path = format!("{}/raises/{}", id.path(), segment(raise));
                show(json, &api.call(Method::DELETE, &path, &json!({})).await?)
            }
            BudgetsCommand::Deposit {
                id,
                amount,
                idempotency_key,
            } => {
                let path = format!("{}/deposits", id.path());
                let body = json!({ "amount": amount });
                show(
                    json,
                    &api.post_once(&path, &body, idempotency_key.as_deref()).await?,
                )
            }
        }
    }
}

// === impl Id ===

impl Id {
    fn path(&self) -> String {
        format!("budgets/{}", segment(&self.id))
    }
}

// === impl NewRaise ===

impl NewRaise {
    fn body(&self) -> Value {
        let until = match (&self.until, self.span) {
            (Some(until), _) => until.clone(),
            (None, span) => {
                let now = UnixMillis::from(jiff::Timestamp::now());
                let lasts = span.map_or(0, Span::millis);
                now.plus(lasts).timestamp().to_string()
            }
        };
        json!({"amount": self.amount, "until": until, "reason": self.reason})
    }
}

// === impl NewBudget ===

impl NewBudget {
    fn body(&self) -> Value {
        let mut subject = Map::new();
        for (field, value) in [
            ("workspace", &self.workspace),
            ("user", &self.user),
            ("key", &self.key),
            ("model", &self.model),
            ("tag", &self.tag),
        ] {
            if let Some(value) = value {
                subject.insert(field.to_owned(), json!(value));
            }
        }
        let mut body = json!({
            "subject": subject,
            "unit": spelled(self.unit),
            "period": spelled(self.period),
            "amount": self.amount,
            "enforcement": if self.soft { "soft" } else { "hard" },
        });
        if let (Some(name), Some(fields)) = (&self.name, body.as_object_mut()) {
            fields.insert("name".to_owned(), json!(name));
        }
        body
    }
}
