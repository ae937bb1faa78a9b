//! Moderation: verdicts on texts by rules. Pure: no clock, no I/O, and time linear in the texts.

mod card;
mod matcher;
mod policy;
mod redact;
pub mod spec;
mod text;

use std::collections::BTreeMap;

use tollgate_core::config::Fault;

pub use self::policy::{Policy, Verdict};
use self::spec::ModerationSpec;

/// All policies, and which workspace has which.
#[derive(Debug, Clone, Default)]
pub struct Moderation {
    policies: BTreeMap<String, Policy>,
    workspaces: BTreeMap<String, String>,
}

// === impl Moderation ===

impl Moderation {
    /// Compiles the policies; faults are told under `path`, and leave their policy out.
    pub fn compile(spec: &ModerationSpec, path: &str, faults: &mut Vec<Fault>) -> Self {
        let policies: BTreeMap<String, Policy> = spec
            .policies
            .iter()
            .map(|(name, policy)| {
                let policy_path = format!("{path}.policies.{name}");
                (name.clone(), Policy::compile(policy, &policy_path, faults))
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
            workspaces: spec.workspaces.clone(),
        }
    }

    /// The policy of this name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.get(name)
    }

    /// The name of the policy of a workspace's keys that name none themselves.
    pub fn of_workspace(&self, workspace: &str) -> Option<&str> {
        self.workspaces.get(workspace).map(String::as_str)
    }
}
