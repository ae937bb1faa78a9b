//! Who a request is from, as it is written: where it says so, and the keys.

use serde::Deserialize;

use crate::auth::CREDENTIAL_HEADERS;
use crate::config::Span;
use crate::glob::Glob;
use crate::headers::{Names, OVERRIDES};
use crate::key::{KeyHash, KeyStatus};

/// Where a request says who it is from: an API key in a header, or claims of a JWT.
///
/// ```yaml
/// identity:
///   credential_headers: [authorization, x-api-key]
///   session_header: x-session-id
///   jwt:
///     payload_in_metadata: jwt_payload
///     workspace_claim: team
///     session_claim: sid
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct IdentitySpec {
    /// Headers that may carry the API key, in the order in which they are looked at.
    pub credential_headers: Vec<String>,
    /// Header in which a client names its session. It is not sent on.
    pub session_header: String,
    /// Header in which a client names tags of its request, with commas between them: budgets may be counted per
    /// tag. It is not sent on.
    pub tags_header: String,
    /// Takes identities from Envoy's `jwt_authn` filter, which must stand before this one.
    pub jwt: Option<JwtSpec>,
}

/// Identities from JWTs that Envoy's `jwt_authn` has verified.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JwtSpec {
    /// `payload_in_metadata` of the `jwt_authn` provider.
    pub payload_in_metadata: String,
    /// The claim that names the workspace. A token without it is no identity.
    pub workspace_claim: String,
    /// The claim that names the user.
    #[serde(default = "default_user_claim")]
    pub user_claim: String,
    /// The claim that names the session.
    #[serde(default)]
    pub session_claim: Option<String>,
}

/// A key known without the sidecar. Its secret is not written here: only its SHA-256.
///
/// ```yaml
/// keys:
///   - id: key_nightly
///     sha256: 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8
///     workspace: research
///     user: nightly-evaluation
///     models: ["gpt-4o*", "text-embedding-*"]
///     expires_at: 2030-01-01T00:00:00Z
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Stable id, in events and limits.
    pub id: String,
    /// SHA-256 of the secret, 64 hex digits (`printf %s "$KEY" | sha256sum`).
    pub sha256: KeyHash,
    /// What the key belongs to.
    pub workspace: String,
    /// The person or service behind it.
    #[serde(default)]
    pub user: Option<String>,
    /// Models it may call, as globs; empty means all.
    #[serde(default)]
    pub models: Vec<Glob>,
    /// RFC 3339 time after which it is refused.
    #[serde(default)]
    pub expires_at: Option<jiff::Timestamp>,
    /// Whether it may be used.
    #[serde(default)]
    pub status: KeyStatus,
    /// The moderation policy bound to this key.
    #[serde(default)]
    pub moderation: Option<String>,
}

/// How keys that the sidecar resolved are remembered.
///
/// ```yaml
/// key_cache: {ttl: 10m, stale_ttl: 7d, max_keys: 50000}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct KeyCacheSpec {
    /// After this long a key is asked for again; changes arrive within seconds anyway.
    pub ttl: Span,
    /// How long a known key still works while the sidecar is away.
    pub stale_ttl: Span,
    /// How long an unknown key is remembered as such.
    pub unknown_ttl: Span,
    /// How many keys are remembered.
    pub max_keys: u32,
}

// === impl IdentitySpec ===

impl IdentitySpec {
    /// The headers that do not reach the provider, beside Tollgate's own.
    pub(in crate::config) fn withheld(&self) -> Names {
        let ours = [&self.session_header, &self.tags_header];
        let named = self.credential_headers.iter().chain(ours).cloned();
        named.chain(OVERRIDES.map(str::to_owned)).collect()
    }
}

impl Default for IdentitySpec {
    fn default() -> Self {
        Self {
            credential_headers: CREDENTIAL_HEADERS.map(str::to_owned).to_vec(),
            session_header: "x-tollgate-session".to_owned(),
            tags_header: "x-tollgate-tags".to_owned(),
            jwt: None,
        }
    }
}

// === impl KeyCacheSpec ===

impl Default for KeyCacheSpec {
    fn default() -> Self {
        Self {
            ttl: Span::from_millis(3_600_000),
            stale_ttl: Span::from_millis(86_400_000),
            unknown_ttl: Span::from_millis(5_000),
            max_keys: 16_384,
        }
    }
}

fn default_user_claim() -> String {
    "sub".to_owned()
}
