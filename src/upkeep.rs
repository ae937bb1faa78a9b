//! What a root context does between requests: sends events, follows the list of changed keys.

use std::time::Duration;

use log::warn;
use proxy_wasm::types::BufferType;
use tollgate_core::key_feed;
use tollgate_core::wire::KeyChanges;

use crate::gateway::Gateway;
use crate::host::{self, SharedData};
use crate::sidecar::{self, Sidecar};

/// Batches and lists are no request's business: they may take their time.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The callouts of a root context that are under way.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    batch: Option<u32>,
    changes: Option<u32>,
}

// === impl Upkeep ===

impl Upkeep {
    pub(crate) fn tick(&mut self, gateway: &Gateway) {
        let Some(sidecar) = &gateway.sidecar else { return };
        self.send_events(gateway, sidecar);
        self.ask_for_changes(gateway, sidecar);
    }

    /// The answer to a callout of this root context has come.
    pub(crate) fn answered(&mut self, gateway: &Gateway, token: u32, body_size: usize) {
        let status = sidecar::answer_status();
        if self.batch == Some(token) {
            self.batch = None;
            self.events_answered(gateway, status);
        } else if self.changes == Some(token) {
            self.changes = None;
            changes_answered(gateway, status, body_size);
        }
    }

    fn send_events(&mut self, gateway: &Gateway, sidecar: &Sidecar) {
        let batch = gateway.with_env(|env| env.journal.tick(env.cells, env.now));
        if let Some(batch) = batch {
            match sidecar.post("/v1/events", &batch.body, TIMEOUT) {
                Ok(token) => self.batch = Some(token),
                Err(error) => {
                    warn!("cannot send {} events to the sidecar: {error:?}", batch.events);
                    self.events_answered(gateway, None);
                }
            }
        }
        gateway.report_pending();
    }

    fn events_answered(&mut self, gateway: &Gateway, status: Option<u16>) {
        if status == Some(200) {
            gateway.with_env(|env| env.journal.sent(env.cells));
        } else {
            gateway.unanswered("events");
            gateway.with_env(|env| env.journal.unsent());
        }
    }

    fn ask_for_changes(&mut self, gateway: &Gateway, sidecar: &Sidecar) {
        if self.changes.is_some() {
            return;
        }
        let Ok(Some(question)) = key_feed::take_turn(&SharedData, host::now()) else {
            return;
        };
        match sidecar.post_json("/v1/keys/changes", &question, TIMEOUT) {
            Ok(token) => self.changes = Some(token),
            Err(_) => gateway.unanswered("keys_changes"),
        }
    }
}

fn changes_answered(gateway: &Gateway, status: Option<u16>, body_size: usize) {
    let body = host::buffer(BufferType::HttpCallResponseBody, 0, body_size).unwrap_or_default();
    let (Some(200), Ok(changes)) = (status, serde_json::from_slice::<KeyChanges>(&body)) else {
        return gateway.unanswered("keys_changes");
    };
    if let Err(error) = key_feed::apply(&SharedData, &gateway.config.key_cache, &changes, host::now()) {
        warn!("cannot take over {} changed keys: {error}", changes.keys.len());
    }
}
