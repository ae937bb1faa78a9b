//! Filter state for Envoy's access log: `%FILTER_STATE(wasm.tollgate_cost_usd:PLAIN)%`.

use log::warn;
use tollgate_core::dialect::Dialect;
use tollgate_core::event::Event;

use crate::host;

/// Shows an event in the access log of its stream. What is unknown is not set, and prints as `-` or `null`.
pub(crate) fn show(event: &Event) {
    let dialect = event.dialect.map(Dialect::as_str);
    set("tollgate_request_id", Some(&event.request_id));
    set("tollgate_workspace", event.workspace.as_deref());
    set("tollgate_user", event.user.as_deref());
    set("tollgate_key_id", event.key_id.as_deref());
    set("tollgate_dialect", dialect);
    set("tollgate_provider", event.provider.as_deref());
    set("tollgate_model", event.request_model.as_deref());
    set(
        "tollgate_decision",
        Some(event.error_code.as_deref().unwrap_or("allow")),
    );
    set(
        "tollgate_input_tokens",
        Some(&event.usage.input_tokens.to_string()),
    );
    set(
        "tollgate_output_tokens",
        Some(&event.usage.output_tokens.to_string()),
    );
    set("tollgate_cost_usd", Some(&event.cost_nanousd.to_string()));
}

fn set(name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    if let Err(error) = host::set_filter_state(name, value.as_bytes()) {
        warn!("cannot set the filter state {name}: {error:?}");
    }
}
