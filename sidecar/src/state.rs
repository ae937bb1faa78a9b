//! What every handler can reach.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::config::Config;
use crate::desk::Desk;
use crate::ledger::{Ledger, LedgerError};
use crate::metrics::Metrics;
use crate::moderation::{LivePolicies, Policy};
use crate::otel::Otel;
use crate::returns::Returns;
use crate::session::Throttle;
use crate::session::oidc::Provider;
use crate::verdict_log::VerdictLog;

/// The running sidecar. Clones are the same one.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    ledger: Ledger,
    clock: Clock,
    verdicts: VerdictLog,
    returns: Returns,
    sign_ins: Throttle,
    desk: Desk,
    metrics: Metrics,
    made_policies: LivePolicies,
    otel: Otel,
    provider: Option<Provider>,
    draining: AtomicBool,
}

// === impl App ===

impl App {
    /// A sidecar over an open ledger. To be called on the runtime.
    ///
    /// # Errors
    /// Where single sign-on or an export is configured and this build has no usable TLS.
    pub fn new(config: Config, ledger: Ledger, clock: Clock, verdicts: VerdictLog) -> anyhow::Result<Self> {
        let provider = config.oidc.clone().map(Provider::new).transpose()?;
        let metrics = Metrics::default();
        let otel = Otel::start(config.otlp.as_ref(), &metrics)?;
        Ok(Self(Arc::new(Inner {
            config,
            ledger,
            clock,
            verdicts,
            returns: Returns::default(),
            sign_ins: Throttle::default(),
            desk: Desk::default(),
            metrics,
            made_policies: LivePolicies::default(),
            otel,
            provider,
            draining: AtomicBool::new(false),
        })))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Where moderation's verdicts are logged.
    pub fn verdicts(&self) -> &VerdictLog {
        &self.0.verdicts
    }

    /// Who waits for money to come back.
    pub fn returns(&self) -> &Returns {
        &self.0.returns
    }

    /// How often who has tried to sign in.
    pub fn sign_ins(&self) -> &Throttle {
        &self.0.sign_ins
    }

    /// Where questions for money are answered.
    pub fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// What is counted of it.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The moderation policies that operators made.
    pub fn made_policies(&self) -> &LivePolicies {
        &self.0.made_policies
    }

    /// The moderation policy of this name: of the configuration, or else made by an operator.
    ///
    /// # Errors
    /// [`LedgerError`] where it is none of those that this sidecar has, and the ledger cannot be asked.
    pub async fn policy(&self, name: &str) -> Result<Option<Arc<Policy>>, LedgerError> {
        let known = || {
            let declared = self.config().moderation.policy(name).cloned();
            declared.or_else(|| self.made_policies().get(name))
        };
        if let Some(policy) = known() {
            return Ok(Some(policy));
        }
        // Another sidecar may have made it a moment ago.
        self.made_policies().refresh(self.ledger()).await?;
        Ok(known())
    }

    /// The names of all moderation policies.
    ///
    /// # Errors
    /// [`LedgerError`] where the ledger cannot be asked.
    pub async fn policy_names(&self) -> Result<BTreeSet<String>, LedgerError> {
        self.made_policies().refresh(self.ledger()).await?;
        let declared = self.config().moderation.specs().keys().cloned();
        Ok(declared.chain(self.made_policies().names()).collect())
    }

    /// What is exported by OTLP.
    pub fn otel(&self) -> &Otel {
        &self.0.otel
    }

    /// Who says who an operator is, where there is single sign-on.
    pub fn provider(&self) -> Option<&Provider> {
        self.0.provider.as_ref()
    }

    /// Says that shutdown began: from now on the sidecar is not ready.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether shutdown began.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }
}
