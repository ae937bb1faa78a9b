//! The configuration as it is written: strict YAML, no defaults applied, nothing checked but its shape.

use serde::Deserialize;
use tollgate_core::config::Span;

use crate::moderation::spec::ModerationSpec;

/// The whole file. Every field may be absent; [`super::Config`] says which may stay so.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Address and port to listen on; default `127.0.0.1:10002`.
    pub listen: Option<String>,
    /// A file (`/var/lib/tollgate/ledger.db`, `sqlite://…`) or a server (`postgres://…`). Required.
    pub database: Option<String>,
    /// What `/admin/v1` asks for as a bearer token. Required.
    pub admin_token: Option<String>,
    /// What gateways may authenticate with: one, or two while a token is being exchanged. Required.
    pub gateway_tokens: Vec<String>,
    /// Bounds on what callers send.
    pub limits: LimitsSpec,
    /// What is logged.
    pub log: LogSpec,
    /// How long requests under way may take to end after SIGTERM; default `10s`.
    pub shutdown_timeout: Option<Span>,
    /// Moderation policies, by name.
    pub moderation: ModerationSpec,
}

/// Bounds on what callers send.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// Largest body on the gateway API, in bytes; default 4 MiB.
    pub gateway_body_bytes: Option<u64>,
    /// Largest body on the admin API, in bytes; default 64 KiB.
    pub admin_body_bytes: Option<u64>,
    /// Longest time for one request, its body included; default `30s`.
    pub request_timeout: Option<Span>,
}

/// What is logged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSpec {
    /// A level (`info`) or directives of `tracing-subscriber` (`info,sqlx=warn`); default `info`.
    pub level: Option<String>,
}
