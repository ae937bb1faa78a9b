//! One attempt: a signed POST, and what came of it.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::secret::SigningSecret;
use crate::https::{Client, causes};
use crate::ledger::deliveries::DueDelivery;

/// Longest error that is kept with a delivery, in characters.
const MAX_ERROR_CHARS: usize = 300;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Delivered(StatusCode),
    /// It may be tried again.
    Failed {
        status: Option<StatusCode>,
        error: String,
        retry_after: Option<Duration>,
    },
    /// The receiver says that it is gone for good (410).
    Gone,
}

/// Posts a notification, signed as of `now`, and waits for the answer's head.
pub(super) async fn attempt(
    client: &Client,
    delivery: &DueDelivery,
    timeout: Duration,
    now: Timestamp,
) -> Outcome {
    let request = match signed(delivery, now) {
        Ok(request) => request,
        Err(error) => return Outcome::failed(error),
    };
    let response = match tokio::time::timeout(timeout, client.request(request)).await {
        Err(_) => return Outcome::failed(format!("no answer within {timeout:?}")),
        Ok(Err(error)) => return Outcome::failed(describe(&error)),
        Ok(Ok(response)) => response,
    };
    match response.status() {
        status if status.is_success() => Outcome::Delivered(status),
        StatusCode::GONE => Outcome::Gone,
        status => Outcome::Failed {
            status: Some(status),
            error: format!("the receiver answered {status}"),
            retry_after: retry_after(response.headers()),
        },
    }
}

fn signed(delivery: &DueDelivery, now: Timestamp) -> Result<Request<Full<Bytes>>, String> {
    let secret = SigningSecret::parse(&delivery.secret)
        .map_err(|_| "the webhook's secret is damaged; make the webhook anew".to_owned())?;
    let body = message(delivery).to_string();
    let seconds = now.as_second();
    Request::post(&delivery.url)
        .header(CONTENT_TYPE, "application/json")
        .header(
            USER_AGENT,
            concat!("tollgate-sidecar/", env!("CARGO_PKG_VERSION")),
        )
        .header("webhook-id", &delivery.notification_id)
        .header("webhook-timestamp", seconds)
        .header(
            "webhook-signature",
            secret.sign(&delivery.notification_id, seconds, &body),
        )
        .body(Full::from(body))
        .map_err(|error| format!("the webhook's URL cannot be called: {error}"))
}

/// The body that the receiver reads.
fn message(delivery: &DueDelivery) -> Value {
    json!({
        "id": delivery.notification_id,
        "type": delivery.kind,
        "timestamp": Timestamp::from_millisecond(delivery.notified_at).ok(),
        "data": delivery.body.0,
    })
}

/// The error with its causes.
fn describe(error: &hyper_util::client::legacy::Error) -> String {
    let what = if error.is_connect() {
        "cannot connect"
    } else {
        "the request failed"
    };
    let text = format!("{what}{}", causes(error));
    text.chars().take(MAX_ERROR_CHARS).collect()
}

/// Only the form in seconds (RFC 9110, section 10.2.3); a date is not needed to be polite.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

// === impl Outcome ===

impl Outcome {
    fn failed(error: String) -> Self {
        Self::Failed {
            status: None,
            error,
            retry_after: None,
        }
    }
}
