//! The model: whether this caller may have it, what stands in for it while a budget runs low, and what it costs.

use crate::budget::purse::{BudgetSet, Standing};
use crate::config::Config;
use crate::dialect::Request;
use crate::exchange::prepared::Quoted;
use crate::exchange::{Env, Exchange};
use crate::refusal::{Code, Refusal};

// === impl Exchange ===

impl Exchange {
    /// The model that the provider is asked for, and what it costs: the one that the client named, if this caller may
    /// have it, or a cheaper one while a budget runs low.
    pub(super) fn choose_model(
        &mut self,
        config: &Config,
        request: &Request<'_>,
        env: &mut Env<'_>,
    ) -> Result<(String, Quoted), Refusal> {
        let requested = requested_model(request);
        let model = config.resolve_alias(requested);
        self.check_models(request, requested, model)?;
        let Some(quoted) = self.quote(model) else {
            let message = format!(
                "the price of the model `{model}` is not known here; use another model, or have it added"
            );
            return Err(Refusal::new(Code::ModelNotAllowed, message).at("model"));
        };
        Ok(self
            .downgrade(model, env)
            .unwrap_or_else(|| (model.to_owned(), quoted)))
    }

    /// Every model that may answer must be allowed: the one asked for, and those named to stand in for it.
    fn check_models(&self, request: &Request<'_>, requested: &str, model: &str) -> Result<(), Refusal> {
        let Some(identity) = &self.identity else {
            return Ok(());
        };
        let mut fallbacks = request.fallback_models.iter().map(AsRef::as_ref);
        let refused = fallbacks
            .find(|name| !identity.may_call(name))
            .or_else(|| (!identity.may_call(requested) && !identity.may_call(model)).then_some(requested));
        match refused {
            None => Ok(()),
            Some(name) => Err(Refusal::new(
                Code::ModelNotAllowed,
                format!(
                    "this API key may not call the model `{name}`; it may call {}",
                    identity.models.join(", ")
                ),
            )
            .at("model")),
        }
    }

    /// What a model costs at the provider of this request; `None` where that is not known.
    fn quote(&self, model: &str) -> Option<Quoted> {
        let destination = self.request.destination.as_ref()?;
        let (price, is_fallback) = self.config.quote(&destination.provider, model).price()?;
        Some(Quoted {
            price: Box::new(price.clone()),
            is_fallback,
        })
    }

    /// What stands in for a model as its budgets stand, as far as they are known here, and what that costs. Decided
    /// before anything is taken for the request.
    fn downgrade(&mut self, model: &str, env: &mut Env<'_>) -> Option<(String, Quoted)> {
        if self.config.budgets.downgrades.is_empty() || self.config.sidecar.is_none() {
            return None;
        }
        let facts = self.budget_facts(model);
        let now = env.now.millis();
        // A budget that ran low while the sidecar was there has not recovered since it went away.
        let set = env.money.latest_set(env.cells, &facts, now)?;
        let (cheaper, quoted) = self.cheaper(&set, model, env)?;
        self.warnings
            .push(format!("model {model} replaced by {cheaper}: a budget runs low"));
        self.downgraded = Some(cheaper.clone());
        Some((cheaper, quoted))
    }

    /// Whether a request that was decided before its budgets were known would now get another model. True once at
    /// most.
    pub(super) fn should_reconsider(&mut self, set: &BudgetSet, model: &str, env: &Env<'_>) -> bool {
        if self.is_reconsidered || self.downgraded.is_some() || self.cheaper(set, model, env).is_none() {
            return false;
        }
        self.is_reconsidered = true;
        true
    }

    /// What the configuration puts in a model's place while these budgets stand as they do, if this caller may call
    /// it and its price is known.
    fn cheaper(&self, set: &BudgetSet, model: &str, env: &Env<'_>) -> Option<(String, Quoted)> {
        let downgrades = &self.config.budgets.downgrades;
        if downgrades.is_empty() {
            return None;
        }
        let standings = env.money.standings(env.cells, set).ok()?;
        let left = standings.iter().map(Standing::percent_left).min()?;
        let facts = self.facts(Some(model))?;
        let cheaper = downgrades.cheaper(&facts, model, left)?;
        let is_allowed = self
            .identity
            .as_ref()
            .is_none_or(|identity| identity.may_call(cheaper));
        is_allowed.then(|| Some((cheaper.to_owned(), self.quote(cheaper)?)))?
    }
}

/// The model that a request names; empty where it names none.
pub(super) fn requested_model<'a>(request: &'a Request<'_>) -> &'a str {
    request.model.as_ref().map_or("", |model| &model.name)
}
