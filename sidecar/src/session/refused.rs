//! Sign-ins that were refused, as the audit log tells of them. How many there can be is bounded by the throttle.

use std::net::IpAddr;

use axum::http::HeaderMap;
use serde_json::json;

use crate::http::auth;
use crate::http::problem::Problem;
use crate::ledger::audit::{Actor, AuditEntry};
use crate::state::App;

/// Stands for whoever was meant where that is nobody whom the ledger knows.
const UNKNOWN: &str = "unknown";

/// Somebody who has not proved who they are.
pub(super) fn nobody(address: IpAddr, headers: &HeaderMap) -> Actor {
    Actor {
        name: "nobody".to_owned(),
        address: Some(address.to_string()),
        user_agent: auth::user_agent(headers),
    }
}

/// Has the audit log tell of a refusal, where it is one and no failure of ours, and answers what the caller is told.
/// `target` is whose session was asked for: an operator's id or `admin_token`. What was sent is not told: people type
/// passwords where names belong.
pub(super) async fn refuse(app: &App, by: &Actor, target: Option<&str>, problem: Problem) -> Problem {
    if problem.status >= 500 {
        return problem;
    }
    tracing::warn!(address = by.address, reason = %problem.detail, "a sign-in was refused");
    let entry = AuditEntry {
        detail: json!({ "reason": problem.detail }),
        ..AuditEntry::change(
            app.clock().now().into(),
            by,
            "session.refuse",
            target.unwrap_or(UNKNOWN),
        )
    };
    match app.ledger().add_entry(entry).await {
        Ok(()) => problem,
        Err(error) => error.into(),
    }
}
