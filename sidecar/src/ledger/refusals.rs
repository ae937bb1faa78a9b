//! What the audit log says of events: that policy refused a request.

use serde_json::json;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry};
use super::events::StoredEvent;

/// Codes of refusals that are decisions of policy: no fault of the request, and none of how often it comes.
const POLICY: [&str; 3] = ["model_not_allowed", "content_blocked", "budget_exceeded"];

/// The entry of an event that is a refusal for policy.
pub(super) fn refusal(event: &StoredEvent) -> Option<AuditEntry> {
    let code = event.error_code.as_deref().filter(|code| POLICY.contains(code))?;
    let detail = json!({
        "code": code, "status": event.status, "key_id": event.key_id, "user": event.user,
        "session": event.session, "model": event.request_model, "event_id": event.event_id,
    });
    Some(AuditEntry {
        time: UnixMillis(u64::try_from(event.time).unwrap_or(0)),
        actor: Actor {
            name: format!("gateway:{}", event.gateway_id),
            address: None,
            user_agent: None,
        },
        action: "request.refuse",
        target: event.request_id.clone(),
        workspace: event.workspace.clone(),
        detail,
    })
}
