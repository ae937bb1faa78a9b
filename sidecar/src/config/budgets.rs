//! Budgets in the configuration: how they are leased, and which are there from the start.

use tollgate_core::budget::ledger::LeaseRules;
use tollgate_core::budget::{Budget, BudgetSpec, Facet, Period, StartDay, Subject, Unit};
use tollgate_core::config::Fault;

use super::spec::{BudgetsSpec, TiersSpec};
use crate::budget_check::check;

/// How budgets are leased, and which are there from the start.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    /// How leases are cut.
    pub leases: LeaseRules,
    /// Those that are there from the start, tiers included.
    pub defaults: Vec<Budget>,
    /// How many live budgets one template may have made.
    pub max_per_template: u64,
}

// === impl Budgets ===

impl Budgets {
    pub(super) fn compile(spec: &BudgetsSpec, faults: &mut Vec<Fault>) -> Self {
        let mut defaults: Vec<Budget> = Vec::new();
        let tiers = spec.tiers.iter().flat_map(|tiers| {
            let tiers = tiers.budgets().into_iter();
            tiers.map(|tier| ("budgets.tiers".to_owned(), tier))
        });
        let listed = spec.defaults.iter().cloned().enumerate();
        let listed = listed.map(|(i, budget)| (format!("budgets.defaults[{i}]"), budget));
        for (path, budget) in tiers.chain(listed) {
            match check(budget) {
                Ok(budget) if defaults.iter().any(|other| is_same(other, &budget)) => {
                    faults.push(Fault::at(
                        path,
                        "there is another of this subject, unit and period",
                    ));
                }
                Ok(budget) => defaults.push(budget),
                Err((field, message)) => faults.push(Fault::at(format!("{path}.{field}"), message)),
            }
        }
        Self {
            leases: LeaseRules {
                ttl_ms: spec.lease_ttl.millis(),
                grace_ms: spec.lease_grace.millis(),
                max_age_ms: spec.lease_max_age.millis(),
                ..LeaseRules::default()
            },
            defaults,
            max_per_template: spec.max_per_template,
        }
    }
}

// === impl TiersSpec ===

impl TiersSpec {
    fn budgets(&self) -> [BudgetSpec; 2] {
        let tier = |name: &str, subject: Subject, period, tokens: u64| BudgetSpec {
            name: Some(name.to_owned()),
            subject,
            unit: Unit::Tokens,
            period,
            start_day: StartDay::FIRST,
            time_zone: "UTC".to_owned(),
            amount: tokens.to_string(),
            thresholds: None,
            enforcement: tollgate_core::budget::Enforcement::Hard,
            on_unavailable: None,
        };
        // Sessions are named by clients: two workspaces may well name the same.
        let each_workspace = Subject::each([Facet::Workspace]);
        [
            tier(
                "tokens of a request",
                Subject::default(),
                Period::Request,
                self.tokens_per_request,
            ),
            tier(
                "tokens of a session",
                each_workspace,
                Period::Session,
                self.tokens_per_session,
            ),
        ]
    }
}

fn is_same(a: &Budget, b: &Budget) -> bool {
    a.subject == b.subject && a.unit == b.unit && a.period == b.period
}
