//! Verdicts, as gateways ask for them.

use axum::Json;
use axum::extract::State;
use sqlx::types::Json as SqlJson;
use tollgate_core::wire::{ModerationRequest, ModerationVerdict};

use super::bounds::bounded;
use crate::http::extract::JsonBody;
use crate::http::problem::{FieldError, Problem};
use crate::ledger::verdicts::StoredVerdict;
use crate::moderation::{Policy, Verdict};
use crate::state::App;

/// Texts from this size on, in bytes, are judged on a thread of their own: other requests go on meanwhile.
const LONG_TEXTS: usize = 32 * 1024;
/// Each text costs some memory, however short it is.
const MAX_TEXTS: usize = 10_000;

/// `POST /v1/moderations`.
pub(super) async fn judge(
    State(app): State<App>,
    JsonBody(request): JsonBody<ModerationRequest>,
) -> Result<Json<ModerationVerdict>, Problem> {
    let Some(policy) = app.policy(&request.policy).await? else {
        return Err(Problem::not_found(format!(
            "no moderation policy is named {:?}",
            request.policy
        )));
    };
    if request.texts.len() > MAX_TEXTS {
        let detail = format!("expected at most {MAX_TEXTS} texts, got {}", request.texts.len());
        return Err(Problem::invalid(vec![FieldError::at("texts", detail)]));
    }
    let size: usize = request.texts.iter().map(String::len).sum();
    let (request, verdict) = if size < LONG_TEXTS {
        let verdict = verdict_on(&policy, &request);
        (request, verdict)
    } else {
        let judged = tokio::task::spawn_blocking(move || {
            let verdict = verdict_on(&policy, &request);
            (request, verdict)
        });
        judged.await.map_err(|error| {
            tracing::error!(%error, "moderation failed");
            Problem::internal()
        })?
    };
    let answer = ModerationVerdict {
        action: verdict.action,
        categories: verdict.categories.clone(),
        texts: verdict.texts.clone(),
    };
    app.verdicts().add(stored(&app, request, verdict)).await?;
    Ok(Json(answer))
}

fn verdict_on(policy: &Policy, request: &ModerationRequest) -> Verdict {
    policy.judge(request.phase, &request.texts)
}

fn stored(app: &App, request: ModerationRequest, verdict: Verdict) -> StoredVerdict {
    StoredVerdict {
        seq: 0,
        time: app.clock().now().as_millisecond(),
        request_id: bounded(request.request_id),
        workspace: request.workspace.map(bounded),
        key_id: request.key_id.map(bounded),
        model: request.model.map(bounded),
        policy: request.policy,
        phase: request.phase.as_str().to_owned(),
        action: verdict.action.as_str().to_owned(),
        categories: SqlJson(verdict.categories),
        rules: SqlJson(verdict.rules),
        text: verdict.stored,
    }
}
