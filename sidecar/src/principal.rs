//! Who asks: the one place that knows what an operator can be, and what one may see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::access::Scope;
use crate::ledger::Workspaces;
use crate::ledger::audit::Actor;
use crate::session::Session;

/// Stands for every workspace, and for what is of none.
pub const EVERYWHERE: &str = "*";

/// What somebody may do in a workspace. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything.
    Viewer,
    /// Makes and changes keys.
    Member,
    /// Makes and changes everything but owners.
    Admin,
    /// May do everything.
    Owner,
}

/// A role for each workspace by name, and for every one there is with `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Grants(BTreeMap<String, Role>);

/// Somebody whom the admin API knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever holds the admin token of the configuration. May do everything.
    AdminToken,
    /// Who has signed in.
    Operator {
        /// Stable id.
        id: String,
        /// Unique, and never changed.
        name: String,
    },
    /// A program with a token of the API.
    ApiToken {
        /// Stable id.
        id: String,
        /// The operator who made it; none where the admin token did.
        operator_id: Option<String>,
    },
}

/// Who asks, and how that is known. In the extensions of every request that reaches a handler of the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// What they may do where.
    pub grants: Grants,
    /// What they may do at all; none where that is whatever their role may.
    pub scopes: Option<BTreeSet<Scope>>,
    /// The session of the cookie; none where the request itself bears a token.
    pub session: Option<Session>,
    /// What they prove it with; none before that is looked at.
    pub credential: Option<Credential>,
    /// Where the request comes from.
    pub address: Option<String>,
    /// What it says that it was sent with.
    pub user_agent: Option<String>,
}

/// A digest of the token or the cookie that a caller sent. It is of another kind than those that the ledger keeps, so
/// that what is sealed with it cannot be opened by whoever reads the ledger.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential([u8; 32]);

// === impl Credential ===

impl Credential {
    /// Of what was sent.
    pub fn of(sent: &[u8]) -> Self {
        Self(
            Sha256::new_with_prefix(b"tollgate caller ")
                .chain_update(sent)
                .finalize()
                .into(),
        )
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

// === impl Role ===

impl Role {
    /// As the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

// === impl Grants ===

impl Grants {
    /// One role, in one workspace or everywhere.
    pub fn one(workspace: Option<&str>, role: Role) -> Self {
        let workspace = workspace.unwrap_or(EVERYWHERE).to_owned();
        Self(BTreeMap::from([(workspace, role)]))
    }

    /// The role in a workspace; without one, everywhere.
    pub fn role_in(&self, workspace: Option<&str>) -> Option<Role> {
        let everywhere = self.0.get(EVERYWHERE);
        let here = workspace.and_then(|workspace| self.0.get(workspace));
        everywhere.max(here).copied()
    }

    /// Where the role is at least this one.
    pub fn workspaces(&self, least: Role) -> Workspaces {
        if self.role_in(None) >= Some(least) {
            return Workspaces::All;
        }
        let here = self.0.iter().filter(|(_, role)| **role >= least);
        Workspaces::Only(here.map(|(workspace, _)| workspace.clone()).collect())
    }

    /// Adds a role; of two for one workspace the stronger counts.
    pub fn add(&mut self, workspace: &str, role: Role) {
        let here = self.0.entry(workspace.to_owned()).or_insert(role);
        *here = role.max(*here);
    }

    /// Whether nothing may be done anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What both allow.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let names: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let both = names.into_iter().filter_map(|name| {
            let workspace = (name != EVERYWHERE).then_some(name.as_str());
            let role = self.role_in(workspace)?.min(other.role_in(workspace)?);
            Some((name.clone(), role))
        });
        Self(both.collect())
    }

    /// Whether all that they allow is allowed by `other` too.
    pub fn are_within(&self, other: &Self) -> bool {
        self.0.iter().all(|(name, role)| {
            let workspace = (name != EVERYWHERE).then_some(name.as_str());
            other.role_in(workspace) >= Some(*role)
        })
    }

    /// Each workspace, or `*`, with its role.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Role)> {
        self.0.iter().map(|(name, role)| (name.as_str(), *role))
    }
}

// === impl Caller ===

impl Caller {
    /// Whoever holds the admin token.
    pub fn admin_token() -> Self {
        Self::new(Principal::AdminToken, Grants::one(None, Role::Owner))
    }

    /// Somebody who may do whatever these grant.
    pub fn new(principal: Principal, grants: Grants) -> Self {
        Self {
            principal,
            grants,
            scopes: None,
            session: None,
            credential: None,
            address: None,
            user_agent: None,
        }
    }

    /// As the audit log names them.
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.principal.to_string(),
            address: self.address.clone(),
            user_agent: self.user_agent.clone(),
        }
    }

    /// The operator who is behind it; none where the admin token is.
    pub fn operator_id(&self) -> Option<&str> {
        match &self.principal {
            Principal::AdminToken => None,
            Principal::Operator { id, .. } => Some(id),
            Principal::ApiToken { operator_id, .. } => operator_id.as_deref(),
        }
    }
}

// === impl Principal ===

impl fmt::Display for Principal {
    /// As the audit log and the API name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminToken => f.write_str("admin_token"),
            Self::Operator { name, .. } => write!(f, "operator:{name}"),
            Self::ApiToken { id, .. } => write!(f, "token:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(pairs: &[(&str, Role)]) -> Grants {
        Grants(
            pairs
                .iter()
                .map(|(name, role)| ((*name).to_owned(), *role))
                .collect(),
        )
    }

    #[test]
    fn the_stronger_of_everywhere_and_here_counts() {
        let grants = grants(&[("*", Role::Viewer), ("a", Role::Admin)]);
        assert_eq!(grants.role_in(Some("a")), Some(Role::Admin));
        assert_eq!(grants.role_in(Some("b")), Some(Role::Viewer));
        assert_eq!(grants.role_in(None), Some(Role::Viewer));
        assert_eq!(grants.workspaces(Role::Viewer), Workspaces::All);
        assert_eq!(
            grants.workspaces(Role::Member),
            Workspaces::Only(vec!["a".to_owned()])
        );
    }

    #[test]
    fn what_both_allow_is_the_weaker_of_each() {
        let token = grants(&[("*", Role::Admin)]);
        let operator = grants(&[("a", Role::Owner), ("b", Role::Viewer)]);
        let both = token.within(&operator);
        assert_eq!(both, grants(&[("a", Role::Admin), ("b", Role::Viewer)]));
        assert_eq!(operator.within(&token), both);
        assert!(both.are_within(&token) && both.are_within(&operator));
        assert!(!token.are_within(&operator));
        assert_eq!(grants(&[]).role_in(Some("a")), None);
    }
}
