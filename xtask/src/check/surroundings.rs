//! What the filter needs of the listener, the filter chain and the bootstrap around it.

use serde_json::Value;

use super::{Finding, field, join, plugin_of};

/// Envoy's default of `per_connection_buffer_limit_bytes`, in bytes.
const DEFAULT_BUFFER_LIMIT: u64 = 1 << 20;

/// Filters that may stand before Tollgate's: it reads what they leave in the request's metadata.
const MAY_PRECEDE: [&str; 1] = ["jwt_authn"];

/// Labels that Tollgate's metrics carry in their names, for `stats_config.stats_tags` to take out.
const LABELS: [&str; 8] = [
    "workspace",
    "model",
    "provider",
    "status",
    "reason",
    "limit",
    "call",
    "worker",
];

/// Finds what lacks around Tollgate's filters in a document; `largest_request` is the largest body that they take, in
/// bytes, where it is known.
pub(super) fn check(document: &Value, largest_request: Option<u64>, findings: &mut Vec<Finding>) {
    if let Some(resources) = field(document, "static_resources")
        && holds_filter(resources)
    {
        check_labels(document, findings);
    }
    walk(document, "", &mut |path, value| {
        if field(value, "filter_chains").is_some() && holds_filter(value) {
            check_buffer_limit(path, value, largest_request, findings);
        }
        if let Some(filters) = field(value, "http_filters").and_then(Value::as_array)
            && let Some(place) = filters.iter().position(is_ours)
        {
            check_place(path, filters, place, findings);
            check_manager(path, value, findings);
        }
    });
}

fn check_labels(bootstrap: &Value, findings: &mut Vec<Finding>) {
    let tags = field(bootstrap, "stats_config")
        .and_then(|stats| field(stats, "stats_tags"))
        .and_then(Value::as_array);
    let is_taken = |label: &&str| {
        let mut names = tags
            .into_iter()
            .flatten()
            .filter_map(|tag| field(tag, "tag_name"));
        names.any(|name| name.as_str() == Some(label))
    };
    let missing: Vec<&str> = LABELS.into_iter().filter(|label| !is_taken(label)).collect();
    if !missing.is_empty() {
        findings.push(Finding::warning(
            "stats_config.stats_tags",
            format!(
                "should take out {}: the labels of Tollgate's metrics stay in their names otherwise (see envoy/envoy.yaml)",
                missing.join(", ")
            ),
        ));
    }
}

fn check_buffer_limit(
    path: &str,
    listener: &Value,
    largest_request: Option<u64>,
    findings: &mut Vec<Finding>,
) {
    let limit = field(listener, "per_connection_buffer_limit_bytes")
        .and_then(Value::as_u64)
        .unwrap_or(DEFAULT_BUFFER_LIMIT);
    if let Some(largest) = largest_request.filter(|largest| *largest > limit) {
        findings.push(Finding::warning(
            &join(path, "per_connection_buffer_limit_bytes"),
            format!(
                "is {limit}, below the filter's bodies.max_request_bytes of {largest}: Envoy answers larger requests with a 413 of its own"
            ),
        ));
    }
}

fn check_place(path: &str, filters: &[Value], place: usize, findings: &mut Vec<Finding>) {
    let before = filters
        .iter()
        .take(place)
        .filter_map(|filter| field(filter, "name"));
    for name in before.filter_map(Value::as_str) {
        if !MAY_PRECEDE.iter().any(|allowed| name.contains(allowed)) {
            findings.push(Finding::warning(
                &join(path, &format!("http_filters[{place}]")),
                format!(
                    "should be first: {name} before it can answer or change a request that nobody has checked"
                ),
            ));
        }
    }
}

fn check_manager(path: &str, manager: &Value, findings: &mut Vec<Finding>) {
    walk(manager, path, &mut |at, value| {
        for (name, why) in [
            (
                "upgrade_configs",
                "lets WebSockets through, whose frames nobody meters",
            ),
            (
                "retry_policy",
                "calls the provider again below the filter, which meters the last call only; let clients retry",
            ),
        ] {
            if field(value, name).is_some() {
                findings.push(Finding::warning(&join(at, name), why));
            }
        }
    });
}

/// Whether Tollgate's filter is in here, by its configuration or by a name that is discovered (ECDS).
fn holds_filter(value: &Value) -> bool {
    let mut found = false;
    walk(value, "", &mut |_, part| found |= is_ours(part));
    found
}

/// Whether an entry of `http_filters` is Tollgate's.
fn is_ours(filter: &Value) -> bool {
    let has_plugin = field(filter, "typed_config").and_then(plugin_of).is_some();
    let is_discovered = field(filter, "config_discovery").is_some()
        && field(filter, "name")
            .and_then(Value::as_str)
            .is_some_and(|name| name.contains("tollgate"));
    has_plugin || is_discovered
}

/// Calls `visit` with every object in a document and its path.
fn walk<'a>(value: &'a Value, path: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), visit);
            }
        }
        Value::Object(fields) => {
            visit(path, value);
            for (name, part) in fields {
                walk(part, &join(path, name), visit);
            }
        }
        _ => {}
    }
}
