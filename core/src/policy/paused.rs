//! Whom an operator holds, whoever let them in: a key of the ledger, a key of the configuration, a JWT.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::auth::Identity;
use crate::refusal::{Code, Refusal};

/// Workspaces and users that are refused until they are resumed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Paused {
    /// Workspaces, with all that is theirs.
    #[serde(default)]
    pub workspaces: BTreeSet<String>,
    /// Users, by workspace.
    #[serde(default)]
    pub users: BTreeMap<String, BTreeSet<String>>,
}

// === impl Paused ===

impl Paused {
    /// The most that gateways are told of them, in bytes of JSON: some thousands of names.
    pub const MAX_BYTES: usize = 256 << 10;

    /// Lets a caller through who is not paused.
    ///
    /// # Errors
    /// `key_paused`.
    pub fn check(&self, identity: &Identity) -> Result<(), Refusal> {
        let workspace = &identity.workspace;
        if self.workspaces.contains(workspace) {
            return Err(Refusal::new(
                Code::KeyPaused,
                format!("the workspace `{workspace}` is paused; ask its owner to resume it"),
            ));
        }
        let held = self.users.get(workspace).zip(identity.user.as_ref());
        if let Some((_, user)) = held.filter(|(users, user)| users.contains(*user)) {
            return Err(Refusal::new(
                Code::KeyPaused,
                format!(
                    "the user `{user}` of the workspace `{workspace}` is paused; ask its owner to resume it"
                ),
            ));
        }
        Ok(())
    }

    /// Whether gateways can be told of all of them: they have at most [`Self::MAX_BYTES`].
    pub fn fits(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|json| json.len() <= Self::MAX_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(workspace: &str, user: Option<&str>) -> Identity {
        Identity {
            workspace: workspace.to_owned(),
            user: user.map(str::to_owned),
            ..Identity::default()
        }
    }

    #[test]
    fn a_workspace_is_held_with_all_that_is_its_and_a_user_in_its_workspace() {
        let paused = Paused {
            workspaces: BTreeSet::from(["closed".to_owned()]),
            users: BTreeMap::from([("open".to_owned(), BTreeSet::from(["ann".to_owned()]))]),
        };
        for (workspace, user, held) in [
            ("closed", None, Some("the workspace `closed` is paused")),
            ("closed", Some("bob"), Some("the workspace `closed` is paused")),
            (
                "open",
                Some("ann"),
                Some("the user `ann` of the workspace `open` is paused"),
            ),
            ("open", Some("bob"), None),
            ("open", None, None),
            ("elsewhere", Some("ann"), None),
        ] {
            let refused = paused.check(&caller(workspace, user)).err();
            assert_eq!(
                refused.as_ref().map(|refusal| refusal.code),
                held.map(|_| Code::KeyPaused)
            );
            let message = refused.map(|refusal| refusal.message).unwrap_or_default();
            assert!(message.starts_with(held.unwrap_or_default()), "{message}");
        }
    }

    #[test]
    fn so_many_are_paused_as_gateways_can_be_told_of() {
        let mut paused = Paused::default();
        assert!(paused.fits());
        paused.workspaces.insert("w".repeat(Paused::MAX_BYTES));
        assert!(!paused.fits());
    }
}
