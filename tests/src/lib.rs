//! Fixtures of the end-to-end tests: requests, answers, and what the ledger and the mock know of them.

pub mod collector;
pub mod raw;
pub mod rush;
pub mod shared;
pub mod slow_sidecar;
pub mod up;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tollgate_stack::{Stack, wait};

/// How long an event may take from the end of an exchange to the ledger: a few flushes of the gateway's queue.
pub const SETTLED: Duration = Duration::from_secs(15);

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers by lower-case name; of several with one name, the last.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

// === impl Answer ===

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `error.code` of a refusal in OpenAI's envelope.
    pub fn error_code(&self) -> String {
        let json = self.json();
        json.pointer("/error/code")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// The `data:` lines of a stream.
    pub fn sse_data(&self) -> Vec<String> {
        let text = self.text();
        text.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    }
}

/// A chat completion's body.
pub fn chat(content: &str) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]})
}

/// Sends a JSON body with a key, and reads the answer to its end.
///
/// # Errors
///
/// Where there is no answer, or it breaks off.
pub async fn post(stack: &Stack, path: &str, key: &str, body: &Value) -> Result<Answer> {
    send(
        stack
            .http
            .post(format!("{}{path}", stack.gateway))
            .bearer_auth(key)
            .json(body),
    )
    .await
}

/// Sends a request, and reads the answer to its end.
///
/// # Errors
///
/// Where there is no answer, or it breaks off.
pub async fn send(request: reqwest::RequestBuilder) -> Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    Ok(Answer {
        status,
        headers,
        body: response.bytes().await?.to_vec(),
    })
}

/// Waits until a gateway, by its number from 0, follows the sidecar's list of changes: from then on it keeps the keys
/// that it resolves.
///
/// # Errors
///
/// Where it does not after [`SETTLED`].
pub async fn changes_are_followed(stack: &Stack, gateway: usize) -> Result<()> {
    // The second answer comes after the first was taken in; without traffic nothing else is asked.
    sidecar_answers(stack, gateway, 2).await
}

/// Waits until the sidecar has answered a gateway, by its number from 0, so many more times: without traffic it is
/// asked for changes each 500 ms.
///
/// # Errors
///
/// Where it has not after [`SETTLED`].
pub async fn sidecar_answers(stack: &Stack, gateway: usize, more: u64) -> Result<()> {
    let answered = || stack.envoy_stat_of(gateway, "cluster.tollgate_sidecar.upstream_rq_200");
    let enough = answered().await? + more;
    wait::until(SETTLED, "the sidecar is not asked for changes", async || {
        Ok((answered().await? >= enough).then_some(()))
    })
    .await
}

/// Waits for the event of an answer, by its `x-tollgate-request-id`.
///
/// # Errors
///
/// Where it is not in the ledger after [`SETTLED`].
pub async fn event(stack: &Stack, answer: &Answer) -> Result<Value> {
    let id = answer.header("x-tollgate-request-id");
    anyhow::ensure!(
        !id.is_empty(),
        "the answer has no x-tollgate-request-id: {answer:?}"
    );
    wait::until(
        SETTLED,
        &format!("no event of request {id} in the ledger"),
        async || {
            let all = stack.admin.events("").await?;
            Ok(all
                .into_iter()
                .find(|event| event.get("request_id").and_then(Value::as_str) == Some(id)))
        },
    )
    .await
}

/// Waits until the events of all these requests are in the ledger; returns them by request id.
///
/// # Errors
///
/// Where one is missing after [`SETTLED`], or has a second event.
pub async fn settled(stack: &Stack, request_ids: &[String]) -> Result<BTreeMap<String, Value>> {
    let found = wait::until(SETTLED, "not every request has its event", async || {
        let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in stack.admin.events("").await? {
            let id = event.get("request_id").and_then(Value::as_str);
            events
                .entry(id.unwrap_or_default().to_owned())
                .or_default()
                .push(event);
        }
        Ok(request_ids
            .iter()
            .all(|id| events.contains_key(id))
            .then_some(events))
    })
    .await?;
    let mut settled = BTreeMap::new();
    for id in request_ids {
        let events = found.get(id).map_or(&[][..], Vec::as_slice);
        match events {
            [event] => settled.insert(id.clone(), event.clone()),
            _ => anyhow::bail!("request {id} has {} events", events.len()),
        };
    }
    Ok(settled)
}

/// A whole number of an event, 0 where it is absent.
pub fn number(event: &Value, field: &str) -> u64 {
    event.get(field).and_then(Value::as_u64).unwrap_or(0)
}

/// Values of a header that the mock received, in their order.
///
/// # Errors
///
/// Where the mock's record has another form.
pub fn received_header(request: &Value, name: &str) -> Result<Vec<String>> {
    let headers = request
        .get("headers")
        .and_then(Value::as_array)
        .context("no headers")?;
    let pair = |header: &Value| {
        let text = |index: usize| header.get(index).and_then(Value::as_str).map(str::to_owned);
        Some((text(0)?, text(1)?))
    };
    let named = headers
        .iter()
        .filter_map(pair)
        .filter(|(header, _)| header == name);
    Ok(named.map(|(_, value)| value).collect())
}
