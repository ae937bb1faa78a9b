//! Budgets: what the request may cost at most is reserved before the provider is called.

use std::rc::Rc;

use crate::budget::purse::{BudgetSet, NotReserved, Standing, Waiting, WhenShort, affordable_output};
use crate::budget::{Amounts, Facts};
use crate::config::{Config, OnUnavailable};
use crate::exchange::prepared::Prepared;
use crate::exchange::step::{Answer, Ask, Step};
use crate::exchange::{Env, Exchange, Phase};
use crate::refusal::{Code, Refusal};
use crate::time::UnixMillis;
use crate::wire::{LeaseAnswer, LeaseRequest};

/// How often a request asks the ledger when other requests take what it was given.
const MAX_QUESTIONS: u8 = 4;

/// A request that waits for the ledger.
pub(super) struct Funding {
    prepared: Box<Prepared>,
    facts: Facts,
    waiting: Waiting,
    asked_at: UnixMillis,
}

/// How far a request has come in finding its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tries {
    questions: u8,
    /// The ledger did not answer.
    is_away: bool,
}

// === impl Exchange ===

impl Exchange {
    /// Reserves from every budget that applies, or asks the ledger for more.
    pub(super) fn fund(
        &mut self,
        prepared: Box<Prepared>,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        if self.config.sidecar.is_none() || !env.money.is_needed(env.cells) {
            return self.judge_prompt(prepared, body, env);
        }
        let facts = self.budget_facts(prepared.model());
        let Some(set) = prepared.tries.set(&facts, env) else {
            return self.fund_from_unknown(prepared, facts, body, env);
        };
        if set.budgets().is_empty() {
            return self.judge_prompt(prepared, body, env);
        }
        // As long as nobody was asked, the budgets stand as they did when the model was chosen.
        if prepared.tries.questions > 0 && self.should_reconsider(&set, prepared.model(), env) {
            // Limits and rules may be others for the model that stands in.
            prepared.cancel(&self.config, env);
            return self.decide(body, env);
        }
        self.fund_from(&set, prepared, facts, body, env)
    }

    /// Nobody here knows which budgets apply.
    fn fund_from_unknown(
        &mut self,
        prepared: Box<Prepared>,
        facts: Facts,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        if !prepared.tries.is_away {
            return Ok(self.ask_for_lease(prepared, None, facts, env));
        }
        // What may be a hard budget's money is not given away; where nobody has heard of budgets yet, there may be
        // none at all.
        match self.config.budgets.on_unavailable {
            OnUnavailable::Deny if env.money.are_defined() => {
                Err(self.unfunded(*prepared, unavailable(), env))
            }
            OnUnavailable::Deny | OnUnavailable::Allow => self.judge_prompt(prepared, body, env),
        }
    }

    /// Reserves from these budgets, all or nothing, where need be after the ledger was asked for more.
    fn fund_from(
        &mut self,
        set: &BudgetSet,
        mut prepared: Box<Prepared>,
        facts: Facts,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let now = env.now.millis();
        let Tries { questions, is_away } = prepared.tries;
        let least = || Self::need(&prepared, self.least_output(&prepared));
        if let Some(at) = env.money.denied(set, least, now) {
            let refusal = self.budget_refusal(set, at, env);
            return Err(self.unfunded(*prepared, refusal, env));
        }
        let need = Self::need(&prepared, prepared.reserved_output());
        let when_short = if is_away {
            WhenShort::Policy
        } else {
            WhenShort::Ask
        };
        let refusal = match env.money.reserve(env.cells, set, &need, when_short, now) {
            Ok(reservation) => {
                self.tell_standing(&reservation.standings(set));
                prepared.reserve(reservation);
                self.cap_output(&mut prepared);
                return self.judge_prompt(prepared, body, env);
            }
            Err(NotReserved::TooLarge(_)) if self.shrink(&mut prepared, &set.request_caps()) => {
                return self.fund(prepared, body, env);
            }
            Err(NotReserved::Short(_)) if !is_away && questions < MAX_QUESTIONS => {
                return Ok(self.ask_for_lease(prepared, Some(set), facts, env));
            }
            Err(NotReserved::Short(_)) if is_away => unavailable(),
            Err(NotReserved::TooLarge(at) | NotReserved::Short(at)) => self.budget_refusal(set, at, env),
            Err(NotReserved::Unavailable) => unavailable(),
        };
        Err(self.unfunded(*prepared, refusal, env))
    }

    fn ask_for_lease(
        &mut self,
        mut prepared: Box<Prepared>,
        set: Option<&BudgetSet>,
        facts: Facts,
        env: &mut Env<'_>,
    ) -> Step {
        prepared.tries.questions += 1;
        let need = Self::need(&prepared, prepared.reserved_output());
        let least = Self::need(&prepared, self.least_output(&prepared));
        let wait_ms = self.config.budgets.wait_ms;
        let asked_at = env.now.millis();
        // A purse that cannot be read is asked about all the same: the ledger knows what this Envoy has.
        let (waiting, holds) = env
            .money
            .purse()
            .ask(env.cells, set, &need, wait_ms, asked_at)
            .unwrap_or_default();
        let request = LeaseRequest {
            request_id: self.ids.request.clone(),
            gateway_id: self.config.gateway_id.clone(),
            instance: env.money.instance(env.cells).unwrap_or_default(),
            facts: facts.clone(),
            need,
            least,
            wait_ms,
            holds,
        };
        self.phase = Phase::Funding(Funding {
            prepared,
            facts,
            waiting,
            asked_at,
        });
        Step::Ask(Ask::Lease(Box::new(request)))
    }

    /// The ledger has answered, or has not: the request tries again with its body at hand.
    pub(super) fn lease_answered(
        &mut self,
        answer: Answer<'_>,
        funding: Funding,
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let Funding {
            mut prepared,
            facts,
            waiting,
            asked_at,
        } = funding;
        env.money.purse().stop_waiting(env.cells, waiting);
        if let Answer::Answered { status: 404, .. } = answer {
            // An older sidecar, which keeps no budgets.
            env.money.hear(0);
        }
        let answer = match answer {
            Answer::Answered { status: 200, body } => serde_json::from_slice::<LeaseAnswer>(body).ok(),
            Answer::Answered { .. } | Answer::Unavailable => None,
        };
        match answer {
            None => prepared.tries.is_away = true,
            Some(answer) => {
                if let Err(refusal) = self.take_over(&answer, &facts, asked_at, &mut prepared, env) {
                    return Err(self.unfunded(*prepared, refusal, env));
                }
            }
        }
        self.phase = Phase::Decided(prepared);
        Ok(Step::ReadBody)
    }

    /// Takes over what the ledger has said about a request's budgets, and lowers its output to what it has given.
    fn take_over(
        &mut self,
        answer: &LeaseAnswer,
        facts: &Facts,
        asked_at: UnixMillis,
        prepared: &mut Prepared,
        env: &mut Env<'_>,
    ) -> Result<(), Refusal> {
        let now = env.now.millis();
        let installed = env.money.purse().install(env.cells, answer, asked_at, now);
        installed.map_err(|_| unavailable())?;
        let set = env.money.learn(env.cells, facts, answer, now);
        if let Some(exhausted) = &answer.exhausted {
            let mut budgets = set.budgets().iter();
            let at = budgets.position(|budget| budget.id == exhausted.budget_id);
            return Err(self.budget_refusal(&set, at.unwrap_or(0), env));
        }
        // The ledger may have given less than was asked for, but at least what the request can do with.
        if let Ok(left) = env.money.left(env.cells, &set, now) {
            self.shrink(prepared, &left);
        }
        Ok(())
    }

    /// Lowers the output of a request to what can be paid; false where that is too little to be of use.
    fn shrink(&self, prepared: &mut Prepared, left: &Amounts) -> bool {
        let most = prepared.reserved_output();
        let least = self.least_output(prepared);
        match affordable_output(left, most, |output| Self::need(prepared, output)) {
            Some(output) if output >= least && output < most => {
                prepared.shrink_output(output);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Writes the output cap that was reserved into a body that has none, or a larger one.
    fn cap_output(&mut self, prepared: &mut Prepared) {
        if prepared.cap_output() && prepared.is_shrunk {
            self.warnings.push(format!(
                "max_tokens lowered to {} by a budget",
                prepared.reserved_output()
            ));
        }
    }

    /// What a request can cost at most with so much output, in every unit.
    fn need(prepared: &Prepared, output: u64) -> Amounts {
        let prompt = prepared.prompt_tokens();
        Amounts {
            usd: prepared.cost_at_most(output),
            tokens: prompt.saturating_add(output),
            requests: 1,
        }
    }

    /// The least output that a request is let go with.
    fn least_output(&self, prepared: &Prepared) -> u64 {
        self.config
            .budgets
            .min_output_tokens
            .min(prepared.reserved_output())
    }

    pub(super) fn budget_facts(&self, model: &str) -> Facts {
        let identity = self.identity.as_ref();
        Facts {
            workspace: identity.map(|identity| identity.workspace.clone()),
            user: identity.and_then(|identity| identity.user.clone()),
            key_id: identity.and_then(|identity| identity.key_id.clone()),
            session: self.request.session.clone(),
            model: Some(model.to_owned()),
            tags: self.request.tags.clone(),
            gateway: self.config.gateway_id.clone(),
        }
    }

    /// The request does not go on: what it took is given back.
    fn unfunded(&self, prepared: Prepared, refusal: Refusal, env: &mut Env<'_>) -> Refusal {
        prepared.cancel(&self.config, env);
        refusal
    }

    fn budget_refusal(&mut self, set: &BudgetSet, at: usize, env: &Env<'_>) -> Refusal {
        let standings = env.money.standings(env.cells, set).unwrap_or_default();
        self.tell_standing(&standings);
        let Some(budget) = set.budgets().get(at) else {
            return unavailable();
        };
        let standing = standings.iter().find(|standing| standing.budget.id == budget.id);
        let used = standing.map_or(budget.spent, |standing| standing.used);
        let exceeded = budget.exceeded(used, budget.period_ends_in_ms);
        let reset = budget.period_ends_in_ms.map_or_else(
            || "it does not reset; ask for a deposit or a larger budget".to_owned(),
            |ms| format!("it resets in {} s", ms.div_ceil(1_000)),
        );
        let message = format!(
            "budget `{}` per {} cannot pay this request: {} of {} {} used; {reset}",
            budget.name, budget.scope, exceeded.used, exceeded.limit, exceeded.unit
        );
        let mut refusal = Refusal::new(Code::BudgetExceeded, message).exceeding(exceeded);
        refusal.status = self.config.budgets.status;
        refusal
    }

    /// What the answer's headers tell of the tightest budget; a threshold that it has reached becomes a warning.
    fn tell_standing(&mut self, standings: &[Standing<'_>]) {
        let Some(tightest) = standings.iter().min_by_key(|standing| standing.percent_left()) else {
            return;
        };
        let show = |amount| tightest.budget.unit.show_amount(amount);
        self.budget_headers = vec![
            ("x-tollgate-budget-limit", show(tightest.amount)),
            ("x-tollgate-budget-used", show(tightest.used)),
            ("x-tollgate-budget-remaining", show(tightest.remaining())),
        ];
        if let Some(threshold) = tightest.threshold() {
            let name = &tightest.budget.name;
            self.warnings
                .push(format!("budget {name} is over {threshold} % used"));
        }
    }
}

// === impl Tries ===

impl Tries {
    /// The budgets that apply, as this Envoy knows them: however long ago it learned them, if the ledger cannot say.
    fn set(self, facts: &Facts, env: &mut Env<'_>) -> Option<Rc<BudgetSet>> {
        let now = env.now.millis();
        if self.is_away {
            env.money.latest_set(env.cells, facts, now)
        } else {
            env.money.set(env.cells, facts, now)
        }
    }
}

// === impl Funding ===

impl Funding {
    /// The client left while its request waited.
    pub(super) fn abandon(self, config: &Config, env: &mut Env<'_>) {
        env.money.purse().stop_waiting(env.cells, self.waiting);
        self.prepared.cancel(config, env);
    }
}

fn unavailable() -> Refusal {
    Refusal::new(
        Code::SidecarUnavailable,
        "the budget could not be checked because the sidecar is unavailable; try again shortly",
    )
}
