//! Leases: how a gateway gets a part of a budget, says what it did with it, and gives it back.
//!
//! Two endpoints, and a field of every event:
//!
//! | call | when | answer |
//! |---|---|---|
//! | `POST /v1/leases` [`LeaseRequest`] | a request does not fit the leases in hand | [`LeaseAnswer`], always 200 |
//! | `POST /v1/leases/report` [`LeaseReport`] | on a gateway's tick | [`LeaseReportAnswer`], always 200 |
//! | `POST /v1/events` `charges: [`[`BudgetCharge`]`]` | when an exchange is over | — |
//!
//! Every message may be lost, come twice, or come late. So messages carry totals since a lease began, never
//! differences: a total that is heard twice changes nothing the second time, and one that is lost is in the
//! next message. `granted` and `settled` are the ledger's to say, `returned` and `used` the gateway's.
//! What they mean for the ledger is in [`crate::budget::ledger`].

use serde::{Deserialize, Serialize};

use crate::budget::{Amounts, Enforcement, Facts, OnUnavailable, Period, Unit};

/// Most holds in a message.
pub const MAX_HOLDS: usize = 1_000;

/// A lease, numbered by the ledger from 1 on. Of two leases of one budget the one with the higher number is the
/// newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct LeaseId(pub u64);

/// `POST /v1/leases`: what a waiting request needs.
///
/// The ledger finds every budget that applies to `facts` (creating those that a template makes) and in one
/// transaction grows the leases of all hard ones, or of none: [`crate::budget::ledger::grant`]. Where that
/// says that money may come back, the sidecar holds the call and tries again whenever money does come back, for
/// at most `wait_ms`, before it answers that a budget is exhausted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// The client's request, for the log.
    pub request_id: String,
    /// The gateway's name in its configuration.
    pub gateway_id: String,
    /// This Envoy process: random, chosen when its shared data was made. Leases belong to it.
    pub instance: String,
    /// What the request is paid by.
    pub facts: Facts,
    /// What the request needs.
    pub need: Amounts,
    /// With how little it would go on: less only in output tokens. The same as `need` where it may not be cut.
    pub least: Amounts,
    /// How long the call may be held for money to come back, in milliseconds.
    pub wait_ms: u64,
    /// Leases in hand that the request might be paid from; empty where its budgets are not known yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<LeaseHold>,
}

/// A lease as the gateway that has it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseHold {
    /// The budget.
    pub budget_id: String,
    /// The lease.
    pub lease_id: LeaseId,
    /// How much was given back since the lease began.
    pub returned: u64,
    /// How much was charged since the lease began, plus what is reserved now.
    pub used: u64,
    /// How much requests that wait now need together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u64,
    /// How much the last few seconds cost, or would have at the fastest pace in them: a good size for a lease.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recent: u64,
    /// The gateway will never reserve from it again, and nothing is reserved from it now: what was granted
    /// beyond `used` is given back, also what the gateway has not heard of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
}

/// Answer to [`LeaseRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeaseAnswer {
    /// Version of all budgets' definitions. What a gateway remembers of budgets under an older one, it asks for
    /// again.
    pub version: u64,
    /// Every budget that applies, caps for single requests and soft ones included.
    pub budgets: Vec<AppliedBudget>,
    /// Why no lease grew, where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Exhausted>,
}

/// A budget that applies to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedBudget {
    /// Its id, e.g. `bud_01J…`; at most 64 bytes.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it is counted per: [`crate::budget::Subject::scope`].
    pub scope: String,
    /// What it counts.
    pub unit: Unit,
    /// Its period. A [`Period::Request`] caps each request at `amount` and is not leased.
    pub period: Period,
    /// How much there is in the period.
    pub amount: u64,
    /// How much of that is charged.
    pub spent: u64,
    /// Milliseconds until the period ends; absent where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_ends_in_ms: Option<u64>,
    /// Whether it refuses. A soft budget is not leased.
    pub enforcement: Enforcement,
    /// What happens while the sidecar is away and the lease is spent.
    pub on_unavailable: OnUnavailable,
    /// In percent of the amount, ascending.
    pub thresholds: Vec<u8>,
    /// The gateway's lease, where the budget is leased and there is something to say of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseState>,
}

/// A lease as the ledger sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseState {
    /// The lease.
    pub lease_id: LeaseId,
    /// How much was granted since the lease began.
    pub granted: u64,
    /// How much of it the ledger has charged.
    pub settled: u64,
    /// Milliseconds for which the gateway may reserve from it, counted from when it asked: then no clock has to
    /// agree with another.
    pub expires_in_ms: u64,
    /// What may still be done with it.
    #[serde(default)]
    pub status: LeaseStatus,
    /// The budget is nearly spent: give back at once what is not needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scarce: bool,
}

/// What may still be done with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseStatus {
    /// Reserve from it.
    #[default]
    Open,
    /// Settle what is reserved from it, and report it done then; the next request gets a new lease.
    Retired,
    /// Forget it: it is done, or it expired and the ledger took the rest back.
    Closed,
}

/// A budget that cannot pay a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhausted {
    /// One of [`LeaseAnswer::budgets`].
    pub budget_id: String,
    /// How much this gateway could have had: less than `least`.
    pub available: u64,
    /// Whether more may come back from reservations that are open now; if not, only the next period, a deposit
    /// or a larger amount helps.
    pub may_return: bool,
}

/// `POST /v1/leases/report`: what a gateway holds. Renews leases, gives back what is idle, closes what is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReport {
    /// The gateway's name in its configuration.
    pub gateway_id: String,
    /// This Envoy process.
    pub instance: String,
    /// At most [`MAX_HOLDS`].
    pub holds: Vec<LeaseHold>,
}

/// Answer to [`LeaseReport`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeaseReportAnswer {
    /// Version of all budgets' definitions.
    pub version: u64,
    /// One entry a hold, in any order.
    pub leases: Vec<ReportedLease>,
}

/// What the ledger says to a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedLease {
    /// The budget.
    pub budget_id: String,
    /// Its amount, of the period that the lease is for.
    pub amount: u64,
    /// How much of that is charged.
    pub spent: u64,
    /// Milliseconds until that period ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_ends_in_ms: Option<u64>,
    /// The lease.
    pub lease: LeaseState,
}

/// What an exchange costs one budget, in the exchange's event. The ledger applies an event's charges once, when
/// it first sees the `event_id`: [`crate::budget::ledger::Account::settle`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetCharge {
    /// The budget.
    pub budget_id: String,
    /// The lease that it was reserved from, and with it the period. Absent for a soft budget, and for a debt: the
    /// sidecar was away, and policy let the request pass. Then the period is that of the event's `time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<LeaseId>,
    /// What was reserved before the call.
    pub reserved: u64,
    /// What is charged.
    pub charged: u64,
}

const fn is_zero(amount: &u64) -> bool {
    *amount == 0
}

// === impl LeaseAnswer ===

impl LeaseAnswer {
    /// A budget of the answer.
    pub fn budget(&self, id: &str) -> Option<&AppliedBudget> {
        self.budgets.iter().find(|budget| budget.id == id)
    }
}
