//! Conversations: what may be kept of what gateways send, and for how long. Pure: no clock, no I/O.

mod redact;
pub mod spec;

use std::ops::RangeInclusive;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tollgate_core::config::Fault;
use tollgate_core::wire::TextPart;

use self::spec::ConversationsSpec;
use crate::moderation::{Moderation, Policy};

const DAY_MS: u64 = 86_400_000;
const RETENTION_DAYS: RangeInclusive<u32> = 1..=3_650;
/// Bytes of an id that are shown, each as two digits: no two conversations share them.
const ID_BYTES: usize = 16;

/// How conversations are kept.
#[derive(Debug, Clone)]
pub struct Conversations {
    /// How long a text is kept, in milliseconds.
    pub retention_ms: u64,
    policies: Vec<Arc<Policy>>,
}

// === impl Conversations ===

impl Conversations {
    /// Compiles what was written; faults are told under `path`.
    pub fn compile(
        spec: &ConversationsSpec,
        moderation: &Moderation,
        path: &str,
        faults: &mut Vec<Fault>,
    ) -> Self {
        if !RETENTION_DAYS.contains(&spec.retention_days) {
            let (least, most) = (RETENTION_DAYS.start(), RETENTION_DAYS.end());
            let message = format!("expected {least} to {most} days");
            faults.push(Fault::at(format!("{path}.retention_days"), message));
        }
        let mut policies = Vec::with_capacity(spec.redact.len());
        for (index, name) in spec.redact.iter().enumerate() {
            match moderation.policy(name) {
                Some(policy) => policies.push(Arc::clone(policy)),
                None => {
                    let message = format!("no policy of `moderation` is named {name:?}");
                    faults.push(Fault::at(format!("{path}.redact[{index}]"), message));
                }
            }
        }
        Self {
            retention_ms: u64::from(spec.retention_days).saturating_mul(DAY_MS),
            policies,
        }
    }

    /// Takes out of a text what must not be kept.
    pub fn redact(&self, parts: &mut [TextPart]) {
        for part in parts {
            redact::part(part, &self.policies);
        }
    }
}

/// The id of what a client of a workspace calls a conversation. One user's names are nobody else's.
pub fn id_of(workspace: &str, user: Option<&str>, name: &str) -> String {
    format!("conv_{}", digest(b"conversation", workspace, user, name))
}

/// What stands for all that a user of a workspace has said.
pub fn all_of(workspace: &str, user: &str) -> String {
    format!("user_{}", digest(b"user", workspace, Some(user), ""))
}

fn digest(what: &[u8], workspace: &str, user: Option<&str>, name: &str) -> String {
    let mut hasher = Sha256::new();
    for field in [
        Some(what),
        Some(workspace.as_bytes()),
        user.map(str::as_bytes),
        Some(name.as_bytes()),
    ] {
        // Each behind its length; no text is as long as this.
        hasher.update(field.map_or(u64::MAX, |bytes| bytes.len() as u64).to_be_bytes());
        hasher.update(field.unwrap_or_default());
    }
    hex::encode(hasher.finalize().get(..ID_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_users_names_are_nobody_elses() {
        let ids = [
            id_of("a", None, "bc"),
            id_of("a", Some(""), "bc"),
            id_of("a", Some("b"), "c"),
            id_of("ab", None, "c"),
        ];
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(ids[0].len(), "conv_".len() + 2 * ID_BYTES);
    }
}
