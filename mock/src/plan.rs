//! What the mock sends, step by step: the one form into which every answer, fault and script is brought.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;

/// An answer before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Waited before the response headers.
    pub(crate) before: Duration,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    pub(crate) trailers: Option<HeaderMap>,
    /// The `content-length` (JSON); none leaves the length open (streams).
    pub(crate) length: Option<u64>,
}

/// A piece of the body. Steps leave the process separately, so that they arrive as separate chunks.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Waited before the piece.
    pub(crate) delay: Duration,
    pub(crate) bytes: Bytes,
}

/// What happens after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The body ends as HTTP says.
    Whole,
    /// The connection is closed (FIN) although the body has not ended.
    Close,
    /// The connection is reset (RST) although the body has not ended.
    Reset,
    /// Nothing follows; the connection stays open until the client leaves.
    Stall,
    /// The connection is closed before any byte of the answer.
    CloseAtOnce,
    /// The connection is reset before any byte of the answer.
    ResetAtOnce,
}

// === impl Plan ===

impl Plan {
    /// A JSON answer with a known length.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let mut plan = Self::new(status, "application/json", vec![Bytes::from(body.to_string())]);
        plan.length = Some(plan.size());
        plan
    }

    /// A stream: one step an event.
    pub(crate) fn stream(content_type: &'static str, events: Vec<String>) -> Self {
        Self::new(
            StatusCode::OK,
            content_type,
            events.into_iter().map(Bytes::from).collect(),
        )
    }

    /// Sets a header, in the place of one with the same name.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(header_value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), header_value);
        }
        self
    }

    /// The body's bytes in one piece.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.steps
            .iter()
            .flat_map(|step| step.bytes.iter().copied())
            .collect()
    }

    /// The body's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        let size: usize = self.steps.iter().map(|step| step.bytes.len()).sum();
        u64::try_from(size).unwrap_or(u64::MAX)
    }

    fn new(status: StatusCode, content_type: &'static str, pieces: Vec<Bytes>) -> Self {
        Self {
            status,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]),
            before: Duration::ZERO,
            steps: pieces.into_iter().map(Step::now).collect(),
            end: End::Whole,
            trailers: None,
            length: None,
        }
    }
}

// === impl Step ===

impl Step {
    /// A piece without a delay of its own.
    pub(crate) fn now(bytes: Bytes) -> Self {
        Self {
            delay: Duration::ZERO,
            bytes,
        }
    }
}
