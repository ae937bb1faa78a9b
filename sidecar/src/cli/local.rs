//! Commands on this machine's own configuration and ledger.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use tokio::net::TcpListener;

use super::api::Failure;
use super::block_on;
use super::output::say;
use crate::config::{Config, ConfigError};
use crate::ledger::audit::Verified;
use crate::{server, telemetry};

#[derive(Debug, Args)]
pub(super) struct ConfigArg {
    /// The configuration, in YAML.
    #[arg(long, value_name = "FILE", env = "TOLLGATE_SIDECAR_CONFIG")]
    config: PathBuf,
}

// === impl ConfigArg ===

impl ConfigArg {
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.load()?;
        say(&format!("{}: valid", self.config.display()))
    }

    pub(super) fn migrate(&self) -> Result<(), Failure> {
        let config = self.load()?;
        block_on(async {
            server::open_ledger(&config.database).await?.close().await;
            say(&format!("{}: up to date", config.database))
        })
    }

    pub(super) fn verify_audit(&self) -> Result<(), Failure> {
        let config = self.load()?;
        block_on(async {
            let ledger = server::open_ledger(&config.database).await?;
            let verified = ledger.verify_audit().await.map_err(anyhow::Error::from)?;
            ledger.close().await;
            match verified {
                Verified::Whole { rows, head } => say(&format!(
                    "{rows} entries, none changed; head {}",
                    hex::encode(head)
                )),
                Verified::Broken { seq, reason } => {
                    Err(anyhow!("the audit log is broken at entry {seq}: {reason}").into())
                }
            }
        })
    }

    pub(super) fn serve(&self) -> Result<(), Failure> {
        let config = self.load()?;
        telemetry::init(&config.log);
        block_on(async {
            let listener = TcpListener::bind(config.listen)
                .await
                .with_context(|| {
                    format!(
                        "cannot listen on {}; is another sidecar running, and is `listen` an address of this machine?",
                        config.listen
                    )
                })?;
            Ok(server::serve(listener, config).await?)
        })
    }

    fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.config).map_err(|error| {
            Failure::Usage(match error {
                ConfigError::Read { .. } => format!("{error}; --config names the configuration's file"),
                ConfigError::Faults(_) => {
                    format!("{}: invalid configuration\n{error}", self.config.display())
                }
            })
        })
    }
}
