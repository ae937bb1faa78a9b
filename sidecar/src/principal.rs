//! Who asks: the one place that knows what an operator can be.

use crate::session::Session;

/// Somebody whom the admin API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// Whoever holds the admin token of the configuration. May do everything.
    AdminToken,
}

/// Who asks, and how that is known. In the extensions of every request that reaches a handler of the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The session of the cookie; none where the request itself bears a token.
    pub session: Option<Session>,
}

// === impl Principal ===

impl Principal {
    /// As the ledger and the API spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdminToken => "admin_token",
        }
    }

    /// Reads what [`Self::name`] wrote; none where a newer program wrote it.
    pub fn parse(name: &str) -> Option<Self> {
        (name == Self::AdminToken.name()).then_some(Self::AdminToken)
    }
}
