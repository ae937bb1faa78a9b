//! What a route needs: a rule for each, without which it cannot be added ([`Guarded`]), and what a handler asks of it
//! ([`Permitted`]).

mod guarded;
mod permitted;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::guarded::Guarded;
pub use self::permitted::Permitted;
use crate::principal::Role;

/// What a token of the API may be for, beside its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// Read keys.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Create, change, rotate and revoke keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Read budgets.
    #[serde(rename = "budgets:read")]
    BudgetsRead,
    /// Create, change and archive budgets, and make deposits.
    #[serde(rename = "budgets:write")]
    BudgetsWrite,
    /// Read limits.
    #[serde(rename = "limits:read")]
    LimitsRead,
    /// Create, change, delete and reset limits.
    #[serde(rename = "limits:write")]
    LimitsWrite,
    /// Read events.
    #[serde(rename = "events:read")]
    EventsRead,
    /// Read what is made of events: statistics and exports.
    #[serde(rename = "stats:read")]
    StatsRead,
    /// Read moderation's verdicts and policies.
    #[serde(rename = "moderations:read")]
    ModerationsRead,
    /// Create, change and delete moderation policies.
    #[serde(rename = "moderations:write")]
    ModerationsWrite,
    /// Read what was said in conversations.
    #[serde(rename = "conversations:read")]
    ConversationsRead,
    /// Delete conversations.
    #[serde(rename = "conversations:write")]
    ConversationsWrite,
    /// Read the audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Read workspaces and their users.
    #[serde(rename = "workspaces:read")]
    WorkspacesRead,
    /// Create, change, pause and delete workspaces, create, change and pause their users.
    #[serde(rename = "workspaces:write")]
    WorkspacesWrite,
    /// Read prices.
    #[serde(rename = "prices:read")]
    PricesRead,
    /// Set, change and delete prices.
    #[serde(rename = "prices:write")]
    PricesWrite,
    /// Read webhooks and their deliveries.
    #[serde(rename = "webhooks:read")]
    WebhooksRead,
    /// Create, change and delete webhooks, and send dead letters again.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// Read operators and tokens.
    #[serde(rename = "operators:read")]
    OperatorsRead,
    /// Create, change and delete operators, create and revoke tokens.
    #[serde(rename = "operators:write")]
    OperatorsWrite,
}

/// Where the role must be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In the workspace of the thing. The handler asks [`Permitted`] of each.
    Workspace,
    /// Everywhere: the thing is of no workspace.
    Everywhere,
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// For a token.
    pub scope: Scope,
    /// At least.
    pub role: Role,
    /// Where.
    pub reach: Reach,
}

// === impl Rule ===

impl Rule {
    /// For things of workspaces.
    pub const fn workspace(scope: Scope, role: Role) -> Self {
        Self {
            scope,
            role,
            reach: Reach::Workspace,
        }
    }

    /// For things of no workspace.
    pub const fn everywhere(scope: Scope, role: Role) -> Self {
        Self {
            scope,
            role,
            reach: Reach::Everywhere,
        }
    }
}

// === impl Scope ===

impl Scope {
    /// As tokens and the API spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::BudgetsRead => "budgets:read",
            Self::BudgetsWrite => "budgets:write",
            Self::LimitsRead => "limits:read",
            Self::LimitsWrite => "limits:write",
            Self::EventsRead => "events:read",
            Self::StatsRead => "stats:read",
            Self::ModerationsRead => "moderations:read",
            Self::ModerationsWrite => "moderations:write",
            Self::ConversationsRead => "conversations:read",
            Self::ConversationsWrite => "conversations:write",
            Self::AuditRead => "audit:read",
            Self::WorkspacesRead => "workspaces:read",
            Self::WorkspacesWrite => "workspaces:write",
            Self::PricesRead => "prices:read",
            Self::PricesWrite => "prices:write",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::OperatorsRead => "operators:read",
            Self::OperatorsWrite => "operators:write",
        }
    }
}

// === impl Reach ===

impl Reach {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Everywhere => "everywhere",
        }
    }
}
