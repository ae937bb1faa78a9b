//! Leases as values: what is granted, what comes back and what is charged, without a database.

mod charging;
mod ending;
mod granting;
mod schedules;

use super::*;
use crate::budget::{Amounts, Enforcement, Window};
use crate::money::NanoUsd;
use crate::wire::{BudgetCharge, LeaseHold, LeaseId, LeaseStatus};

const NOW: UnixMillis = UnixMillis(1_000_000);

fn rules() -> LeaseRules {
    LeaseRules {
        ttl_ms: 10_000,
        grace_ms: 5_000,
        max_age_ms: 60_000,
        share: 4,
        ahead: 8,
    }
}

fn line(amount: u64) -> Line {
    Line {
        budget_id: "b".to_owned(),
        unit: Unit::Usd,
        account: Account::new(Window::EVER, amount, Enforcement::Hard),
        leases: Vec::new(),
        raise_ends: RaiseEnds::default(),
    }
}

fn usd(amount: u64) -> Amounts {
    Amounts {
        usd: NanoUsd(amount),
        ..Amounts::default()
    }
}

fn hold(id: u64, returned: u64, used: u64) -> LeaseHold {
    LeaseHold {
        budget_id: "b".to_owned(),
        lease_id: LeaseId(id),
        returned,
        used,
        waiting: 0,
        recent: 0,
        done: false,
    }
}

fn charge(lease_id: Option<u64>, charged: u64) -> BudgetCharge {
    BudgetCharge {
        budget_id: "b".to_owned(),
        lease_id: lease_id.map(LeaseId),
        reserved: charged,
        charged,
    }
}

/// Asks for one request of a gateway; leases are numbered by how many there are.
fn ask(lines: &mut [Line], instance: &str, need: u64, holds: &[LeaseHold]) -> Result<(), Denied> {
    ask_at(lines, instance, need, need, holds, NOW)
}

fn ask_at(
    lines: &mut [Line],
    instance: &str,
    need: u64,
    least: u64,
    holds: &[LeaseHold],
    now: UnixMillis,
) -> Result<(), Denied> {
    let mut last = lines
        .iter()
        .flat_map(|line| &line.leases)
        .map(|lease| lease.id.0)
        .max()
        .unwrap_or(0);
    let ask = Ask {
        instance,
        need: usd(need),
        least: usd(least),
        holds,
    };
    grant(lines, &ask, now, &rules(), &mut || {
        last += 1;
        LeaseId(last)
    })
}

fn granted(line: &Line) -> Vec<u64> {
    line.leases.iter().map(|lease| lease.granted).collect()
}
