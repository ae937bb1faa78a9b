//! Callouts to the sidecar: how a question becomes an HTTP request, and whether it was the sidecar that
//! answered.

use std::time::Duration;

use proxy_wasm::types::MapType;
use serde::Serialize;
use thiserror::Error;
use tollgate_core::breaker::{Breaker, Passage};
use tollgate_core::config;
use tollgate_core::trace_context::{TRACEPARENT, TRACESTATE, TraceContext};
use tollgate_core::wire::SIDECAR_HEADER;

use crate::host::{self, HostError, SharedData};

/// The circuit breaker's cell.
const BREAKER: &str = "tollgate/1/breaker";

/// A probe that says nothing for so long beyond its time is lost: its worker or its client is gone.
const PROBE_MARGIN: Duration = Duration::from_secs(2);

/// How to reach the sidecar.
#[derive(Debug)]
pub(crate) struct Sidecar {
    cluster: String,
    authority: String,
    authorization: String,
    timeout: Duration,
    /// What requests wait for goes through it; what ticks send does not.
    breaker: Breaker,
}

/// Why the sidecar was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NotSent {
    #[error("there is no `sidecar` in the configuration")]
    NotConfigured,
    #[error("the question cannot be written as JSON")]
    NotSerialised,
    /// It has not answered for a while: nobody waits for it.
    #[error("it has not answered lately")]
    CircuitOpen,
    #[error(transparent)]
    Host(#[from] HostError),
}

// === impl Sidecar ===

impl Sidecar {
    pub(crate) fn new(config: &config::Sidecar) -> Self {
        Self {
            cluster: config.cluster.clone(),
            authority: config.authority.clone(),
            authorization: format!("Bearer {}", config.token),
            timeout: config.timeout,
            breaker: Breaker::new(
                BREAKER,
                config.breaker_failures,
                millis(config.breaker_pause),
                millis(config.timeout.saturating_add(PROBE_MARGIN)),
            ),
        }
    }

    /// How long a request waits, unless it says otherwise.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a question that a request waits for, if the sidecar has answered lately. It is part of the request's
    /// trace.
    pub(crate) fn ask(
        &self,
        path: &str,
        question: &impl Serialize,
        trace: Option<&TraceContext>,
        timeout: Duration,
    ) -> Result<u32, NotSent> {
        if self.breaker.enter(&SharedData::default(), host::now().millis()) == Passage::Open {
            return Err(NotSent::CircuitOpen);
        }
        let sent = json(question).and_then(|body| self.send(path, &body, trace, timeout));
        if sent.is_err() {
            self.was_answered(false);
        }
        sent
    }

    /// Says whether the sidecar itself has answered a question that a request waited for.
    pub(crate) fn was_answered(&self, answered: bool) {
        if answered {
            self.breaker.succeeded(&SharedData::default());
        } else {
            self.breaker.failed(&SharedData::default(), host::now().millis());
        }
    }

    /// How long a question for money may take: the ledger holds it for a while when money may come back.
    pub(crate) fn lease_timeout(&self, wait_ms: u64) -> Duration {
        self.timeout.saturating_add(Duration::from_millis(wait_ms))
    }

    /// Sends a value as JSON.
    pub(crate) fn post_json(
        &self,
        path: &str,
        value: &impl Serialize,
        timeout: Duration,
    ) -> Result<u32, NotSent> {
        self.post(path, &json(value)?, timeout)
    }

    /// Sends a JSON body.
    pub(crate) fn post(&self, path: &str, body: &[u8], timeout: Duration) -> Result<u32, NotSent> {
        self.send(path, body, None, timeout)
    }

    fn send(
        &self,
        path: &str,
        body: &[u8],
        trace: Option<&TraceContext>,
        timeout: Duration,
    ) -> Result<u32, NotSent> {
        let parent = trace.map(TraceContext::traceparent);
        let state = trace.and_then(TraceContext::tracestate);
        let mut headers = vec![
            (":method", "POST"),
            (":path", path),
            (":authority", self.authority.as_str()),
            ("content-type", "application/json"),
            ("authorization", self.authorization.as_str()),
        ];
        headers.extend(parent.as_deref().map(|parent| (TRACEPARENT, parent)));
        headers.extend(state.map(|state| (TRACESTATE, state)));
        Ok(host::call(&self.cluster, headers, body, timeout)?)
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, NotSent> {
    serde_json::to_vec(value).map_err(|_| NotSent::NotSerialised)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The status of the answer that has just arrived; `None` where it is not the sidecar's own: Envoy answers
/// for a sidecar that it cannot reach with 503 or 504, and a reset has no headers at all.
pub(crate) fn answer_status() -> Option<u16> {
    let map = host::headers(MapType::HttpCallResponseHeaders).ok()?;
    map.with(|headers| {
        headers.first(SIDECAR_HEADER)?;
        headers.text(":status")?.parse().ok()
    })
}
