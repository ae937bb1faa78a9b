//! Filter state for Envoy's access log: `%FILTER_STATE(wasm.tollgate_cost_usd:PLAIN)%`.

use std::borrow::Cow;

use log::warn;
use tollgate_core::config::AccessLogField;
use tollgate_core::dialect::Dialect;
use tollgate_core::event::Event;

use crate::host;

/// Shows fields of an event in the access log of its stream. What is unknown is not set, and prints as `-` or
/// `null`.
pub(crate) fn show(fields: &[AccessLogField], event: &Event) {
    for field in fields {
        let Some(value) = value(*field, event) else {
            continue;
        };
        let name = name(*field);
        if let Err(error) = host::set_filter_state(name, value.as_bytes()) {
            warn!("cannot set the filter state {name}: {error}");
        }
    }
}

const fn name(field: AccessLogField) -> &'static str {
    match field {
        AccessLogField::RequestId => "tollgate_request_id",
        AccessLogField::Decision => "tollgate_decision",
        AccessLogField::Workspace => "tollgate_workspace",
        AccessLogField::User => "tollgate_user",
        AccessLogField::KeyId => "tollgate_key_id",
        AccessLogField::Dialect => "tollgate_dialect",
        AccessLogField::Provider => "tollgate_provider",
        AccessLogField::Model => "tollgate_model",
        AccessLogField::InputTokens => "tollgate_input_tokens",
        AccessLogField::OutputTokens => "tollgate_output_tokens",
        AccessLogField::CostUsd => "tollgate_cost_usd",
    }
}

fn value(field: AccessLogField, event: &Event) -> Option<Cow<'_, str>> {
    let text = match field {
        AccessLogField::RequestId => Some(event.request_id.as_str()),
        AccessLogField::Decision => Some(event.error_code.as_deref().unwrap_or("allow")),
        AccessLogField::Workspace => event.workspace.as_deref(),
        AccessLogField::User => event.user.as_deref(),
        AccessLogField::KeyId => event.key_id.as_deref(),
        AccessLogField::Dialect => event.dialect.map(Dialect::as_str),
        AccessLogField::Provider => event.provider.as_deref(),
        AccessLogField::Model => event.request_model.as_deref(),
        AccessLogField::InputTokens => return Some(event.usage.input_tokens.to_string().into()),
        AccessLogField::OutputTokens => return Some(event.usage.output_tokens.to_string().into()),
        AccessLogField::CostUsd => return Some(event.cost_nanousd.text().into()),
    };
    text.map(Cow::Borrowed)
}
