//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::ledger::Ledger;
use crate::ledger::audit::Verified;
use crate::{server, telemetry};

const EXAMPLES: &str = "\
Examples:
  tollgate-sidecar check --config sidecar.yaml
  tollgate-sidecar serve --config sidecar.yaml
  tollgate-sidecar audit verify --config sidecar.yaml
  TOLLGATE_SIDECAR__ADMIN_TOKEN=… tollgate-sidecar serve --config sidecar.yaml

Every setting but the moderation policies can be overridden by a variable of its name, with __ between the
parts: TOLLGATE_SIDECAR__LISTEN, …__DATABASE, …__ADMIN_TOKEN, …__GATEWAY_TOKENS (with commas), …__LOG__LEVEL,
…__LIMITS__GATEWAY_BODY_BYTES, …__LIMITS__ADMIN_BODY_BYTES, …__LIMITS__REQUEST_TIMEOUT,
…__SHUTDOWN_TIMEOUT, …__WEBHOOKS__FIRST_RETRY, …__WEBHOOKS__MAX_RETRY, …__WEBHOOKS__ATTEMPTS,
…__WEBHOOKS__TIMEOUT.

Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong.";

/// What must outlive the proxy: keys, ledger, moderation, admin API.
#[derive(Debug, Parser)]
#[command(name = "tollgate-sidecar", version, after_help = EXAMPLES)]
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
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Prove that no entry was changed, removed or put in between; name the first that was.
    Verify(ConfigArg),
}

#[derive(Debug, Args)]
struct ConfigArg {
    /// The configuration, in YAML.
    #[arg(long, value_name = "FILE", env = "TOLLGATE_SIDECAR_CONFIG")]
    config: PathBuf,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let (Command::Serve(arg)
    | Command::Check(arg)
    | Command::Migrate(arg)
    | Command::Audit(AuditCommand::Verify(arg))) = &cli.command;
    let config = match Config::load(&arg.config) {
        Ok(config) => config,
        Err(error) => {
            say(
                &mut std::io::stderr(),
                &format!("{}: invalid configuration\n{error}", arg.config.display()),
            );
            return ExitCode::from(2);
        }
    };
    match execute(&cli.command, &arg.config, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &Command, file: &Path, config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    match command {
        Command::Check(_) => {
            say(&mut std::io::stdout(), &format!("{}: valid", file.display()));
            Ok(())
        }
        Command::Migrate(_) => runtime.block_on(async {
            Ledger::open(&config.database).await?.close().await;
            say(
                &mut std::io::stdout(),
                &format!("{:?}: up to date", config.database),
            );
            Ok(())
        }),
        Command::Audit(AuditCommand::Verify(_)) => runtime.block_on(async {
            let ledger = Ledger::open(&config.database).await?;
            let verified = ledger.verify_audit().await?;
            ledger.close().await;
            match verified {
                Verified::Whole { rows, head } => {
                    let line = format!("{rows} entries, none changed; head {}", hex::encode(head));
                    say(&mut std::io::stdout(), &line);
                    Ok(())
                }
                Verified::Broken { seq, reason } => bail!("the audit log is broken at entry {seq}: {reason}"),
            }
        }),
        Command::Serve(_) => {
            telemetry::init(&config.log);
            runtime.block_on(async {
                let listener = TcpListener::bind(config.listen)
                    .await
                    .with_context(|| format!("cannot listen on {}", config.listen))?;
                server::serve(listener, config).await
            })
        }
    }
}

/// Writes a line. Nobody is left to tell where the stream is closed.
fn say(stream: &mut impl std::io::Write, line: &str) {
    let _ = writeln!(stream, "{line}");
}
