//! A sidecar that keeps every event it is given, as the ledger would.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_core::event::Event;
use tollgate_core::key::{KeyHash, KeyRecord};
use tollgate_core::wire::{
    AppliedBudget, EventBatch, KeyChanges, LeaseAnswer, LeaseHold, LeaseId, LeaseReport, LeaseReportAnswer,
    LeaseRequest, ReportedLease, SIDECAR_HEADER,
};
use tollgate_fakehost::{Answer, CalloutRequest, Host};

use crate::gateway::REMOTE;

/// Long enough that a dead worker's journal is adopted and sent.
const PATIENCE: Duration = Duration::from_secs(40);
const STEP: Duration = Duration::from_millis(250);

/// How much of a budget is leased at first.
const LEASED: u64 = 100_000_000_000;

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
    /// Budgets that apply to every request, each with its lease.
    budgets: Vec<AppliedBudget>,
    /// What was last reported of each lease.
    pub(crate) holds: BTreeMap<LeaseId, LeaseHold>,
}

// === impl Ledger ===

impl Ledger {
    /// One that leases of these budgets to every request.
    pub(crate) fn leasing(budgets: Vec<AppliedBudget>) -> Self {
        Self {
            budgets,
            ..Self::default()
        }
    }

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
                    budgets: Some(u64::from(!self.budgets.is_empty())),
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
            "/v1/leases" => Some(self.lease(request)),
            "/v1/leases/report" => Some(self.take_report(request)),
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

    /// Leases as much again as was given back.
    fn lease(&mut self, request: &CalloutRequest) -> Answer {
        let asked: LeaseRequest =
            serde_json::from_slice(&request.body).expect("the question is not what the ledger reads");
        for hold in asked.holds {
            let mut leases = self.budgets.iter_mut().filter_map(|budget| budget.lease.as_mut());
            if let Some(lease) = leases.find(|lease| lease.lease_id == hold.lease_id) {
                lease.granted = lease.granted.max(LEASED + hold.returned);
            }
        }
        let answer = LeaseAnswer {
            version: 1,
            budgets: self.budgets.clone(),
            exhausted: None,
        };
        ok(&serde_json::to_value(answer).unwrap())
    }

    fn take_report(&mut self, request: &CalloutRequest) -> Answer {
        let report: LeaseReport =
            serde_json::from_slice(&request.body).expect("the report is not what the ledger reads");
        for hold in report.holds {
            self.holds.insert(hold.lease_id, hold);
        }
        let leases = self.budgets.iter().map(|budget| ReportedLease {
            budget_id: budget.id.clone(),
            amount: budget.amount,
            spent: budget.spent,
            period_ends_in_ms: budget.period_ends_in_ms,
            lease: budget.lease.expect("a budget without a lease"),
        });
        let answer = LeaseReportAnswer {
            version: 1,
            leases: leases.collect(),
        };
        ok(&serde_json::to_value(answer).unwrap())
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

/// Three budgets, in dollars, tokens and requests, that are far from spent.
pub(crate) fn three_budgets() -> Vec<AppliedBudget> {
    let units = ["usd", "tokens", "requests"].into_iter().zip(1..);
    let budget = |(unit, id): (&str, u64)| {
        json!({
            "id": format!("bud_{unit}"), "name": unit, "scope": "workspace", "unit": unit, "period": "month",
            "amount": 1_000_000_000_000_u64, "spent": 0, "period_ends_in_ms": 3_600_000, "enforcement": "hard",
            "on_unavailable": "deny", "thresholds": [80, 100],
            "lease": {"lease_id": id, "granted": LEASED, "settled": 0, "expires_in_ms": 120_000},
        })
    };
    let budgets = units.map(|unit| serde_json::from_value(budget(unit)).expect("no budget"));
    budgets.collect()
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
