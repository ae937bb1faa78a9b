//! Whether a refusal had a reason.

use tollgate_core::refusal::Code;
use tollgate_core::wire::LeaseRequest;

use crate::rule::Rule;
use crate::store::{self, AccountKey};
use crate::world::World;

/// What the ledger has said of a budget is believed for so long, and an answer takes its time.
const BELIEVED_MS: u64 = 1_100;

// === impl World ===

impl World {
    /// On a calm day a request is refused only where there was no money for it: at some moment between what the
    /// gateway last heard before it came and the refusal, less was left than it needs at least.
    pub(crate) fn check_refusal(&mut self, number: u64, code: Code) {
        if !self.plan.weather.is_calm() {
            return;
        }
        let underway = self.requests[&number].clone();
        if code != Code::BudgetExceeded {
            self.books.break_rule(Rule::RefusedForAReason, || {
                format!("{code:?} on a calm day: {underway:?}")
            });
            return;
        }
        let since = underway.since.saturating_sub(BELIEVED_MS);
        let Some(asked) = underway.asked.or_else(|| self.like(number)) else {
            return;
        };
        let mut left = Vec::new();
        let mut was_tight = false;
        for at in self.store.applying(&asked.facts) {
            let budget = &self.store.budgets[at];
            let least = asked.least.of(budget.unit);
            for key in self.accounts_since(at, since) {
                let least_left = self.left.least_since(key, since).unwrap_or(0);
                was_tight |= store::is_leased(budget) && least_left < least;
                left.push((key, least_left));
            }
        }
        if !was_tight {
            self.books.break_rule(Rule::RefusedForAReason, || {
                format!(
                    "request {number} needs {:?}, and there was always more left: {left:?}",
                    asked.least
                )
            });
        }
    }

    /// The accounts that a budget has had since a moment: more than one where a period ended meanwhile.
    fn accounts_since(&self, at: usize, since: u64) -> Vec<AccountKey> {
        let since = self.store.time(self.plan.begins_at.plus(since));
        let accounts = self.store.accounts.iter();
        accounts
            .filter(|((of, _), account)| *of == at && !account.window.is_over(since))
            .map(|(key, _)| *key)
            .collect()
    }

    /// What another request of the same kind has asked: a request that is refused without a question needs the
    /// same.
    fn like(&self, number: u64) -> Option<LeaseRequest> {
        let request = &self.requests[&number].request;
        self.requests.values().find_map(|other| {
            let is_like = other.request.workspace == request.workspace
                && other.request.max_tokens == request.max_tokens
                && other.request.tier == request.tier
                && other.prices == self.requests[&number].prices;
            other.asked.clone().filter(|_| is_like)
        })
    }
}
