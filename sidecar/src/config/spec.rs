//! The configuration as it is written: strict YAML, nothing checked but its shape.
//!
//! These types are the reference: `docs/sidecar-configuration.md` is generated from them and from their comments.

use serde::Deserialize;
use tollgate_core::budget::BudgetSpec;
use tollgate_core::budget::ledger::LeaseRules;
use tollgate_core::config::Span;

use super::otlp_spec::OtlpSpec;
use crate::conversation::spec::ConversationsSpec;
use crate::moderation::spec::ModerationSpec;
use crate::principal::Role;

/// The whole file.
///
/// ```yaml
/// listen: 0.0.0.0:10002
/// database: /var/lib/tollgate/ledger.db
/// admin_token: replace-with-the-admin-token
/// gateway_tokens: [replace-with-the-gateway-token]
/// shutdown_timeout: 20s
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Address and port to listen on.
    pub listen: String,
    /// Required: a file (`/var/lib/tollgate/ledger.db`, `sqlite://…`), which is created with its folder, or a server
    /// (`postgres://…`).
    pub database: Option<String>,
    /// Required: what `/admin/v1` asks for as a bearer token.
    pub admin_token: Option<String>,
    /// Required: what gateways may authenticate with, one, or two while a token is being exchanged.
    pub gateway_tokens: Vec<String>,
    /// Bounds on what callers send.
    pub limits: LimitsSpec,
    /// What is logged.
    pub log: LogSpec,
    /// How long requests under way may take to end after SIGTERM.
    pub shutdown_timeout: Span,
    /// How webhooks are delivered.
    pub webhooks: WebhooksSpec,
    /// How budgets are leased, and which are there from the start.
    pub budgets: BudgetsSpec,
    /// How operators sign in by single sign-on; by name and password alone unless this is there.
    pub oidc: Option<OidcSpec>,
    /// What is exported by OTLP.
    pub otlp: OtlpSpec,
    /// Moderation policies, by name.
    pub moderation: ModerationSpec,
    /// Keeps what is said in exchanges; nothing is kept unless this is there.
    pub conversations: Option<ConversationsSpec>,
}

/// Bounds on what callers send. Bodies may be of 1 KiB to 64 MiB.
///
/// ```yaml
/// limits:
///   gateway_body_bytes: 8388608
///   request_timeout: 10s
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// Largest body on the gateway API, in bytes: a batch of 1,000 events, or the texts of one moderation.
    pub gateway_body_bytes: u64,
    /// Largest body on the admin API, in bytes.
    pub admin_body_bytes: u64,
    /// Longest time for one request, its body included. Longer than the filter waits for any callout.
    pub request_timeout: Span,
}

/// How budgets are leased to gateways, and which are there from the start. All others are made by the admin API.
///
/// ```yaml
/// budgets:
///   tiers: {tokens_per_request: 10000, tokens_per_session: 50000}
///   defaults:
///     - name: a user's month
///       subject: {workspace: "*", user: "*"}
///       unit: usd
///       period: month
///       amount: "10"
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BudgetsSpec {
    /// Default tiers, in tokens, for everybody; none unless this is there.
    pub tiers: Option<TiersSpec>,
    /// Budgets that the sidecar makes when it starts and they are not there; as a rule templates, from which everybody
    /// gets a budget of their own when first seen. One that is changed here is changed in the ledger at the next start;
    /// what the admin API changes stays until then. One that is removed here stays until the admin API removes it.
    pub defaults: Vec<BudgetSpec>,
    /// How many live budgets one template may have made: what clients choose must not fill the ledger. Beyond that the
    /// oldest sessions' budgets make room; whoever else is new is refused.
    pub max_per_template: u64,
    /// For so long after it was last heard a gateway may reserve from a lease.
    pub lease_ttl: Span,
    /// For so long after that the ledger waits for the gateway's last events before it takes the rest back.
    pub lease_grace: Span,
    /// A lease older than this is replaced: what a crashed worker left reserved in it is then free again.
    pub lease_max_age: Span,
}

/// Default tiers, in input and output tokens together.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TiersSpec {
    /// No request may use more.
    pub tokens_per_request: u64,
    /// Nor may all requests of one session of a workspace together.
    pub tokens_per_session: u64,
}

/// How webhooks are delivered: see `docs/budgets.md`.
///
/// ```yaml
/// webhooks:
///   first_retry: 2s
///   attempts: 20
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksSpec {
    /// How long after a first attempt the second is made, and twice as long after each other one.
    pub first_retry: Span,
    /// The longest time between two attempts.
    pub max_retry: Span,
    /// After so many attempts a delivery is a dead letter.
    pub attempts: u32,
    /// How long an attempt may take.
    pub timeout: Span,
}

/// Single sign-on of operators by OpenID Connect: the authorisation code flow with PKCE. Who signs in is an operator with
/// the roles of their groups, from one sign-in to the next.
///
/// ```yaml
/// oidc:
///   issuer: https://login.example.com
///   client_id: tollgate
///   client_secret: replace-with-the-client-secret
///   redirect_url: https://tollgate.example.com/admin/v1/session/oidc/callback
///   roles:
///     - {group: platform, role: owner}
///     - {group: research-leads, workspace: research, role: admin}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OidcSpec {
    /// Required: the provider, by the URL that its tokens bear; `/.well-known/openid-configuration` is read under it.
    pub issuer: String,
    /// Required: what the provider knows this sidecar as.
    pub client_id: String,
    /// What the sidecar proves that with; none for a public client.
    pub client_secret: Option<String>,
    /// Required: where the provider sends the browser back to, the page's address and
    /// `/admin/v1/session/oidc/callback`.
    pub redirect_url: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim of the ID token that names the operator.
    pub name_claim: String,
    /// The claim of the ID token that lists groups.
    pub groups_claim: String,
    /// Required: what groups may do. Who is in none of them cannot sign in.
    pub roles: Vec<GroupRoleSpec>,
}

/// What a group may do where.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupRoleSpec {
    /// The group as the provider spells it; `*` for everybody whom it knows.
    pub group: String,
    /// One workspace; all of them unless this is there.
    #[serde(default)]
    pub workspace: Option<String>,
    /// `viewer`, `member`, `admin` or `owner`.
    pub role: Role,
}

/// What is logged, as JSON on standard error.
///
/// ```yaml
/// log:
///   level: info,sqlx=warn,tollgate_sidecar=debug
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LogSpec {
    /// A level (`info`) or directives of `tracing-subscriber` (`info,sqlx=warn`).
    pub level: String,
}

// === impl Spec ===

impl Default for Spec {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:10002".to_owned(),
            database: None,
            admin_token: None,
            gateway_tokens: Vec::new(),
            limits: LimitsSpec::default(),
            log: LogSpec::default(),
            shutdown_timeout: Span::from_millis(10_000),
            webhooks: WebhooksSpec::default(),
            budgets: BudgetsSpec::default(),
            oidc: None,
            otlp: OtlpSpec::default(),
            moderation: ModerationSpec::default(),
            conversations: None,
        }
    }
}

// === impl LimitsSpec ===

impl Default for LimitsSpec {
    fn default() -> Self {
        Self {
            gateway_body_bytes: 4 << 20,
            admin_body_bytes: 64 << 10,
            request_timeout: Span::from_millis(30_000),
        }
    }
}

// === impl BudgetsSpec ===

impl Default for BudgetsSpec {
    fn default() -> Self {
        let rules = LeaseRules::default();
        Self {
            tiers: None,
            defaults: Vec::new(),
            max_per_template: 100_000,
            lease_ttl: Span::from_millis(rules.ttl_ms),
            lease_grace: Span::from_millis(rules.grace_ms),
            lease_max_age: Span::from_millis(rules.max_age_ms),
        }
    }
}

// === impl TiersSpec ===

impl Default for TiersSpec {
    fn default() -> Self {
        Self {
            tokens_per_request: 10_000,
            tokens_per_session: 50_000,
        }
    }
}

// === impl WebhooksSpec ===

impl Default for WebhooksSpec {
    /// Twelve attempts over about two hours and a half.
    fn default() -> Self {
        Self {
            first_retry: Span::from_millis(5_000),
            max_retry: Span::from_millis(3_600_000),
            attempts: 12,
            timeout: Span::from_millis(10_000),
        }
    }
}

// === impl OidcSpec ===

impl Default for OidcSpec {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            redirect_url: String::new(),
            scopes: ["email", "profile"].map(str::to_owned).to_vec(),
            name_claim: "email".to_owned(),
            groups_claim: "groups".to_owned(),
            roles: Vec::new(),
        }
    }
}

// === impl LogSpec ===

impl Default for LogSpec {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
        }
    }
}
