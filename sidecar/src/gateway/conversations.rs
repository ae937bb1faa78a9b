//! What was said, as gateways send it.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate_core::wire::{ConversationsAccepted, SaidExchange, TextPart};

use super::bounds::bounded;
use super::intake::is_id;
use crate::conversation::Conversations;
use crate::http::extract::{self, RawBody};
use crate::http::problem::{FieldError, Problem};
use crate::ledger::conversations::NewExchange;
use crate::state::App;

/// What the contract lets a gateway send at once.
const MAX_EXCHANGES: usize = 1000;

/// The batch with its exchanges still as text.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    exchanges: Vec<&'a RawValue>,
}

/// `POST /v1/conversations`. What the sidecar's configuration does not keep never reaches the ledger, and what it
/// redacts does not either. An exchange that cannot be read does not lose the others.
pub(super) async fn keep(
    State(app): State<App>,
    RawBody(body): RawBody,
) -> Result<Json<ConversationsAccepted>, Problem> {
    let Some(conversations) = app.config().conversations.clone() else {
        return Err(Problem::conflict(
            "this sidecar keeps no texts: its configuration has no `conversations`",
        ));
    };
    // Rules are tried on every text: other requests go on meanwhile.
    let redacting = tokio::task::spawn_blocking(move || read(&body, &conversations));
    let (exchanges, sent) = redacting.await.map_err(|error| {
        tracing::error!(%error, "texts cannot be redacted");
        Problem::internal()
    })??;
    let now = app.clock().now().into();
    let stored = app.ledger().add_texts(&exchanges, now).await?;
    let accepted = ConversationsAccepted {
        stored,
        left_out: u64::try_from(sent).unwrap_or(u64::MAX).saturating_sub(stored),
    };
    app.metrics().count_texts(&accepted);
    Ok(Json(accepted))
}

/// The exchanges of a batch, redacted, and how many there were.
fn read(body: &[u8], conversations: &Conversations) -> Result<(Vec<NewExchange>, usize), Problem> {
    let envelope: Envelope<'_> = extract::parse(body)?;
    let sent = envelope.exchanges.len();
    if sent > MAX_EXCHANGES {
        let detail = format!("expected at most {MAX_EXCHANGES} exchanges, got {sent}");
        return Err(Problem::invalid(vec![FieldError::at("exchanges", detail)]));
    }
    let mut exchanges = Vec::with_capacity(sent);
    for raw in envelope.exchanges {
        match serde_json::from_str::<SaidExchange>(raw.get()) {
            Ok(said) if is_id(&said.event_id) && is_id(&said.request_id) => {
                exchanges.push(redacted(said, conversations)?);
            }
            // Nothing of it is logged: it may quote what was said.
            Ok(_) | Err(_) => tracing::warn!("the texts of an exchange cannot be read and are left out"),
        }
    }
    Ok((exchanges, sent))
}

fn redacted(mut said: SaidExchange, conversations: &Conversations) -> Result<NewExchange, Problem> {
    conversations.redact(&mut said.prompt);
    conversations.redact(&mut said.answer);
    Ok(NewExchange {
        event_id: said.event_id,
        request_id: said.request_id,
        name: said.conversation.map(bounded),
        time: said.time.as_millisecond(),
        retention_ms: conversations.retention_ms,
        workspace: bounded(said.workspace),
        user: said.user.map(bounded),
        session: said.session.map(bounded),
        key_id: said.key_id.map(bounded),
        model: said.model.map(bounded),
        status: i64::from(said.status),
        error_code: said.error_code.map(bounded),
        prompt: json(&said.prompt)?,
        prompt_cut: said.prompt_cut,
        answer: json(&said.answer)?,
    })
}

fn json(parts: &[TextPart]) -> Result<String, Problem> {
    serde_json::to_string(parts).map_err(|error| {
        tracing::error!(%error, "texts cannot be written as JSON");
        Problem::internal()
    })
}
