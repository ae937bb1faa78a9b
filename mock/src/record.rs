//! What the mock received and what it served: the evidence on which end-to-end tests assert.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use crate::answer::Usage;

/// How many requests are kept, and how many bytes of their bodies: older ones make room.
const MAX_REQUESTS: usize = 4096;
const MAX_BYTES: usize = 64 << 20;

/// Everything since the start, or since `POST /__mock/reset`.
#[derive(Debug, Default)]
pub(crate) struct Record {
    inner: Mutex<Inner>,
}

/// A request as it arrived.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Received {
    /// 1 for the first request since the reset.
    number: u64,
    /// Which connection it came on, and as which of its requests (from 1).
    pub(crate) connection: u64,
    pub(crate) nth_on_connection: u64,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) version: String,
    /// Names and values in their order; bytes that are not UTF-8 become U+FFFD.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) trailers: Vec<(String, String)>,
    /// The body as text, null where it is not UTF-8.
    body: Option<String>,
    body_base64: String,
    /// What became of the answer.
    outcome: Outcome,
    #[serde(skip)]
    size: usize,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The request's body never came to its end.
    Receiving,
    /// Not all is sent yet.
    Answering,
    /// All that was planned was sent.
    Sent,
    /// The client left before that.
    Aborted,
}

/// Totals of what was answered.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Served {
    /// Requests that arrived, whatever came of them.
    received: u64,
    /// Calls of a model that were answered with 200.
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
    models: BTreeMap<String, ModelTotals>,
    /// Answers by status, scripted ones included.
    statuses: BTreeMap<u16, u64>,
    connections: u64,
}

/// Totals of one model.
#[derive(Debug, Clone, Default, Serialize)]
struct ModelTotals {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
}

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Received>,
    bytes: usize,
    next: u64,
    served: Served,
}

// === impl Record ===

impl Record {
    /// Notes a request whose body is still to come.
    pub(crate) fn received(&self, mut request: Received) -> u64 {
        let mut inner = self.lock();
        inner.next += 1;
        request.number = inner.next;
        inner.served.received += 1;
        inner.requests.push_back(request);
        inner.bound();
        inner.next
    }

    /// Notes the end of a request's body.
    pub(crate) fn body(&self, number: u64, body: &Bytes, trailers: Option<&HeaderMap>) {
        let mut inner = self.lock();
        inner.change(number, |request| {
            request.body = std::str::from_utf8(body).ok().map(str::to_owned);
            request.body_base64 = STANDARD.encode(body);
            request.trailers = trailers.map(pairs).unwrap_or_default();
            request.size = body.len();
            request.outcome = Outcome::Answering;
        });
        inner.bytes += body.len();
        inner.bound();
    }

    /// Notes what became of an answer.
    pub(crate) fn ended(&self, number: u64, outcome: Outcome) {
        self.lock().change(number, |request| request.outcome = outcome);
    }

    pub(crate) fn connected(&self) {
        self.lock().served.connections += 1;
    }

    pub(crate) fn answered(&self, status: u16) {
        *self.lock().served.statuses.entry(status).or_default() += 1;
    }

    /// Counts a model's call that is answered with 200.
    pub(crate) fn served(&self, model: &str, usage: &Usage) {
        let mut inner = self.lock();
        let totals = &mut inner.served;
        totals.requests += 1;
        totals.input_tokens += usage.input;
        totals.output_tokens += usage.output;
        let of_model = totals.models.entry(model.to_owned()).or_default();
        of_model.requests += 1;
        of_model.input_tokens += usage.input;
        of_model.output_tokens += usage.output;
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.lock().requests.iter().cloned().collect()
    }

    pub(crate) fn totals(&self) -> Served {
        self.lock().served.clone()
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Received ===

impl Received {
    pub(crate) fn new(method: String, path: String, version: String, headers: &HeaderMap) -> Self {
        Self {
            number: 0,
            connection: 0,
            nth_on_connection: 0,
            method,
            path,
            version,
            headers: pairs(headers),
            trailers: Vec::new(),
            body: None,
            body_base64: String::new(),
            outcome: Outcome::Receiving,
            size: 0,
        }
    }
}

// === impl Inner ===

impl Inner {
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Received)) {
        if let Some(request) = self
            .requests
            .iter_mut()
            .rev()
            .find(|request| request.number == number)
        {
            change(request);
        }
    }

    fn bound(&mut self) {
        while self.requests.len() > MAX_REQUESTS || (self.bytes > MAX_BYTES && self.requests.len() > 1) {
            let size = self.requests.pop_front().map_or(0, |request| request.size);
            self.bytes = self.bytes.saturating_sub(size);
        }
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}
