//! Budgets, gateways that lease from them, and clocks, as tests need them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_sidecar::clock::Clock;

use super::support::{Sidecar, event, eventually, expect};

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

// === impl TestClock ===

impl TestClock {
    pub(crate) fn at(time: &str) -> Self {
        Self(Arc::new(AtomicI64::new(ms(time))))
    }

    pub(crate) fn set(&self, time: &str) {
        self.0.store(ms(time), Ordering::Relaxed);
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn clock(&self) -> Clock {
        let now = self.0.clone();
        Clock::from_fn(move || jiff::Timestamp::from_millisecond(now.load(Ordering::Relaxed)).unwrap())
    }
}

// === impl Sidecar ===

impl Sidecar {
    /// Makes a budget; what is not said is a dollar a month of the workspace acme.
    pub(crate) async fn create_budget(&self, changes: Value) -> Value {
        let mut body =
            json!({"subject": {"workspace": "acme"}, "unit": "usd", "period": "month", "amount": "1.00"});
        body.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let response = self.admin(Method::POST, "/admin/v1/budgets", &body).await;
        expect(response, StatusCode::CREATED).await
    }

    pub(crate) async fn budget(&self, id: &str) -> Value {
        self.get(&format!("/admin/v1/budgets/{id}")).await
    }

    pub(crate) async fn lease(&self, request: &Value) -> Value {
        let response = self.gateway("/v1/leases", request).await;
        expect(response, StatusCode::OK).await
    }

    /// Reports one lease; the ledger's word on it.
    pub(crate) async fn report(&self, instance: &str, hold: Value) -> Value {
        let report = json!({"gateway_id": "gw-1", "instance": instance, "holds": [hold]});
        let response = self.gateway("/v1/leases/report", &report).await;
        expect(response, StatusCode::OK).await["leases"][0].clone()
    }

    /// Waits until the ledger's clock has beaten at the time of now.
    pub(crate) async fn beaten(&self, clock: &TestClock) {
        let now = clock.now();
        eventually(|| self.sql("SELECT last FROM ledger_clock"), |last| *last == now).await;
    }

    /// Delivers an event with charges.
    pub(crate) async fn charge(&self, id: &str, charges: Value) -> Value {
        self.send_events(&[charging(id, charges)]).await
    }

    /// That for every account what is spent is what was charged, and what is leased is what leases may still spend.
    pub(crate) async fn assert_balanced(&self) {
        let unequal = "SELECT COUNT(*) FROM budget_accounts a WHERE \
            a.spent <> (SELECT COALESCE(SUM(c.charged), 0) FROM charges c WHERE c.account_id = a.id)";
        assert_eq!(
            self.sql(unequal).await,
            0,
            "what is spent is not what was charged"
        );
        let unequal = "SELECT COUNT(*) FROM budget_accounts a WHERE a.leased <> (SELECT COALESCE(SUM(CASE \
            WHEN l.granted > l.settled + l.returned THEN l.granted - l.settled - l.returned ELSE 0 END), 0) \
            FROM leases l WHERE l.account_id = a.id AND l.stage <> 'closed')";
        assert_eq!(
            self.sql(unequal).await,
            0,
            "what is leased is not what leases may spend"
        );
    }
}

/// A request of the workspace acme that needs so many nano-dollars.
pub(crate) fn ask(instance: &str, need: u64) -> Value {
    json!({
        "request_id": "r", "gateway_id": "gw-1", "instance": instance,
        "facts": {"workspace": "acme", "gateway": "gw-1"},
        "need": {"nanousd": need, "tokens": 0, "requests": 1},
        "least": {"nanousd": need, "tokens": 0, "requests": 1},
        "wait_ms": 0
    })
}

/// What a gateway says of a lease.
pub(crate) fn hold(budget: &Value, lease_id: u64, used: u64, returned: u64) -> Value {
    json!({"budget_id": budget["id"], "lease_id": lease_id, "returned": returned, "used": used})
}

/// A lease that its gateway is done with.
pub(crate) fn done(budget: &Value, lease_id: u64, used: u64) -> Value {
    json!({"budget_id": budget["id"], "lease_id": lease_id, "returned": 0, "used": used, "done": true})
}

/// A charge to a budget, from a lease or from none.
pub(crate) fn charge(budget: &Value, lease_id: Option<u64>, charged: u64) -> Value {
    let mut charge = json!({"budget_id": budget["id"], "reserved": charged, "charged": charged});
    if let Some(lease_id) = lease_id {
        charge["lease_id"] = json!(lease_id);
    }
    charge
}

/// An event of acme with charges.
pub(crate) fn charging(id: &str, charges: Value) -> Value {
    let mut event = event(id, "acme");
    event["charges"] = charges;
    event
}

/// The number of the lease of the first budget in an answer.
pub(crate) fn lease_id(answer: &Value) -> u64 {
    answer["budgets"][0]["lease"]["lease_id"].as_u64().unwrap()
}

/// How much of the first budget in an answer is leased.
pub(crate) fn granted(answer: &Value) -> u64 {
    answer["budgets"][0]["lease"]["granted"].as_u64().unwrap()
}

fn ms(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}
