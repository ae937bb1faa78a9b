//! Limits: looked at before the body has come, and taken when it is known what the request will take.

use crate::exchange::{Env, Exchange};
use crate::limit::{Demand, Receipt, TakeError};
use crate::refusal::{Code, Refusal};

// === impl Exchange ===

impl Exchange {
    /// Refuses a client that is over a limit before it has sent its body. Takes nothing.
    pub(super) fn check_limits(&mut self, env: &mut Env<'_>) -> Result<(), Refusal> {
        let Some(facts) = self.facts(None) else {
            return Ok(());
        };
        let plan = self.config.limits.select_before_model(&facts);
        if plan.is_empty() {
            return Ok(());
        }
        let checked = self.config.limits.check(env.cells, &plan, env.now.millis());
        checked.map_err(|error| self.limit_refusal(error))
    }

    /// Takes from every limit that the request is under, or from none.
    pub(super) fn take_limits(
        &mut self,
        model: Option<&str>,
        demand: Demand,
        env: &mut Env<'_>,
    ) -> Result<Receipt, Refusal> {
        let now = env.now.millis();
        let Some(facts) = self.facts(model) else {
            return Ok(Receipt::empty());
        };
        let plan = self.config.limits.select(&facts);
        if plan.is_empty() {
            return Ok(Receipt::empty());
        }
        let taken = self.config.limits.take(env.cells, &plan, demand, now);
        let taken = taken.map_err(|error| self.limit_refusal(error))?;
        self.limit_headers = self.config.limits.headers(&taken.standings);
        self.would_refuse = taken.would_refuse.iter().map(ToString::to_string).collect();
        Ok(taken.receipt)
    }

    /// The refusal for limits that refused, whose state the answer's headers will tell.
    fn limit_refusal(&mut self, error: TakeError) -> Refusal {
        match error {
            TakeError::Refused(refused) => {
                let refusal = refused.refusal();
                self.limit_headers = self.config.limits.refusal_headers(&refused);
                self.would_refuse = refused.would_refuse.iter().map(ToString::to_string).collect();
                refusal
            }
            TakeError::Unavailable(_) => Refusal::new(
                Code::SidecarUnavailable,
                "limits could not be checked because the gateway's shared state is unavailable; try again shortly",
            ),
        }
    }
}
