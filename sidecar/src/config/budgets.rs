//! Budgets in the configuration: how they are leased.

use tollgate_core::budget::ledger::LeaseRules;

use super::spec::BudgetsSpec;

/// How budgets are leased.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    /// How leases are cut.
    pub leases: LeaseRules,
}

// === impl Budgets ===

impl From<&BudgetsSpec> for Budgets {
    fn from(spec: &BudgetsSpec) -> Self {
        Self {
            leases: LeaseRules {
                ttl_ms: spec.lease_ttl.millis(),
                grace_ms: spec.lease_grace.millis(),
                max_age_ms: spec.lease_max_age.millis(),
                ..LeaseRules::default()
            },
        }
    }
}
