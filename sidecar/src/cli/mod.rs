//! The command line: the sidecar itself ([`local`]), and its admin API for operators and scripts.

mod api;
mod budgets;
mod keys;
mod limits;
mod local;
mod logs;
mod output;
mod stats;
mod table;
mod workspaces;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use jiff::Timestamp;

use self::api::Failure;
use self::budgets::BudgetsArgs;
use self::keys::KeysArgs;
use self::limits::LimitsArgs;
use self::local::ConfigArg;
use self::logs::{AuditListArgs, EventsArgs};
use self::output::warn;
use self::stats::{ExportArgs, StatsArgs};
use self::workspaces::{UsersArgs, WorkspacesArgs};
use crate::config::env::OVERRIDES;

const HELP: &str = "\
Examples:
  tollgate-sidecar check --config sidecar.yaml
  tollgate-sidecar serve --config sidecar.yaml
  tollgate-sidecar audit verify --config sidecar.yaml
  TOLLGATE_SIDECAR__ADMIN_TOKEN=… tollgate-sidecar serve --config sidecar.yaml

  export TOLLGATE_URL=http://127.0.0.1:10002 TOLLGATE_ADMIN_TOKEN=…
  tollgate-sidecar keys create --name ci --workspace research
  tollgate-sidecar stats --by model
  tollgate-sidecar export focus --output chargeback.csv

Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong, 3 no sidecar answers, 4 the
sidecar refused.";
const AUDIT_EXAMPLES: &str = "\
Examples:
  tollgate-sidecar audit verify --config sidecar.yaml
  tollgate-sidecar audit list --limit 20
  tollgate-sidecar audit list --workspace research --json";
const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  tollgate-sidecar completions bash > /etc/bash_completion.d/tollgate-sidecar
  tollgate-sidecar completions zsh > \"${fpath[1]}/_tollgate-sidecar\"
  tollgate-sidecar completions fish > ~/.config/fish/completions/tollgate-sidecar.fish";

/// What must outlive the proxy: keys, ledger, moderation, admin API.
#[derive(Debug, Parser)]
#[command(name = "tollgate-sidecar", version, after_help = help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve gateways and operators until SIGTERM or SIGINT.
    Serve(ConfigArg),
    /// Say whether a configuration is valid, and the path of every fault.
    Check(ConfigArg),
    /// Bring the ledger's schema up to date, then end.
    Migrate(ConfigArg),
    /// Keys, through the admin API.
    Keys(KeysArgs),
    /// Budgets, through the admin API.
    Budgets(BudgetsArgs),
    /// Limits of all gateways, through the admin API.
    Limits(LimitsArgs),
    /// Workspaces, through the admin API: what they cost this month, and pausing them.
    Workspaces(WorkspacesArgs),
    /// Users of workspaces, through the admin API.
    Users(UsersArgs),
    /// The last events, or those that come.
    Events(EventsArgs),
    /// Requests, tokens, cost and latencies by group.
    Stats(StatsArgs),
    /// CSV of events, of statistics, or of costs in FOCUS.
    Export(ExportArgs),
    /// The audit log.
    #[command(subcommand, after_help = AUDIT_EXAMPLES)]
    Audit(AuditCommand),
    /// Completions for a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Prove on the ledger itself that no entry was changed, removed or put in between; name the first that was.
    Verify(ConfigArg),
    /// Show the last entries, through the admin API.
    List(AuditListArgs),
}

#[derive(Debug, Args)]
struct CompletionsArgs {
    /// Which one.
    shell: Shell,
}

/// What stands below the commands, with the variables that there are.
fn help() -> String {
    let variables: Vec<&str> = OVERRIDES.iter().map(|(variable, _)| *variable).collect();
    format!(
        "{HELP}\n\nVariables that go before the settings of their names (lists have commas):\n  {}",
        variables.join("\n  ")
    )
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    match Cli::parse().command.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            warn(&format!("error: {}", failure.chain()));
            ExitCode::from(failure.exit_code())
        }
    }
}

// === impl Command ===

impl Command {
    fn execute(&self) -> Result<(), Failure> {
        match self {
            Self::Serve(arg) => arg.serve(),
            Self::Check(arg) => arg.check(),
            Self::Migrate(arg) => arg.migrate(),
            Self::Audit(AuditCommand::Verify(arg)) => arg.verify_audit(),
            Self::Audit(AuditCommand::List(args)) => block_on(args.run()),
            Self::Keys(args) => block_on(args.run()),
            Self::Budgets(args) => block_on(args.run()),
            Self::Limits(args) => block_on(args.run()),
            Self::Workspaces(args) => block_on(args.run()),
            Self::Users(args) => block_on(args.run()),
            Self::Events(args) => block_on(args.run()),
            Self::Stats(args) => block_on(args.run()),
            Self::Export(args) => block_on(args.run()),
            Self::Completions(args) => {
                let mut script = Vec::new();
                clap_complete::generate(args.shell, &mut Cli::command(), "tollgate-sidecar", &mut script);
                output::say(String::from_utf8_lossy(&script).trim_end())
            }
        }
    }
}

/// A time on the command line.
fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "expected a time with its offset, like 2026-01-31T00:00:00Z".to_owned())
}

/// Runs to the end what a command does.
fn block_on<T>(doing: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(doing)
}
