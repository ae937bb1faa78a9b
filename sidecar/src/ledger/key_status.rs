//! Whether a key may be used, as the ledger spells it.

use tollgate_core::key::KeyStatus;

/// [`KeyStatus`] as the ledger spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub KeyStatus);

/// A status that a newer program wrote.
#[derive(Debug, thiserror::Error)]
#[error("unknown key status {0:?}")]
pub struct UnknownStatus(String);

// === impl Status ===

impl Status {
    /// As the ledger spells it.
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            KeyStatus::Active => "active",
            KeyStatus::Paused => "paused",
            KeyStatus::Revoked => "revoked",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = UnknownStatus;

    fn try_from(text: String) -> Result<Self, UnknownStatus> {
        match text.as_str() {
            "active" => Ok(Self(KeyStatus::Active)),
            "paused" => Ok(Self(KeyStatus::Paused)),
            "revoked" => Ok(Self(KeyStatus::Revoked)),
            _ => Err(UnknownStatus(text)),
        }
    }
}
