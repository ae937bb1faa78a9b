//! The rows of accounts and leases, and what they are to the rules of `tollgate_core::budget::ledger`.

use sqlx::types::Json;
use tollgate_core::budget::Window;
use tollgate_core::budget::ledger::{Lease, Stage};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::LeaseId;

use super::raises::AccountRaise;
use super::{LedgerError, amount, millis, number};

/// A row of `budget_accounts`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct AccountRow {
    pub(super) id: i64,
    pub(super) budget_id: String,
    pub(super) window_start: i64,
    pub(super) window_end: Option<i64>,
    pub(super) amount: i64,
    pub(super) spent: i64,
    pub(super) leased: i64,
    pub(super) overrun: i64,
    pub(super) debt: i64,
    pub(super) told: Json<Vec<u8>>,
    pub(super) round: i64,
    pub(super) raises: Json<Vec<AccountRaise>>,
}

/// A row of `leases`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct LeaseRow {
    pub(super) id: i64,
    pub(super) account_id: i64,
    pub(super) gateway_id: String,
    pub(super) instance: String,
    pub(super) granted: i64,
    pub(super) settled: i64,
    pub(super) returned: i64,
    pub(super) used: i64,
    pub(super) need: i64,
    pub(super) opened_at: i64,
    pub(super) expires_at: i64,
    pub(super) stage: String,
}

/// An account that is not there yet. In this order they are made, always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NewAccount {
    pub(super) budget_id: String,
    pub(super) window: Window,
}

// === impl AccountRow ===

impl AccountRow {
    pub(super) fn spent(&self) -> u64 {
        amount(self.spent)
    }

    pub(super) fn leased(&self) -> u64 {
        amount(self.leased)
    }

    pub(super) fn overrun(&self) -> u64 {
        amount(self.overrun)
    }

    pub(super) fn debt(&self) -> u64 {
        amount(self.debt)
    }

    /// Of which budget and which window it is.
    pub(super) fn key(&self) -> (&str, UnixMillis) {
        (&self.budget_id, millis(self.window_start))
    }

    /// Whether it is a budget's account of a window.
    pub(super) fn is_at(&self, budget_id: &str, start: UnixMillis) -> bool {
        self.budget_id == budget_id && self.window_start == number(start.0)
    }
}

// === impl LeaseRow ===

impl LeaseRow {
    pub(super) fn lease_id(&self) -> LeaseId {
        LeaseId(amount(self.id))
    }

    pub(super) fn new(lease: &Lease, account_id: i64, gateway_id: String) -> Self {
        Self {
            id: number(lease.id.0),
            account_id,
            gateway_id,
            instance: lease.instance.clone(),
            granted: number(lease.granted),
            settled: number(lease.settled),
            returned: number(lease.returned),
            used: number(lease.used),
            need: number(lease.need),
            opened_at: number(lease.opened_at.0),
            expires_at: number(lease.expires_at.0),
            stage: match lease.stage {
                Stage::Open => "open",
                Stage::Done => "done",
                Stage::Closed => "closed",
            }
            .to_owned(),
        }
    }
}

// === impl Lease ===

impl TryFrom<LeaseRow> for Lease {
    type Error = LedgerError;

    fn try_from(row: LeaseRow) -> Result<Self, LedgerError> {
        let stage = match row.stage.as_str() {
            "open" => Stage::Open,
            "done" => Stage::Done,
            "closed" => Stage::Closed,
            _ => {
                return Err(LedgerError::Foreign {
                    table: "leases",
                    id: row.id.to_string(),
                    column: "stage",
                });
            }
        };
        Ok(Self {
            id: row.lease_id(),
            instance: row.instance,
            granted: amount(row.granted),
            settled: amount(row.settled),
            returned: amount(row.returned),
            used: amount(row.used),
            need: amount(row.need),
            opened_at: millis(row.opened_at),
            expires_at: millis(row.expires_at),
            stage,
        })
    }
}
