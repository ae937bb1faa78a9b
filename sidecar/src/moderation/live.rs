//! Policies that operators made, as this sidecar has compiled them. It looks every second whether they have changed, and
//! at once where it is asked for one that it does not know.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::Policy;
use super::spec::PolicySpec;
use crate::ledger::moderation_policies::StoredPolicy;
use crate::ledger::{Ledger, LedgerError};

/// Compiled policies, by name.
#[derive(Debug, Default)]
pub struct LivePolicies {
    made: RwLock<Arc<Made>>,
    /// One at a time compiles, so that none takes the place of a newer one.
    compiling: Mutex<()>,
}

#[derive(Debug, Default)]
struct Made {
    version: i64,
    policies: BTreeMap<String, Arc<Policy>>,
}

// === impl LivePolicies ===

impl LivePolicies {
    /// The policy of this name, as it was when this sidecar looked last.
    pub fn get(&self, name: &str) -> Option<Arc<Policy>> {
        self.made().policies.get(name).cloned()
    }

    /// The names of all.
    pub fn names(&self) -> Vec<String> {
        self.made().policies.keys().cloned().collect()
    }

    /// Looks whether they have changed, and compiles them anew where they have.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails: those that there were go on.
    pub async fn refresh(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        if ledger.moderation_version().await? == self.made().version {
            return Ok(());
        }
        let _turn = self.compiling.lock().await;
        let before = self.made();
        let (version, stored) = ledger.moderation_policies().await?;
        if version == before.version {
            return Ok(());
        }
        // As long as texts: other requests go on meanwhile.
        let compiled = tokio::task::spawn_blocking(move || Made::compile(version, &stored)).await;
        match compiled {
            Ok(made) => {
                tracing::info!(
                    version,
                    policies = made.policies.len(),
                    "moderation policies compiled"
                );
                *self.made.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
            }
            Err(error) => tracing::error!(%error, "moderation policies could not be compiled"),
        }
        Ok(())
    }

    fn made(&self) -> Arc<Made> {
        Arc::clone(&self.made.read().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Made ===

impl Made {
    /// What cannot be compiled is left out: whoever asks for it is told that there is no such policy.
    fn compile(version: i64, stored: &[StoredPolicy]) -> Self {
        let mut policies = BTreeMap::new();
        for StoredPolicy { name, spec, .. } in stored {
            let mut faults = Vec::new();
            match serde_json::from_str::<PolicySpec>(spec) {
                Ok(spec) => {
                    let policy = Policy::compile(&spec, name, &mut faults);
                    if faults.is_empty() {
                        policies.insert(name.clone(), Arc::new(policy));
                    }
                }
                Err(error) => tracing::error!(%error, policy = %name, "a moderation policy cannot be read"),
            }
            for fault in faults {
                tracing::error!(%fault, policy = %name, "a moderation policy does not hold any more");
            }
        }
        Self { version, policies }
    }
}
