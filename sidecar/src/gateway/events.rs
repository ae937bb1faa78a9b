//! Events, as gateways send them.

use axum::Json;
use axum::extract::State;
use tollgate_core::wire::EventsAccepted;

use super::intake;
use crate::http::extract::RawBody;
use crate::http::problem::Problem;
use crate::state::App;

/// `POST /v1/events`. One transaction a batch, on the disk before the answer. An event that cannot be read
/// does not lose the others: it is kept aside, and counted as rejected.
pub(super) async fn accept(
    State(app): State<App>,
    RawBody(body): RawBody,
) -> Result<Json<EventsAccepted>, Problem> {
    let batch = intake::read(&body)?;
    for unreadable in &batch.unreadable {
        tracing::warn!(reason = %unreadable.reason, "an event cannot be read and is kept aside");
    }
    let now = app.clock().now().into();
    let added = app
        .ledger()
        .add_events(&batch.events, &batch.unreadable, now)
        .await?;
    app.returns().announce(&added.returned);
    app.otel()
        .settled(added.new.iter().filter_map(|at| batch.events.get(*at)));
    let new = u64::try_from(added.new.len()).unwrap_or(u64::MAX);
    let readable = u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
    let accepted = EventsAccepted {
        accepted: new,
        duplicates: readable.saturating_sub(new),
        rejected: u64::try_from(batch.unreadable.len()).unwrap_or(u64::MAX),
    };
    app.metrics().count_events(&accepted);
    Ok(Json(accepted))
}
