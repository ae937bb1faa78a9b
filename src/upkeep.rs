//! What a root context does between requests: sends events and texts, reports leases, follows what has changed in
//! the ledger.

use std::time::Duration;

use log::warn;
use proxy_wasm::types::BufferType;
use serde::de::DeserializeOwned;
use tollgate_core::budget::purse::WorkerTag;
use tollgate_core::conversation::Delivery;
use tollgate_core::journal::Batch;
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{KeyChanges, LeaseReport, LeaseReportAnswer};
use tollgate_core::{key_feed, policy, turn};

use crate::gateway::Gateway;
use crate::host;
use crate::sidecar::{self, Sidecar};

/// Batches and lists are no request's business: they may take their time.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often one worker reports the leases of its Envoy.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The cell by which workers agree on whose turn it is to report.
const REPORT_TURN: &str = "tollgate/1/report/turn";

/// The callouts of a root context that are under way, each by the token that its answer will come with.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// Events.
    batch: Option<u32>,
    /// Texts of conversations.
    texts: Option<u32>,
    /// The question which keys have changed.
    changes: Option<u32>,
    /// The question for the ledger's policy.
    policy: Option<u32>,
    /// A report of leases, and when it was sent.
    report: Option<(u32, UnixMillis)>,
    /// Where in the leases the last report ended: a long list is reported in parts.
    cursor: u32,
}

// === impl Upkeep ===

impl Upkeep {
    pub(crate) fn tick(&mut self, gateway: &Gateway) {
        gateway.follow_policy();
        gateway.metrics.borrow_mut().tell();
        gateway
            .config()
            .limits
            .flush(&gateway.cells, host::now().millis());
        let Some(sidecar) = &gateway.sidecar else { return };
        self.send_events(gateway, sidecar);
        write_off_lost_workers(gateway);
        gateway.with_env(|env| {
            env.money.tick(env.cells);
            env.money.flush(env.cells, env.now.millis());
        });
        self.ask_for_changes(gateway, sidecar);
        self.report_leases(gateway, sidecar);
        // Last: nothing that counts waits for it.
        self.send_texts(gateway, sidecar);
    }

    /// The answer to a callout of this root context has come.
    pub(crate) fn answered(&mut self, gateway: &Gateway, token: u32, body_size: usize) {
        let status = sidecar::answer_status();
        if self.batch == Some(token) {
            self.batch = None;
            self.events_answered(gateway, status);
        } else if self.texts == Some(token) {
            self.texts = None;
            texts_answered(gateway, status);
        } else if self.changes == Some(token) {
            self.changes = None;
            self.changes_answered(gateway, status, body_size);
        } else if self.policy == Some(token) {
            self.policy = None;
            policy_answered(gateway, status, body_size);
        } else if let Some((_, sent_at)) = self.report.take_if(|(report, _)| *report == token) {
            report_answered(gateway, status, body_size, sent_at);
        }
    }

    fn send_events(&mut self, gateway: &Gateway, sidecar: &Sidecar) {
        let batch = gateway.with_env(|env| env.journal.tick(env.cells, env.now));
        if let Some(batch) = batch {
            self.send_batch(gateway, sidecar, &batch);
        }
        gateway.report_pending();
    }

    fn send_batch(&mut self, gateway: &Gateway, sidecar: &Sidecar, batch: &Batch) {
        match sidecar.post("/v1/events", &batch.body, TIMEOUT) {
            Ok(token) => self.batch = Some(token),
            Err(error) => {
                warn!("cannot send {} events to the sidecar: {error}", batch.events);
                self.events_answered(gateway, None);
            }
        }
    }

    fn events_answered(&mut self, gateway: &Gateway, status: Option<u16>) {
        if status == Some(200) {
            let next = gateway.with_env(|env| {
                env.journal.sent();
                env.journal.full_batch(env.cells)
            });
            if let (Some(batch), Some(sidecar)) = (next, &gateway.sidecar) {
                self.send_batch(gateway, sidecar, &batch);
            }
        } else {
            gateway.unanswered("events");
            gateway.with_env(|env| env.journal.unsent());
        }
    }

    fn send_texts(&mut self, gateway: &Gateway, sidecar: &Sidecar) {
        if gateway.outbox.borrow().is_empty() {
            return;
        }
        let batch = gateway.outbox.borrow_mut().batch(host::now().millis());
        let Some(batch) = batch else { return };
        match sidecar.post("/v1/conversations", &batch, TIMEOUT) {
            Ok(token) => self.texts = Some(token),
            Err(_) => texts_answered(gateway, None),
        }
    }

    fn ask_for_changes(&mut self, gateway: &Gateway, sidecar: &Sidecar) {
        if self.changes.is_some() {
            return;
        }
        let Ok(Some(question)) = key_feed::take_turn(&gateway.cells, host::now()) else {
            return;
        };
        match sidecar.post_json("/v1/keys/changes", &question, TIMEOUT) {
            Ok(token) => self.changes = Some(token),
            Err(_) => gateway.unanswered("keys_changes"),
        }
    }

    fn changes_answered(&mut self, gateway: &Gateway, status: Option<u16>, body_size: usize) {
        let Some(changes) = answer::<KeyChanges>(status, body_size) else {
            return gateway.unanswered("keys_changes");
        };
        let taken_over = gateway.with_env(|env| {
            let cache = &gateway.config().key_cache;
            key_feed::apply(env.cells, cache, &changes, env.now)?;
            changes.budgets.map_or(Ok(()), |version| {
                env.money.purse().learn_version(env.cells, version)
            })
        });
        if let Err(error) = taken_over {
            warn!("cannot take over {} changed keys: {error}", changes.keys.len());
        }
        self.ask_for_policy(gateway, changes.policy);
    }

    /// Asks for the ledger's policy, where its version is not the one that this Envoy has.
    fn ask_for_policy(&mut self, gateway: &Gateway, version: Option<u64>) {
        let is_news = version.is_some_and(|version| policy::is_news(&gateway.cells, version) == Ok(true));
        let Some(sidecar) = gateway
            .sidecar
            .as_ref()
            .filter(|_| is_news && self.policy.is_none())
        else {
            return;
        };
        match sidecar.post("/v1/policy", b"{}", TIMEOUT) {
            Ok(token) => self.policy = Some(token),
            Err(_) => gateway.unanswered("policy"),
        }
    }

    fn report_leases(&mut self, gateway: &Gateway, sidecar: &Sidecar) {
        if self.report.is_some()
            || turn::take(&gateway.cells, REPORT_TURN, REPORT_EVERY, host::now()) != Ok(true)
        {
            return;
        }
        let cursor = &mut self.cursor;
        let (report, sent_at) = gateway.with_env(|env| {
            let sent_at = env.now.millis();
            let holds = env
                .money
                .purse()
                .report(env.cells, cursor, sent_at)
                .unwrap_or_default();
            let instance = env.money.instance(env.cells).unwrap_or_default();
            (
                LeaseReport {
                    gateway_id: gateway.config().gateway_id.clone(),
                    instance,
                    holds,
                },
                sent_at,
            )
        });
        if report.holds.is_empty() {
            return;
        }
        match sidecar.post_json("/v1/leases/report", &report, TIMEOUT) {
            Ok(token) => self.report = Some((token, sent_at)),
            Err(_) => gateway.unanswered("leases_report"),
        }
    }
}

/// The sidecar has said, or not, what became of the texts that it was sent.
fn texts_answered(gateway: &Gateway, status: Option<u16>) {
    let delivery = Delivery::of(status);
    if delivery == Delivery::Unanswered {
        gateway.unanswered("conversations");
    }
    let lost = gateway.outbox.borrow_mut().settle(delivery, host::now().millis());
    if lost > 0 {
        let answered = status.unwrap_or_default();
        warn!("the sidecar answered {answered} and does not keep the texts of {lost} exchanges");
        gateway.lost_texts("refused", lost);
    }
}

fn report_answered(gateway: &Gateway, status: Option<u16>, body_size: usize, sent_at: UnixMillis) {
    let Some(answer) = answer::<LeaseReportAnswer>(status, body_size) else {
        return gateway.unanswered("leases_report");
    };
    let learned = gateway.with_env(|env| {
        env.money
            .purse()
            .reported(env.cells, &answer, sent_at, env.now.millis())
    });
    if let Err(error) = learned {
        warn!(
            "cannot take over what the ledger says of {} leases: {error}",
            answer.leases.len()
        );
    }
}

fn policy_answered(gateway: &Gateway, status: Option<u16>, body_size: usize) {
    let Some(body) = answer_body(status, body_size) else {
        return gateway.unanswered("policy");
    };
    match policy::store(&gateway.cells, &body) {
        Ok(()) => gateway.follow_policy(),
        Err(error) => gateway.policy_refused([format!("the sidecar's policy is not taken: {error}")]),
    }
}

/// What workers that are found dead had reserved is theirs no more: their open records charge it.
fn write_off_lost_workers(gateway: &Gateway) {
    gateway.with_env(|env| {
        for worker in env.journal.take_lost() {
            if let Err(error) = env.money.purse().worker_lost(env.cells, WorkerTag::of(worker)) {
                warn!("cannot write off what a lost worker had reserved: {error}");
            }
        }
    });
}

/// The sidecar's answer, where it is one.
fn answer<T: DeserializeOwned>(status: Option<u16>, body_size: usize) -> Option<T> {
    serde_json::from_slice(&answer_body(status, body_size)?).ok()
}

/// The body of the sidecar's answer, where it is a good one.
fn answer_body(status: Option<u16>, body_size: usize) -> Option<Vec<u8>> {
    let body = host::buffer(BufferType::HttpCallResponseBody, 0, body_size).ok()?;
    Some(body).filter(|_| status == Some(200))
}
