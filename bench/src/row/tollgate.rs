//! Tollgate with everything on: keys, limits, budgets, validation, exact counts, events; moderation alone, which asks the
//! sidecar about each request, is left out.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tollgate_stack::{Stack, wait};

use super::proxy::level;
use super::{KEYS, Kind, Row, Running};
use crate::load::Target;
use crate::machine;

/// How long the sidecar may take to have all events.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn start(upstream: SocketAddr) -> Result<Row> {
    let everything = everything()?;
    let stack = Stack::builder()
        .concurrency(1)
        .upstream(format!("http://{upstream}").parse()?)
        .filter_config(move |config| merge(config, &everything))
        .envoy_config(|config| {
            // A configuration that is not as expected fails in the other rows, with its reason.
            let _ = level(config);
        })
        .start()
        .await?;
    for budget in budgets() {
        stack.admin.post("/admin/v1/budgets", &budget).await?;
    }
    let mut credentials = Vec::new();
    for number in 0..KEYS {
        let spec = json!({
            "name": format!("bench-{number}"),
            "workspace": format!("workspace-{}", number % 10),
            "user": format!("user-{}", number % 50),
        });
        let (_, key) = stack.admin.create_key(&spec).await?;
        credentials.push(format!("Bearer {key}"));
    }
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
    Ok(Row {
        kind: Kind::Tollgate,
        target,
        pid,
        running: Running::Stack(Box::new(stack)),
    })
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

/// One budget for everybody, one for each workspace and one for each user of it, none of which refuses.
fn budgets() -> [Value; 3] {
    [
        json!({"subject": {}, "unit": "usd", "period": "month", "amount": "1000000"}),
        json!({"subject": {"workspace": "*"}, "unit": "usd", "period": "month", "amount": "1000000"}),
        json!({"subject": {"workspace": "*", "user": "*"}, "unit": "tokens", "period": "day", "amount": "1000000000000"}),
    ]
}

fn merge(config: &mut Value, more: &Value) {
    let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) else {
        return;
    };
    config.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
}
