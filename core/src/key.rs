//! API keys: what a gateway knows of one. The secret itself is never kept, only its SHA-256.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::time::UnixMillis;

/// The SHA-256 of a key's text.
#[derive(Clone, Copy, Eq)]
pub struct KeyHash(pub [u8; 32]);

/// A key as the sidecar resolves it and as gateways cache it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Stable id, e.g. `key_01J…`: survives rotation.
    pub id: String,
    /// SHA-256 of the secret, 64 lower-case hex digits.
    pub sha256: KeyHash,
    /// What the key belongs to.
    pub workspace: String,
    /// The person or service behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Models it may call, as globs (`gpt-4o*`); empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// After this moment the key is refused with `expired_api_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<UnixMillis>,
    /// From this moment on the secret is refused as unknown: another one took its place, and its grace is over. The key
    /// itself goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires_at_ms: Option<UnixMillis>,
    /// Whether the key may be used at all.
    #[serde(default)]
    pub status: KeyStatus,
    /// The moderation policy bound to this key, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moderation: Option<String>,
}

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// In use.
    #[default]
    Active,
    /// Refused with `key_paused` until resumed.
    Paused,
    /// Refused with `invalid_api_key`, for good.
    Revoked,
}

// === impl KeyHash ===

impl KeyHash {
    /// Hashes a key's text.
    pub fn of(secret: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(secret).into())
    }

    /// The hash as 64 lower-case hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }
}

impl PartialEq for KeyHash {
    /// In constant time: how many bytes agree is not to be measured from outside.
    fn eq(&self, other: &Self) -> bool {
        let (own, _) = self.0.as_chunks::<8>();
        let (others, _) = other.0.as_chunks::<8>();
        let differences = own
            .iter()
            .zip(others)
            .map(|(one, another)| u64::from_le_bytes(*one) ^ u64::from_le_bytes(*another));
        differences.fold(0, std::ops::BitOr::bitor).ct_eq(&0).into()
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl std::fmt::Debug for KeyHash {
    /// The first four bytes: enough to tell two apart in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHash(")?;
        self.0
            .iter()
            .take(4)
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected 64 hex digits (a SHA-256)"))
    }
}
