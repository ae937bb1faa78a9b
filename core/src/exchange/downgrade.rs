//! A cheaper model while a budget of the request runs low: decided before anything is taken for it.

use crate::budget::purse::{BudgetSet, Standing};
use crate::exchange::{Env, Exchange};
use crate::glob;

// === impl Exchange ===

impl Exchange {
    /// The model to ask the provider for: the chosen one, or what stands in for it as its budgets stand, as far
    /// as they are known here.
    pub(super) fn downgrade(&mut self, chosen: String, env: &mut Env<'_>) -> String {
        if self.config.budgets.downgrades.is_empty() || self.config.sidecar.is_none() {
            return chosen;
        }
        let facts = self.budget_facts(&chosen);
        let now = env.now.millis();
        let known = env.money.set(env.cells, &facts, now);
        // A budget that ran low while the sidecar was there has not recovered since it went away.
        let Some(set) = known.or_else(|| env.money.stale_set(env.cells, &facts, now)) else {
            return chosen;
        };
        let Some(cheaper) = self.cheaper(&set, &chosen, env) else {
            return chosen;
        };
        self.warnings
            .push(format!("model {chosen} replaced by {cheaper}: a budget runs low"));
        self.downgraded = Some(cheaper.clone());
        cheaper
    }

    /// Whether a request, decided before its budgets were known, would now get another model. True once at most.
    pub(super) fn should_reconsider(&mut self, set: &BudgetSet, model: &str, env: &Env<'_>) -> bool {
        if self.is_reconsidered || self.downgraded.is_some() || self.cheaper(set, model, env).is_none() {
            return false;
        }
        self.is_reconsidered = true;
        true
    }

    fn cheaper(&self, set: &BudgetSet, model: &str, env: &Env<'_>) -> Option<String> {
        let downgrades = &self.config.budgets.downgrades;
        if downgrades.is_empty() {
            return None;
        }
        let standings = env.money.standings(env.cells, set).ok()?;
        let left = standings.iter().map(Standing::percent_left).min()?;
        let facts = self.facts(Some(model))?;
        let cheaper = downgrades.cheaper(&facts, model, left)?;
        let is_allowed = self.identity.as_ref().is_none_or(|identity| {
            identity.models.is_empty() || identity.models.iter().any(|glob| glob::matches(glob, cheaper))
        });
        let provider = self.destination().map_or("", |destination| destination.provider);
        let is_priced = self.config.quote(provider, cheaper).price().is_some();
        (is_allowed && is_priced).then(|| cheaper.to_owned())
    }
}
