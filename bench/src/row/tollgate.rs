//! Tollgate with everything on: keys, limits, budgets, validation, exact counts, events; moderation alone, which asks the
//! sidecar about each request, is left out.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tollgate_stack::{Stack, StackBuilder, wait};

use super::proxy::level;
use super::{KEYS, Kind, Row, Running};
use crate::load::{self, Target};
use crate::machine;

/// How long the sidecar may take to have all events.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much of everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) workers: u32,
    /// Keys that the configuration names, each with its share of the requests; none for [`KEYS`] of the sidecar's.
    pub(crate) configured_keys: usize,
    /// Whether the filter has a sidecar: without one, keys must be the configuration's, and no event is written.
    pub(crate) sidecar: bool,
    /// Whether requests are validated as `everything.json` has it.
    pub(crate) validation: bool,
    /// Whether prompts are counted token by token, or estimated from their first bytes.
    pub(crate) exact_tokens: bool,
    /// Whether the limits of `everything.json` count.
    pub(crate) limits: bool,
    /// Limits beside those.
    pub(crate) more_limits: usize,
    /// Whether those apply to every request, or to other workspaces'.
    pub(crate) more_limits_apply: bool,
    /// Budgets that every request is paid from, at most eight.
    pub(crate) budgets: usize,
}

// === impl Settings ===

impl Settings {
    /// What the table's row has.
    pub(crate) const USUAL: Self = Self {
        workers: 1,
        configured_keys: 0,
        sidecar: true,
        validation: true,
        exact_tokens: true,
        limits: true,
        more_limits: 0,
        more_limits_apply: false,
        budgets: 3,
    };

    /// The configuration of the filter, over the demo's.
    fn filter_config(&self) -> Result<Value> {
        let mut config = everything()?;
        // No row writes an access log, so nothing is left for one.
        merge(&mut config, &json!({"access_log": {"fields": []}}));
        for (is_on, without) in [
            (self.sidecar, json!({"sidecar": null})),
            (self.validation, json!({"validation": []})),
            (self.exact_tokens, json!({"bodies": {"exact_count_bytes": 64}})),
            (self.limits, json!({"limits": []})),
        ] {
            if !is_on {
                merge(&mut config, &without);
            }
        }
        if let Some(limits) = config.get_mut("limits").and_then(Value::as_array_mut) {
            limits.extend((0..self.more_limits).map(|number| self.limit(number)));
        }
        if self.configured_keys > 0 {
            let keys = (0..self.configured_keys).map(|number| {
                let mut key = json!({
                    "id": format!("key_bench_{number}"),
                    "sha256": hex::encode(Sha256::digest(secret(number))),
                });
                merge(&mut key, &owner(number));
                key
            });
            merge(&mut config, &json!({"keys": Vec::from_iter(keys)}));
        }
        Ok(config)
    }

    fn limit(&self, number: usize) -> Value {
        const SCOPES: [&str; 4] = ["key", "workspace", "user", "global"];
        let scope = SCOPES.get(number % SCOPES.len());
        let mut limit = json!({
            "name": format!("further-{number}"),
            "count": "requests",
            "amount": 10_000_000,
            "period": "1m",
            "per": [scope],
        });
        if !self.more_limits_apply {
            merge(
                &mut limit,
                &json!({"match": {"workspaces": [format!("elsewhere-{number}")]}}),
            );
        }
        limit
    }
}

pub(crate) async fn start(upstream: SocketAddr, settings: Settings) -> Result<Row> {
    start_in(Stack::builder(), upstream, settings).await
}

/// The usual settings, but with the filter in this file.
pub(crate) async fn start_another(upstream: SocketAddr, wasm: &Path) -> Result<Row> {
    let wasm = wasm
        .canonicalize()
        .with_context(|| format!("--against {}", wasm.display()))?;
    let row = start_in(Stack::builder().wasm(wasm), upstream, Settings::USUAL).await?;
    Ok(Row {
        kind: Kind::Another,
        ..row
    })
}

async fn start_in(builder: StackBuilder, upstream: SocketAddr, settings: Settings) -> Result<Row> {
    let config = settings.filter_config()?;
    let stack = builder
        .concurrency(settings.workers)
        .upstream(format!("http://{upstream}").parse()?)
        .filter_config(move |demo| merge(demo, &config))
        .envoy_config(|config| {
            // A configuration that is not as expected fails in the other rows, with its reason.
            let _ = level(config);
        })
        .start()
        .await?;
    for budget in budgets().iter().take(settings.budgets) {
        stack.admin.post("/admin/v1/budgets", budget).await?;
    }
    let mut credentials = Vec::new();
    if settings.configured_keys == 0 {
        for number in 0..KEYS {
            let mut spec = json!({"name": format!("bench-{number}")});
            merge(&mut spec, &owner(number));
            let (_, key) = stack.admin.create_key(&spec).await?;
            credentials.push(format!("Bearer {key}"));
        }
    }
    credentials.extend((0..settings.configured_keys).map(|number| format!("Bearer {}", secret(number))));
    let pids = stack.up_file().pids;
    let pid = *pids.get("envoy").context("Envoy was not started")?;
    machine::bind_process(pid, machine::PROXY_CORE)?;
    let port = stack
        .gateway
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let target = Target {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port.context("the gateway has no port")?)),
        path: "/v1/chat/completions".to_owned(),
        credentials,
        headers: vec![("x-tollgate-session", "bench-session".to_owned())],
        namespace: None,
    };
    if settings.configured_keys == 0 {
        // From here on no key is asked for that a request waits for.
        introduce(&target).await?;
    }
    // No request waits for the ledger, but the load and the upstream, on the same core, would wait for its batches.
    for sidecar in pids.iter().filter(|(name, _)| name.starts_with("sidecar")) {
        machine::yield_process(*sidecar.1)?;
    }
    Ok(Row {
        kind: Kind::Tollgate,
        target,
        pid,
        running: Running::Stack(Box::new(stack)),
    })
}

/// Sends a request of each client, so that the filter knows all keys.
async fn introduce(target: &Target) -> Result<()> {
    const HELLO: &[u8] = br#"{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}"#;
    let mut connection = load::connect(target).await?;
    for number in 0..target.credentials.len() {
        let request = target.request(u64::try_from(number)?, HELLO.into())?;
        load::ask(&mut connection, request).await?.collect().await?;
    }
    Ok(())
}

/// Waits until no event waits for the sidecar.
pub(super) async fn settled(stack: &Stack) -> Result<()> {
    let url = format!(
        "{}/stats?format=json&filter=tollgate_pending_events",
        stack.envoy_admin
    );
    wait::until(PATIENCE, "the sidecar has not taken all events", async || {
        let stats: Value = stack.http.get(&url).send().await?.json().await?;
        let gauges = stats
            .get("stats")
            .and_then(Value::as_array)
            .context("Envoy tells no gauges")?;
        let pending: u64 = gauges
            .iter()
            .filter_map(|gauge| gauge.get("value")?.as_u64())
            .sum();
        Ok((pending == 0).then_some(()))
    })
    .await
}

/// Limits of every kind and scope, none of which refuses; validation; exact token counts.
fn everything() -> Result<Value> {
    serde_json::from_str(include_str!("../../everything.json")).context("everything.json")
}

/// Budgets that apply to every request, none of which refuses. The first three, which the table's row has: one for
/// everybody, one for each workspace and one for each user of it.
fn budgets() -> [Value; 8] {
    let (all, workspace) = (json!({}), json!({"workspace": "*"}));
    let user = json!({"workspace": "*", "user": "*"});
    let of = |subject: &Value, unit: &str, period: &str| json!({"subject": subject, "unit": unit, "period": period, "amount": "1000000000"});
    [
        of(&all, "usd", "month"),
        of(&workspace, "usd", "month"),
        of(&user, "tokens", "day"),
        of(&all, "tokens", "day"),
        of(&workspace, "tokens", "day"),
        of(&user, "usd", "month"),
        of(&all, "requests", "day"),
        of(&workspace, "requests", "day"),
    ]
}

/// Whose a key is: ten workspaces, fifty users.
fn owner(number: usize) -> Value {
    json!({"workspace": format!("workspace-{}", number % 10), "user": format!("user-{}", number % 50)})
}

/// The secret of a key that the configuration names.
fn secret(number: usize) -> String {
    format!("tg_test_{number:032}")
}

fn merge(config: &mut Value, more: &Value) {
    let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) else {
        return;
    };
    config.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
}

#[cfg(test)]
mod tests {
    use tollgate_core::config;

    use super::*;

    fn parsed(settings: Settings) -> (Value, config::Config) {
        let mut of_filter =
            json!({"gateway_id": "demo", "sidecar": {"cluster": "sidecar", "token": "token"}});
        merge(&mut of_filter, &settings.filter_config().unwrap());
        let config = config::parse(of_filter.to_string().as_bytes()).unwrap();
        (of_filter, config)
    }

    #[test]
    fn what_is_off_is_no_part_of_the_configuration() {
        let (text, config) = parsed(Settings {
            configured_keys: 3,
            sidecar: false,
            validation: false,
            exact_tokens: false,
            limits: false,
            ..Settings::USUAL
        });
        assert!(!config.has_rules());
        assert_eq!(text["limits"], json!([]));
        assert_eq!(text["bodies"]["exact_count_bytes"], json!(64));
        assert_eq!(text["sidecar"], json!(null));
        assert_eq!(text["keys"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn by_default_everything_is_on() {
        let (text, config) = parsed(Settings::USUAL);
        assert!(config.has_rules());
        assert_eq!(text["limits"].as_array().map(Vec::len), Some(7));
        assert_eq!(text.get("bodies"), None);
        assert!(text["sidecar"].is_object());
    }
}
