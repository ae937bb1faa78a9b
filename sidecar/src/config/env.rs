//! Overrides from the environment: one documented variable a setting, so that a misspelt one is an error.

use tollgate_core::config::{Fault, Span};

use super::ConfigError;
use super::spec::Spec;

/// What every override begins with.
pub const PREFIX: &str = "TOLLGATE_SIDECAR__";

/// Every override, with what it overrides. Lists are written with commas.
pub const OVERRIDES: &[(&str, &str)] = &[
    ("TOLLGATE_SIDECAR__LISTEN", "listen"),
    ("TOLLGATE_SIDECAR__DATABASE", "database"),
    ("TOLLGATE_SIDECAR__ADMIN_TOKEN", "admin_token"),
    ("TOLLGATE_SIDECAR__GATEWAY_TOKENS", "gateway_tokens"),
    ("TOLLGATE_SIDECAR__LOG__LEVEL", "log.level"),
    (
        "TOLLGATE_SIDECAR__LIMITS__GATEWAY_BODY_BYTES",
        "limits.gateway_body_bytes",
    ),
    (
        "TOLLGATE_SIDECAR__LIMITS__ADMIN_BODY_BYTES",
        "limits.admin_body_bytes",
    ),
    (
        "TOLLGATE_SIDECAR__LIMITS__REQUEST_TIMEOUT",
        "limits.request_timeout",
    ),
    ("TOLLGATE_SIDECAR__SHUTDOWN_TIMEOUT", "shutdown_timeout"),
    ("TOLLGATE_SIDECAR__WEBHOOKS__FIRST_RETRY", "webhooks.first_retry"),
    ("TOLLGATE_SIDECAR__WEBHOOKS__MAX_RETRY", "webhooks.max_retry"),
    ("TOLLGATE_SIDECAR__WEBHOOKS__ATTEMPTS", "webhooks.attempts"),
    ("TOLLGATE_SIDECAR__WEBHOOKS__TIMEOUT", "webhooks.timeout"),
    ("TOLLGATE_SIDECAR__BUDGETS__LEASE_TTL", "budgets.lease_ttl"),
    ("TOLLGATE_SIDECAR__BUDGETS__LEASE_GRACE", "budgets.lease_grace"),
    (
        "TOLLGATE_SIDECAR__BUDGETS__LEASE_MAX_AGE",
        "budgets.lease_max_age",
    ),
    ("TOLLGATE_SIDECAR__OIDC__CLIENT_SECRET", "oidc.client_secret"),
    (
        "TOLLGATE_SIDECAR__BUDGETS__MAX_PER_TEMPLATE",
        "budgets.max_per_template",
    ),
];

/// What OpenTelemetry's variables begin with.
const OTEL_PREFIX: &str = "OTEL_";

/// Lays the variables that begin with [`PREFIX`], and those of OpenTelemetry's that count here, over what the file says.
///
/// # Errors
/// A variable that begins with [`PREFIX`] and is not in [`OVERRIDES`], or whose value is no number or span of time where
/// one is needed; one that a header is to be read from and that is not there.
pub fn apply(spec: &mut Spec, vars: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
    let mut faults = Vec::new();
    let vars: Vec<(String, String)> = vars.into_iter().collect();
    faults.extend(spec.otlp.read_env(&vars).err());
    for (name, value) in vars {
        let done = if name.starts_with(PREFIX) {
            set(spec, &name, value)
        } else if name.starts_with(OTEL_PREFIX) {
            spec.otlp.set(&name, &value)
        } else {
            Ok(())
        };
        faults.extend(done.err().map(|message| Fault::at(name, message)));
    }
    ConfigError::unless_empty(faults)
}

fn set(spec: &mut Spec, name: &str, value: String) -> Result<(), String> {
    let path = OVERRIDES
        .iter()
        .find_map(|(variable, path)| (*variable == name).then_some(*path));
    match path {
        Some("listen") => spec.listen = value,
        Some("database") => spec.database = Some(value),
        Some("admin_token") => spec.admin_token = Some(value),
        Some("gateway_tokens") => {
            spec.gateway_tokens = value.split(',').map(|t| t.trim().to_owned()).collect();
        }
        Some("log.level") => spec.log.level = value,
        Some("limits.gateway_body_bytes") => spec.limits.gateway_body_bytes = number(&value)?,
        Some("limits.admin_body_bytes") => spec.limits.admin_body_bytes = number(&value)?,
        Some("limits.request_timeout") => spec.limits.request_timeout = Span::parse(&value)?,
        Some("budgets.lease_ttl") => spec.budgets.lease_ttl = Span::parse(&value)?,
        Some("budgets.lease_grace") => spec.budgets.lease_grace = Span::parse(&value)?,
        Some("budgets.lease_max_age") => spec.budgets.lease_max_age = Span::parse(&value)?,
        Some("budgets.max_per_template") => spec.budgets.max_per_template = number(&value)?,
        Some("shutdown_timeout") => spec.shutdown_timeout = Span::parse(&value)?,
        Some("webhooks.first_retry") => spec.webhooks.first_retry = Span::parse(&value)?,
        Some("webhooks.max_retry") => spec.webhooks.max_retry = Span::parse(&value)?,
        Some("webhooks.attempts") => spec.webhooks.attempts = number(&value)?,
        Some("oidc.client_secret") => {
            let oidc = spec.oidc.as_mut();
            oidc.ok_or("there is no `oidc` that it would belong to")?
                .client_secret = Some(value);
        }
        Some("webhooks.timeout") => spec.webhooks.timeout = Span::parse(&value)?,
        _ => {
            let known: Vec<&str> = OVERRIDES.iter().map(|(variable, _)| *variable).collect();
            return Err(format!("no such setting, expected one of {}", known.join(", ")));
        }
    }
    Ok(())
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value
        .trim()
        .parse()
        .map_err(|_| "expected a whole number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::spec::OidcSpec;
    use super::*;

    fn apply_one(name: &str, value: &str) -> Result<Spec, ConfigError> {
        let mut spec = Spec {
            oidc: Some(OidcSpec::default()),
            ..Spec::default()
        };
        apply(&mut spec, [(name.to_owned(), value.to_owned())]).map(|()| spec)
    }

    #[test]
    fn every_documented_override_is_understood() {
        for (name, path) in OVERRIDES {
            let is_span = ["timeout", "_retry", "_ttl", "_grace", "_max_age"]
                .iter()
                .any(|end| path.ends_with(end));
            let value = if is_span { "7s" } else { "7" };
            assert!(apply_one(name, value).is_ok(), "{name} for {path}");
        }
    }

    #[test]
    fn lists_are_written_with_commas() {
        let spec = apply_one("TOLLGATE_SIDECAR__GATEWAY_TOKENS", "old, new").unwrap();
        assert_eq!(spec.gateway_tokens, ["old", "new"]);
    }

    #[test]
    fn a_misspelt_override_is_refused_by_name() {
        let error = apply_one("TOLLGATE_SIDECAR__LISTN", "127.0.0.1:1").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("TOLLGATE_SIDECAR__LISTN: no such setting")
        );
    }

    #[test]
    fn other_variables_are_none_of_ours() {
        assert!(apply_one("TOLLGATE_DATA", "x").is_ok());
    }
}
