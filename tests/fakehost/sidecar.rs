//! A sidecar that keeps every event it is given, as the ledger would.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_core::event::Event;
use tollgate_core::key::{KeyHash, KeyRecord};
use tollgate_core::wire::{EventBatch, KeyChanges, SIDECAR_HEADER};
use tollgate_fakehost::{Answer, CalloutRequest, Host};

use crate::gateway::REMOTE;

/// Long enough that a dead worker's journal is adopted and sent.
const PATIENCE: Duration = Duration::from_secs(40);
const STEP: Duration = Duration::from_millis(250);

/// The ledger: events by id. The first one of an id counts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    events: BTreeMap<String, Event>,
    /// How often an event came that was there already.
    pub(crate) repeats: usize,
    /// What gateways are told beside their configuration; null where there is nothing.
    pub(crate) policy: Value,
    /// How often they asked.
    pub(crate) policies_asked: usize,
}

// === impl Ledger ===

impl Ledger {
    /// Lets time pass until everything that waits has been sent, and keeps it.
    pub(crate) fn collect(host: &Host) -> Self {
        let mut ledger = Self::default();
        ledger.collect_for(host, PATIENCE);
        ledger
    }

    pub(crate) fn collect_for(&mut self, host: &Host, span: Duration) {
        let until = host.now() + u64::try_from(span.as_nanos()).expect("a span of centuries");
        while host.now() < until {
            host.advance(STEP);
            host.answer_callouts(|request| self.answer(request));
        }
    }

    /// The sidecar's answer to anything but moderation, which each test answers for itself.
    pub(crate) fn answer(&mut self, request: &CalloutRequest) -> Option<Answer> {
        assert_eq!(
            request.headers.text("authorization"),
            Some("Bearer gateway-token")
        );
        match request.path() {
            "/v1/events" => Some(self.take(request)),
            "/v1/keys/changes" => {
                let changes = KeyChanges {
                    version: 1,
                    budgets: Some(0),
                    policy: Some(self.policy["version"].as_u64().unwrap_or(u64::MAX))
                        .filter(|_| !self.policy.is_null()),
                    ..KeyChanges::default()
                };
                Some(ok(&serde_json::to_value(changes).unwrap()))
            }
            "/v1/policy" => {
                self.policies_asked += 1;
                Some(ok(&self.policy))
            }
            _ => None,
        }
    }

    pub(crate) fn all(&self) -> Vec<&Event> {
        self.events.values().collect()
    }

    /// The only event there is.
    pub(crate) fn only(&self) -> &Event {
        assert_eq!(self.events.len(), 1, "{:#?}", self.events);
        self.events.values().next().unwrap()
    }

    fn take(&mut self, request: &CalloutRequest) -> Answer {
        let batch: EventBatch =
            serde_json::from_slice(&request.body).expect("the batch is not what the ledger reads");
        let mut accepted = 0;
        let sent = batch.events.len();
        for event in batch.events {
            if let std::collections::btree_map::Entry::Vacant(free) =
                self.events.entry(event.event_id.clone())
            {
                free.insert(event);
                accepted += 1;
            }
        }
        self.repeats += sent - accepted;
        ok(&json!({"accepted": accepted, "duplicates": sent - accepted}))
    }
}

/// An answer of the sidecar's own, which its header proves.
pub(crate) fn ok(body: &Value) -> Answer {
    Answer::json(200, body).header(SIDECAR_HEADER, "test")
}

/// The answer to the question whose key [`REMOTE`] is.
pub(crate) fn key_found() -> Answer {
    let record = KeyRecord {
        id: "key_remote".to_owned(),
        sha256: KeyHash::of(REMOTE.as_bytes()),
        workspace: "acme".to_owned(),
        user: None,
        models: Vec::new(),
        expires_at_ms: None,
        retires_at_ms: None,
        status: tollgate_core::key::KeyStatus::Active,
        moderation: None,
    };
    ok(&serde_json::to_value(record).unwrap())
}

pub(crate) fn key_unknown() -> Answer {
    Answer::status(404).header(SIDECAR_HEADER, "test")
}

/// A verdict: `allow`, `block`.
pub(crate) fn verdict(action: &str) -> Answer {
    ok(&json!({"action": action, "categories": [], "texts": []}))
}
