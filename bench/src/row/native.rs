//! What Envoy can do by itself: keys, one local rate limit, usage from answers as metadata.

use std::net::SocketAddr;

use anyhow::Result;
use serde_json::{Value, json};

use super::proxy::Proxy;
use super::{KEYS, Kind, Row, Running};

pub(super) async fn start(upstream: SocketAddr) -> Result<Row> {
    let keys: Vec<String> = (0..KEYS)
        .map(|number| format!("sk-bench-{number:032x}"))
        .collect();
    let proxy = Proxy::start(upstream, filters(&keys), |_| Ok(())).await?;
    let credentials = keys.iter().map(|key| format!("Bearer {key}")).collect();
    Ok(Row {
        kind: Kind::Native,
        target: proxy.target(credentials),
        pid: proxy.process.pid(),
        running: Running::Proxy(proxy),
    })
}

fn filters(keys: &[String]) -> Vec<Value> {
    let credentials: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(number, key)| json!({"client": format!("client-{number}"), "key": key}))
        .collect();
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    vec![
        json!({"name": "envoy.filters.http.api_key_auth", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
            "credentials": credentials,
            "key_sources": [{"header": "authorization"}],
            "forwarding": {"hide_credentials": true},
        }}),
        json!({"name": "envoy.filters.http.local_ratelimit", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "bench",
            "token_bucket": {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "60s"},
            "filter_enabled": always, "filter_enforced": always,
        }}),
        json!({"name": "envoy.filters.http.ai_protocol_manager", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ai_protocol_manager.v3.AiProtocolManager",
            "response_handling": {"token_usage": {"include_unconfigured_routes": true}},
        }}),
    ]
}
