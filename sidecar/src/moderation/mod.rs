//! Moderation: verdicts on texts by rules. Pure: no clock, no I/O, and time linear in the texts.

mod card;
mod live;
mod matcher;
mod policy;
mod redact;
pub mod spec;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_core::config::Fault;

pub use self::live::LivePolicies;
pub use self::policy::{Policy, Verdict};
use self::spec::{ModerationSpec, PolicySpec};

/// All policies of the configuration, and which workspace has which.
#[derive(Debug, Clone, Default)]
pub struct Moderation {
    policies: BTreeMap<String, Arc<Policy>>,
    specs: BTreeMap<String, PolicySpec>,
    workspaces: BTreeMap<String, String>,
}

// === impl Moderation ===

impl Moderation {
    /// Compiles the policies; faults are told under `path`, and leave their policy out.
    pub fn compile(spec: &ModerationSpec, path: &str, faults: &mut Vec<Fault>) -> Self {
        let policies: BTreeMap<String, Arc<Policy>> = spec
            .policies
            .iter()
            .map(|(name, policy)| {
                let policy_path = format!("{path}.policies.{name}");
                (
                    name.clone(),
                    Arc::new(Policy::compile(policy, &policy_path, faults)),
                )
            })
            .collect();
        for (workspace, policy) in &spec.workspaces {
            if !policies.contains_key(policy) {
                let message = format!("no policy is named {policy:?}");
                faults.push(Fault::at(format!("{path}.workspaces.{workspace}"), message));
            }
        }
        Self {
            policies,
            specs: spec.policies.clone(),
            workspaces: spec.workspaces.clone(),
        }
    }

    /// The policy of this name.
    pub fn policy(&self, name: &str) -> Option<&Arc<Policy>> {
        self.policies.get(name)
    }

    /// All policies as they were written, by name.
    pub fn specs(&self) -> &BTreeMap<String, PolicySpec> {
        &self.specs
    }

    /// The name of the policy of a workspace's keys that name none themselves.
    pub fn of_workspace(&self, workspace: &str) -> Option<&str> {
        self.workspaces.get(workspace).map(String::as_str)
    }
}
