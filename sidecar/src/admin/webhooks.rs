//! Webhooks, as operators see and change them, and their deliveries: what waits, and dead letters.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::NoContent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;

use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId, PathParts};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::{Accepted, Created};
use crate::ledger::change::Changed;
use crate::ledger::deliveries::StoredDelivery;
use crate::ledger::notifications::KINDS;
use crate::ledger::webhooks::StoredWebhook;
use crate::secret_key::new_id;
use crate::state::App;
use crate::webhook::SigningSecret;

const MAX_URL_BYTES: usize = 2_000;

/// `POST /admin/v1/webhooks`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// Where notifications are posted: `https://…`, or `http://…` inside a network that is trusted.
    url: String,
    /// Kinds of notifications; absent or empty means all.
    #[serde(default)]
    kinds: Vec<String>,
}

/// `PATCH /admin/v1/webhooks/{id}`, a merge patch (RFC 7396): what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WebhookPatch {
    url: Option<String>,
    kinds: Option<Vec<String>>,
    status: Option<WebhookStatus>,
}

/// Whether it gets deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WebhookStatus {
    Active,
    Paused,
}

/// A webhook as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WebhookView {
    id: String,
    url: String,
    kinds: Vec<String>,
    status: String,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

/// A new webhook, with its secret: the only time that it is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CreatedWebhook {
    secret: String,
    #[serde(flatten)]
    view: WebhookView,
}

/// A page of webhooks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WebhookPage {
    webhooks: Vec<WebhookView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// A delivery as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeliveryView {
    id: String,
    notification_id: String,
    kind: String,
    state: String,
    attempts: i64,
    /// When it is tried next; null where it is not.
    next_attempt_at: Option<Timestamp>,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeliveryPage {
    deliveries: Vec<DeliveryView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// `?state=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryQuery {
    state: Option<DeliveryState>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `/webhooks/{id}/deliveries/{delivery}`
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeliveryPath {
    id: String,
    delivery: String,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DeliveryState {
    Pending,
    Delivered,
    /// A dead letter.
    Dead,
}

/// `POST /admin/v1/webhooks`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewWebhook>,
) -> Result<Created<CreatedWebhook>, Problem> {
    check(Some(&new.url), &new.kinds)?;
    let now = app.clock().now();
    let secret = SigningSecret::generate()?.to_text();
    let stored = StoredWebhook {
        id: new_id("whk", now.into())?,
        url: new.url,
        secret: secret.clone(),
        kinds: SqlJson(new.kinds),
        status: WebhookStatus::Active.as_str().to_owned(),
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
    };
    app.ledger()
        .insert_webhook(&stored, &permitted.caller().actor())
        .await?;
    tracing::info!(webhook = %stored.id, "webhook created");
    let location = format!("{BASE}/webhooks/{}", stored.id);
    let created = CreatedWebhook {
        secret,
        view: stored.into(),
    };
    Ok(Created::at(location, created).secret())
}

/// `GET /admin/v1/webhooks`.
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<WebhookQuery>,
) -> Result<Json<WebhookPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let after = query.after.unwrap_or_default();
    let found = app
        .ledger()
        .webhooks(&after, size.rows().saturating_add(1))
        .await?;
    let (rows, next) = size.cut(found, |webhook| webhook.id.clone());
    Ok(Json(WebhookPage {
        webhooks: rows.into_iter().map(WebhookView::from).collect(),
        next,
    }))
}

/// `GET /admin/v1/webhooks/{id}`.
pub(super) async fn show(State(app): State<App>, PathId(id): PathId) -> Result<Tagged<WebhookView>, Problem> {
    let webhook = app.ledger().webhook(&id).await?;
    webhook.map(tagged).ok_or_else(no_such_webhook)
}

/// `PATCH /admin/v1/webhooks/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<WebhookPatch>,
) -> Result<Tagged<WebhookView>, Problem> {
    check(patch.url.as_deref(), patch.kinds.as_deref().unwrap_or_default())?;
    let change = |webhook: &mut StoredWebhook| {
        if_match.check(&tag_of(webhook))?;
        if let Some(url) = patch.url {
            webhook.url = url;
        }
        if let Some(kinds) = patch.kinds {
            webhook.kinds = SqlJson(kinds);
        }
        if let Some(status) = patch.status {
            status.as_str().clone_into(&mut webhook.status);
        }
        Ok(())
    };
    let (now, by) = (app.clock().now(), permitted.caller().actor());
    let webhook = done(app.ledger().change_webhook(&id, now, &by, change).await?)?;
    tracing::info!(webhook = %id, status = %webhook.status, "webhook changed");
    Ok(tagged(webhook))
}

/// `DELETE /admin/v1/webhooks/{id}`, with its deliveries.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    let (now, by) = (app.clock().now(), permitted.caller().actor());
    let may = |webhook: &StoredWebhook| if_match.check(&tag_of(webhook));
    done(app.ledger().delete_webhook(&id, now, &by, may).await?)?;
    tracing::info!(webhook = %id, "webhook deleted");
    Ok(NoContent)
}

/// `GET /admin/v1/webhooks/{id}/deliveries`; the dead letters with `?state=dead`.
pub(super) async fn deliveries(
    State(app): State<App>,
    PathId(id): PathId,
    Params(query): Params<DeliveryQuery>,
) -> Result<Json<DeliveryPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    if app.ledger().webhook(&id).await?.is_none() {
        return Err(no_such_webhook());
    }
    let state = query.state.map(DeliveryState::as_str);
    let after = query.after.unwrap_or_default();
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().deliveries(&id, state, &after, rows).await?;
    let (rows, next) = size.cut(found, |delivery| delivery.id.clone());
    Ok(Json(DeliveryPage {
        deliveries: rows.into_iter().map(DeliveryView::from).collect(),
        next,
    }))
}

/// `POST /admin/v1/webhooks/{id}/deliveries/{delivery_id}/retry`: a dead letter gets all its attempts again.
pub(super) async fn retry(
    State(app): State<App>,
    permitted: Permitted,
    PathParts(DeliveryPath { id, delivery }): PathParts<DeliveryPath>,
) -> Result<Accepted, Problem> {
    let now = app.clock().now();
    let by = permitted.caller().actor();
    if app.ledger().deliver_again(&id, &delivery, now, &by).await? {
        return Ok(Accepted);
    }
    Err(Problem::not_found("this webhook has no dead letter with this id"))
}

/// # Errors
/// A [`Problem`] with every field that is wrong.
fn check(url: Option<&str>, kinds: &[String]) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if let Some(text) = url {
        let is_good = text.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
                && uri
                    .authority()
                    .is_some_and(|authority| !authority.as_str().contains('@'))
        });
        if !is_good || text.len() > MAX_URL_BYTES {
            let detail = format!(
                "expected an http or https URL of at most {MAX_URL_BYTES} bytes without a user name or password"
            );
            errors.push(FieldError::at("url", detail));
        }
    }
    for (index, kind) in kinds.iter().enumerate() {
        if !KINDS.contains(&kind.as_str()) {
            let detail = format!("no kind of notification; there are {}", KINDS.join(", "));
            errors.push(FieldError::at(&format!("kinds/{index}"), detail));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}

fn done(changed: Changed<StoredWebhook, Problem>) -> Result<StoredWebhook, Problem> {
    match changed {
        Changed::Done(webhook) => Ok(*webhook),
        Changed::Missing => Err(no_such_webhook()),
        Changed::Refused(problem) => Err(problem),
    }
}

fn tag_of(webhook: &StoredWebhook) -> ETag {
    ETag::of(0, webhook.updated_at)
}

fn tagged(webhook: StoredWebhook) -> Tagged<WebhookView> {
    Tagged {
        tag: tag_of(&webhook),
        view: webhook.into(),
    }
}

fn no_such_webhook() -> Problem {
    Problem::not_found("no webhook has this id")
}

// === impl WebhookStatus ===

impl WebhookStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }
}

// === impl DeliveryState ===

impl DeliveryState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

// === impl WebhookView ===

impl From<StoredWebhook> for WebhookView {
    fn from(webhook: StoredWebhook) -> Self {
        Self {
            id: webhook.id,
            url: webhook.url,
            kinds: webhook.kinds.0,
            status: webhook.status,
            created_at: Timestamp::from_millisecond(webhook.created_at).ok(),
            updated_at: Timestamp::from_millisecond(webhook.updated_at).ok(),
        }
    }
}

// === impl DeliveryView ===

impl From<StoredDelivery> for DeliveryView {
    fn from(delivery: StoredDelivery) -> Self {
        let is_pending = delivery.state == DeliveryState::Pending.as_str();
        let next = Timestamp::from_millisecond(delivery.next_attempt_at).ok();
        Self {
            id: delivery.id,
            notification_id: delivery.notification_id,
            kind: delivery.kind,
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: next.filter(|_| is_pending),
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: Timestamp::from_millisecond(delivery.created_at).ok(),
            updated_at: Timestamp::from_millisecond(delivery.updated_at).ok(),
        }
    }
}
