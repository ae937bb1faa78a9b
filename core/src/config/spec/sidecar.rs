//! How the sidecar is reached.

use serde::Deserialize;

use super::default_timeout;
use crate::config::Span;

/// How to reach the sidecar.
///
/// ```yaml
/// sidecar:
///   cluster: tollgate_sidecar
///   token: replace-with-the-gateway-token
///   timeout: 500ms
///   breaker: {failures: 10, pause: 2s}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SidecarSpec {
    /// Name of the Envoy cluster (on Istio `outbound|PORT||HOST`).
    pub cluster: String,
    /// Value of `:authority`; the cluster's name if absent.
    #[serde(default)]
    pub authority: Option<String>,
    /// The gateway token of the sidecar's configuration.
    pub token: String,
    /// How long a request waits for the sidecar.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// When requests stop waiting for it.
    #[serde(default)]
    pub breaker: BreakerSpec,
}

/// When requests stop waiting for a sidecar that does not answer: each then goes at once by the policy for a
/// sidecar that is away.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSpec {
    /// After so many questions in a row without an answer, of all workers together; at least 1.
    pub failures: u32,
    /// For so long; then one request at a time tries.
    pub pause: Span,
}

// === impl BreakerSpec ===

impl Default for BreakerSpec {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Span::from_millis(2_000),
        }
    }
}
