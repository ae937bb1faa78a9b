//! What gateways ask of the ledger and tell it about their leases.

use tollgate_core::budget::ledger::{Ask, Denied, Line, Stage, grant};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{
    AppliedBudget, Exhausted, LeaseAnswer, LeaseHold, LeaseId, LeaseReport, LeaseReportAnswer, LeaseRequest,
    LeaseState, ReportedLease,
};

use crate::fault::Fault;
use crate::store::{AccountKey, Store, is_leased};

/// A budget that has refused a request counts as spent from this part of its amount on, in percent.
const NEARLY_SPENT: u64 = 80;

/// What a question for money comes to.
pub(crate) enum Asked {
    /// Leases have grown, or there is nothing to pay.
    Granted(LeaseAnswer),
    /// A budget cannot pay.
    Denied(LeaseAnswer),
}

// === impl Store ===

impl Store {
    /// `POST /v1/leases`. `is_again` where the same question was denied before.
    pub(crate) fn ask(&mut self, request: &LeaseRequest, is_again: bool, now: UnixMillis) -> Asked {
        let now = self.beat(now);
        let applied: Vec<usize> = self.applying(&request.facts);
        let mut hard = applied.clone();
        hard.retain(|at| is_leased(&self.budgets[*at]));
        let keys: Vec<AccountKey> = hard.iter().map(|at| self.account_of_now(*at, now)).collect();
        let mut lines: Vec<Line> = keys.iter().map(|key| self.line(*key)).collect();
        for line in &mut lines {
            self.reclaim(line, now);
        }
        let holds = if is_again {
            renewed(&lines, &request.holds)
        } else {
            request.holds.clone()
        };
        let ask = Ask {
            holds: &holds,
            ..Ask::from(request)
        };
        let result = self.grant(&mut lines, &ask, now);
        for (key, line) in keys.iter().zip(&lines) {
            self.write(*key, line);
        }
        if let Err(denied) = result {
            let account = &self.accounts[&keys[denied.line]];
            let is_spent = account.spent * 100 >= account.amount * NEARLY_SPENT;
            self.cross(keys[denied.line], !denied.may_return && is_spent);
        }
        let exhausted = result.err().map(|denied| Exhausted {
            budget_id: lines[denied.line].budget_id.clone(),
            available: denied.available,
            may_return: denied.may_return,
        });
        let answer = LeaseAnswer {
            version: self.version,
            budgets: applied
                .iter()
                .map(|at| self.applied(*at, &request.instance, now))
                .collect(),
            exhausted,
        };
        if answer.exhausted.is_some() {
            Asked::Denied(answer)
        } else {
            Asked::Granted(answer)
        }
    }

    /// `POST /v1/leases/report`.
    pub(crate) fn report(&mut self, report: &LeaseReport, now: UnixMillis) -> LeaseReportAnswer {
        let now = self.beat(now);
        LeaseReportAnswer {
            version: self.version,
            leases: report
                .holds
                .iter()
                .map(|hold| self.report_one(&report.instance, hold, now))
                .collect(),
        }
    }

    fn grant(&mut self, lines: &mut [Line], ask: &Ask<'_>, now: UnixMillis) -> Result<(), Denied> {
        let (rules, fault) = (self.rules, self.fault);
        let last = &mut self.last_lease;
        let mut next_id = || {
            *last += 1;
            LeaseId(*last)
        };
        let amounts: Vec<u64> = lines.iter().map(|line| line.account.amount).collect();
        if fault == Some(Fault::GrantWithoutRoom) {
            for line in lines.iter_mut() {
                line.account.amount *= 2;
            }
        }
        let result = if fault == Some(Fault::GrantOneByOne) {
            (0..lines.len()).try_for_each(|at| {
                grant(&mut lines[at..=at], ask, now, &rules, &mut next_id)
                    .map_err(|denied| Denied { line: at, ..denied })
            })
        } else {
            grant(lines, ask, now, &rules, &mut next_id)
        };
        for (line, amount) in lines.iter_mut().zip(amounts) {
            line.account.amount = amount;
        }
        result
    }

    fn report_one(&mut self, instance: &str, hold: &LeaseHold, now: UnixMillis) -> ReportedLease {
        let Some(key) = self.leases.get(&hold.lease_id).map(|(key, _)| *key) else {
            return ReportedLease {
                budget_id: hold.budget_id.clone(),
                amount: 0,
                spent: 0,
                period_ends_in_ms: None,
                lease: LeaseState::closed(hold),
            };
        };
        let mut line = self.line(key);
        self.reclaim(&mut line, now);
        let leased = line.account.leased;
        let mut hold = hold.clone();
        if self.fault == Some(Fault::ReturnTwice) {
            hold.returned *= 2;
        }
        let lease = line.report(instance, &hold, now, &self.rules);
        if self.fault == Some(Fault::ReturnWithoutSubtracting) {
            line.account.leased = line.account.leased.max(leased);
        }
        let reported = ReportedLease {
            budget_id: hold.budget_id,
            amount: line.account.amount,
            spent: line.account.spent,
            period_ends_in_ms: line.account.window.left_ms(now),
            lease,
        };
        self.write(key, &line);
        reported
    }

    fn applied(&mut self, at: usize, instance: &str, now: UnixMillis) -> AppliedBudget {
        let key = self.account_of_now(at, now);
        let (budget, account) = (&self.budgets[at], &self.accounts[&key]);
        AppliedBudget {
            id: budget.name.clone(),
            name: budget.name.clone(),
            scope: budget.subject.scope(),
            unit: budget.unit,
            period: budget.period,
            amount: account.amount,
            spent: account.spent,
            period_ends_in_ms: account.window.left_ms(now),
            enforcement: budget.enforcement,
            on_unavailable: budget.on_unavailable,
            thresholds: budget.thresholds.clone(),
            lease: if is_leased(budget) {
                self.line(key).state_for(instance, now, &self.rules)
            } else {
                None
            },
        }
    }
}

/// What a gateway held when it asked, as the ledger knows it now: a report may have come since.
fn renewed(lines: &[Line], holds: &[LeaseHold]) -> Vec<LeaseHold> {
    let mut holds = holds.to_vec();
    for hold in &mut holds {
        let mut leases = lines.iter().flat_map(|line| &line.leases);
        if let Some(lease) = leases.find(|lease| lease.id == hold.lease_id) {
            hold.used = lease.used;
            hold.returned = lease.returned;
            hold.done = lease.stage == Stage::Done;
        }
    }
    holds
}
