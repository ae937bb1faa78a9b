//! Configuration: strict YAML ([`spec`]), environment on top ([`env`]), then one value that cannot be invalid.
//!
//! Everything about a configuration is known at start-up. Every fault names its path, and all faults are
//! told at once.

mod budgets;
pub mod env;
pub mod oidc;
mod otlp;
pub mod otlp_spec;
pub mod spec;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use thiserror::Error;
use tollgate_core::config::Fault;
use tracing_subscriber::EnvFilter;

pub use self::budgets::Budgets;
pub use self::oidc::Oidc;
pub use self::otlp::Otlp;
use self::spec::Spec;
use crate::conversation::Conversations;
use crate::moderation::Moderation;
use crate::secret::Token;
use crate::webhook::Schedule;

const MIN_BODY_BYTES: u64 = 1024;
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the ledger is.
    pub database: Database,
    /// What the admin API asks for.
    pub admin_token: Token,
    /// What the gateway API asks for: any of these. Never empty.
    pub gateway_tokens: Vec<Token>,
    /// Bounds on what callers send.
    pub limits: Limits,
    /// Directives for the log, as `tracing-subscriber` reads them: known to be valid.
    pub log: String,
    /// How long requests under way may take to end once shutdown began.
    pub shutdown_timeout: Duration,
    /// How budgets are leased, and which are there from the start.
    pub budgets: Budgets,
    /// How webhooks are delivered.
    pub webhooks: Schedule,
    /// How operators sign in by single sign-on, if they may.
    pub oidc: Option<Oidc>,
    /// What is exported by OTLP, if anything is.
    pub otlp: Option<Otlp>,
    /// Moderation policies, compiled.
    pub moderation: Moderation,
    /// How conversations are kept, if they are.
    pub conversations: Option<Conversations>,
}

/// What a ledger may be in.
const DATABASES: &str = "the file of a SQLite database, or postgres://user:password@host:port/name";

/// Where the ledger is.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// An embedded SQLite file; its folder is created.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by URL.
    Postgres(String),
}

/// Bounds on what callers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest body on the gateway API, in bytes.
    pub gateway_body_bytes: usize,
    /// Largest body on the admin API, in bytes.
    pub admin_body_bytes: usize,
    /// Longest time for one request, its body included.
    pub request_timeout: Duration,
}

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file says something that cannot be: all faults, one a line. Never empty.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

// === impl Config ===

impl Config {
    /// Reads a file, with the process's environment on top.
    ///
    /// # Errors
    /// [`ConfigError`], with the path of each fault.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        // A variable that is not UTF-8 cannot be one of ours.
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_yaml(&text, vars)
    }

    /// Reads YAML, with `vars` on top (see [`env::OVERRIDES`]).
    ///
    /// # Errors
    /// [`ConfigError::Faults`], with the path of each fault.
    pub fn from_yaml(
        yaml: &str,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut spec = parse(yaml)?;
        env::apply(&mut spec, vars)?;
        Self::try_from(spec)
    }
}

impl TryFrom<Spec> for Config {
    type Error = ConfigError;

    fn try_from(spec: Spec) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let listen = check(
            &mut faults,
            "listen",
            spec.listen.parse().map_err(|_| {
                format!(
                    "expected an IP address and port such as 127.0.0.1:10002, got {:?}",
                    spec.listen
                )
            }),
        );
        let database = check(&mut faults, "database", Database::parse(spec.database.as_deref()));
        let admin_token = check(&mut faults, "admin_token", token(spec.admin_token.as_deref()));
        if spec.gateway_tokens.is_empty() {
            faults.push(Fault::at("gateway_tokens", "required: at least one secret of your own, here or, with commas, in the variable TOLLGATE_SIDECAR__GATEWAY_TOKENS"));
        }
        let gateway_tokens: Vec<Token> = spec
            .gateway_tokens
            .iter()
            .enumerate()
            .filter_map(|(i, text)| check(&mut faults, &format!("gateway_tokens[{i}]"), token(Some(text))))
            .collect();
        let limits = Limits::check(&spec.limits, &mut faults);
        let log = check(
            &mut faults,
            "log.level",
            EnvFilter::try_new(&spec.log.level)
                .map(|_| spec.log.level.clone())
                .map_err(|error| format!("not a level: {error}")),
        );
        let budgets = Budgets::compile(&spec.budgets, &mut faults);
        let webhooks = schedule(&spec.webhooks, &mut faults);
        let oidc = spec
            .oidc
            .as_ref()
            .and_then(|spec| Oidc::compile(spec, &mut faults));
        let otlp = Otlp::compile(&spec.otlp, &mut faults);
        let moderation = Moderation::compile(&spec.moderation, "moderation", &mut faults);
        let conversations = spec
            .conversations
            .as_ref()
            .map(|spec| Conversations::compile(spec, &moderation, "conversations", &mut faults));
        ConfigError::unless_empty(faults)?;
        let (Some(listen), Some(database), Some(admin_token), Some(log)) =
            (listen, database, admin_token, log)
        else {
            debug_assert!(false, "a setting is missing without a fault");
            return Err(ConfigError::Faults(Vec::new()));
        };
        Ok(Self {
            listen,
            database,
            admin_token,
            gateway_tokens,
            limits,
            log,
            shutdown_timeout: spec.shutdown_timeout.get(),
            budgets,
            webhooks,
            oidc,
            otlp,
            moderation,
            conversations,
        })
    }
}

// === impl Database ===

impl Database {
    fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Err(format!("required: {DATABASES}"));
        };
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // The text itself is not told: it may hold a password.
            return match PgConnectOptions::from_str(text) {
                Ok(_) => Ok(Self::Postgres(text.to_owned())),
                Err(error) => Err(format!(
                    "expected postgres://user:password@host:port/name, got {error}"
                )),
            };
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .unwrap_or(text);
        if path.contains("://") || path.starts_with(":memory:") || path.is_empty() {
            let scheme = path.split_once("://").map_or(path, |(scheme, _)| scheme);
            return Err(format!("expected {DATABASES}, got {scheme:?}"));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl fmt::Display for Database {
    /// Which it is, in words, without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "SQLite {}", path.display()),
            Self::Postgres(url) => match PgConnectOptions::from_str(url) {
                Ok(server) => write!(f, "PostgreSQL at {}:{}", server.get_host(), server.get_port()),
                Err(_) => f.write_str("PostgreSQL"),
            },
        }
    }
}

impl fmt::Debug for Database {
    /// A server's URL may hold a password, and is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

// === impl Limits ===

impl Limits {
    fn check(spec: &spec::LimitsSpec, faults: &mut Vec<Fault>) -> Self {
        let mut bytes = |path: &str, bytes: u64| {
            if !(MIN_BODY_BYTES..=MAX_BODY_BYTES).contains(&bytes) {
                faults.push(Fault::at(
                    path,
                    format!("expected {MIN_BODY_BYTES} to {MAX_BODY_BYTES} bytes"),
                ));
            }
            usize::try_from(bytes).unwrap_or(usize::MAX)
        };
        let gateway_body_bytes = bytes("limits.gateway_body_bytes", spec.gateway_body_bytes);
        let admin_body_bytes = bytes("limits.admin_body_bytes", spec.admin_body_bytes);
        Self {
            gateway_body_bytes,
            admin_body_bytes,
            request_timeout: spec.request_timeout.get(),
        }
    }
}

// === impl ConfigError ===

impl ConfigError {
    /// An error where there are faults.
    fn unless_empty(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self::Faults(faults))
        }
    }
}

fn schedule(spec: &spec::WebhooksSpec, faults: &mut Vec<Fault>) -> Schedule {
    if spec.attempts == 0 {
        faults.push(Fault::at("webhooks.attempts", "expected at least 1"));
    }
    if spec.max_retry.get() < spec.first_retry.get() {
        faults.push(Fault::at("webhooks.max_retry", "is shorter than first_retry"));
    }
    Schedule {
        first_retry: spec.first_retry.get(),
        max_retry: spec.max_retry.get(),
        attempts: spec.attempts,
        timeout: spec.timeout.get(),
    }
}

/// The value, or its fault among the others.
fn check<T>(faults: &mut Vec<Fault>, path: &str, result: Result<T, String>) -> Option<T> {
    result
        .map_err(|message| faults.push(Fault::at(path, message)))
        .ok()
}

/// Parses the file's shape. The text around a fault is not quoted: it may hold a token.
fn parse(yaml: &str) -> Result<Spec, ConfigError> {
    let mut path = String::new();
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(yaml, options, |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    });
    parsed.map_err(|error| {
        let path = if path.is_empty() || path == "." {
            "(file)".to_owned()
        } else {
            path
        };
        ConfigError::Faults(vec![Fault::at(path, error.to_string())])
    })
}

fn token(text: Option<&str>) -> Result<Token, String> {
    let text = text.ok_or_else(|| {
        "required: a secret of your own, here or in the variable TOLLGATE_SIDECAR__ADMIN_TOKEN".to_owned()
    })?;
    Token::new(text).map_err(|error| error.to_string())
}
