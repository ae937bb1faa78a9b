//! Leases, as gateways ask for them and report them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use tokio::time::Instant;
use tollgate_core::wire::{LeaseAnswer, LeaseHold, LeaseReport, LeaseReportAnswer, LeaseRequest, MAX_HOLDS};

use super::bounds::bounded_facts;
use crate::http::extract::JsonBody;
use crate::http::problem::{FieldError, Problem};
use crate::state::App;

const MAX_INSTANCE_CHARS: usize = 128;

/// `POST /v1/leases`. Where money may come back, the call is held until it does, for as long as the gateway waits.
pub(super) async fn lease(
    State(app): State<App>,
    JsonBody(mut request): JsonBody<LeaseRequest>,
) -> Result<Json<LeaseAnswer>, Problem> {
    check(&request.instance, &request.holds)?;
    request.facts = bounded_facts(request.facts);
    let longest = app.config().limits.request_timeout / 2;
    let until = Instant::now() + Duration::from_millis(request.wait_ms).min(longest);
    let request = Arc::new(request);
    let mut waited_for = None;
    loop {
        let answer = app.desk().ask(&app, &request, waited_for.is_some()).await?;
        let left = until.saturating_duration_since(Instant::now());
        match &answer.exhausted {
            Some(exhausted) if exhausted.may_return && !left.is_zero() && !app.is_draining() => {
                app.returns().wait(&exhausted.budget_id, left).await;
                waited_for = Some(exhausted.budget_id.clone());
            }
            Some(_) | None => {
                // There may be more than this call needed, or less than it needs and enough for another.
                app.returns().announce(waited_for.as_slice());
                return Ok(Json(answer));
            }
        }
    }
}

/// `POST /v1/leases/report`.
pub(super) async fn report(
    State(app): State<App>,
    JsonBody(report): JsonBody<LeaseReport>,
) -> Result<Json<LeaseReportAnswer>, Problem> {
    check(&report.instance, &report.holds)?;
    let now = app.clock().now().into();
    let leased = app
        .ledger()
        .report_leases(&report, &app.config().budgets.leases, now)
        .await?;
    app.returns().announce(&leased.returned);
    Ok(Json(leased.answer))
}

fn check(instance: &str, holds: &[LeaseHold]) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let chars = instance.chars().count();
    if chars == 0 || chars > MAX_INSTANCE_CHARS || instance.chars().any(char::is_control) {
        let detail = format!("expected 1 to {MAX_INSTANCE_CHARS} printable characters");
        errors.push(FieldError::at("instance", detail));
    }
    if holds.len() > MAX_HOLDS {
        let detail = format!("expected at most {MAX_HOLDS}, got {}", holds.len());
        errors.push(FieldError::at("holds", detail));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}
