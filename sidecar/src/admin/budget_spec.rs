//! Budgets as operators write them: strict, and checked field by field.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_core::budget::{
    Budget, BudgetError, BudgetSpec, Enforcement, OnUnavailable, Period, check_name, check_thresholds,
};

use crate::budget_check::{self, field_of};
use crate::http::problem::{FieldError, Problem};

/// `PATCH /admin/v1/budgets/{id}`: what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BudgetPatch {
    /// For people.
    name: Option<String>,
    /// How much there is in a period, the one of now included. May be less than is spent.
    amount: Option<String>,
    /// In percent, ascending.
    thresholds: Option<Vec<u8>>,
    /// Whether it refuses or only counts.
    enforcement: Option<Enforcement>,
    /// What happens while the sidecar is away and the lease is spent.
    on_unavailable: Option<OnUnavailable>,
}

/// `POST /admin/v1/budgets/{id}/deposits`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDeposit {
    /// How much: a decimal string.
    pub(super) amount: String,
}

// === impl BudgetPatch ===

impl BudgetPatch {
    /// Makes of a budget what this says.
    ///
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    pub(super) fn apply(&self, budget: &mut Budget) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if let Some(name) = &self.name {
            collect(&mut errors, check_name(name));
            budget.name.clone_from(name);
        }
        if let Some(text) = &self.amount {
            match budget.unit.parse_amount(text) {
                Ok(0) if budget.period != Period::Total => {
                    collect(&mut errors, Err(BudgetError::Nothing));
                }
                Ok(amount) => budget.amount = amount,
                Err(error) => collect(&mut errors, Err(error.into())),
            }
        }
        if let Some(thresholds) = &self.thresholds {
            collect(&mut errors, check_thresholds(thresholds));
            budget.thresholds.clone_from(thresholds);
        }
        budget.enforcement = self.enforcement.unwrap_or(budget.enforcement);
        budget.on_unavailable = self.on_unavailable.unwrap_or(budget.on_unavailable);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(errors))
        }
    }
}

/// Checks a new budget.
///
/// # Errors
/// A [`Problem`] with the field that is wrong.
pub(super) fn check(spec: BudgetSpec) -> Result<Budget, Problem> {
    budget_check::check(spec)
        .map_err(|(field, detail)| Problem::invalid(vec![FieldError::at(&field, detail)]))
}

fn collect(errors: &mut Vec<FieldError>, checked: Result<(), BudgetError>) {
    if let Err(error) = checked {
        let (field, detail) = field_of(&error);
        errors.push(FieldError::at(&field, detail));
    }
}
