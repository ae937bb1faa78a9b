//! Money that comes back to budgets, and the calls that wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

/// Entries without a waiting call are dropped whenever there are so many more than at the last time.
const SWEEP_EVERY: usize = 64;

/// The calls of this process that wait for money to come back to a budget. What another sidecar on the same
/// database hears of is not announced here: whoever waits must look for itself now and then.
#[derive(Debug, Default)]
pub struct Returns {
    waiting: Mutex<HashMap<String, Weak<Notify>>>,
}

// === impl Returns ===

impl Returns {
    /// Waits until money comes back to a budget, at most for `patience`.
    pub async fn wait(&self, budget_id: &str, patience: Duration) {
        let notify = self.of(budget_id);
        // Too late is as good as in time: the caller looks for itself.
        let _ = tokio::time::timeout(patience, notify.notified()).await;
    }

    /// Money has come back to these budgets.
    pub fn announce(&self, budget_ids: &[String]) {
        if budget_ids.is_empty() {
            return;
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for notify in budget_ids.iter().filter_map(|id| waiting.get(id)?.upgrade()) {
            notify.notify_waiters();
        }
    }

    fn of(&self, budget_id: &str) -> Arc<Notify> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = waiting.get(budget_id).and_then(Weak::upgrade) {
            return notify;
        }
        if waiting.len() % SWEEP_EVERY == SWEEP_EVERY - 1 {
            waiting.retain(|_, notify| notify.strong_count() > 0);
        }
        let notify = Arc::new(Notify::new());
        waiting.insert(budget_id.to_owned(), Arc::downgrade(&notify));
        notify
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn who_waits_for_a_budget_is_told() {
        let returns = Returns::default();
        let waiting = async {
            returns.wait("a", LONG).await;
        };
        let announcing = async {
            tokio::task::yield_now().await;
            returns.announce(&["b".to_owned(), "a".to_owned()]);
        };
        tokio::join!(waiting, announcing);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_another_budget_waits_on() {
        let returns = Returns::default();
        let began = tokio::time::Instant::now();
        let announcing = async {
            tokio::task::yield_now().await;
            returns.announce(&["b".to_owned()]);
        };
        tokio::join!(returns.wait("a", LONG), announcing);
        assert_eq!(began.elapsed(), LONG);
    }

    #[tokio::test]
    async fn budgets_that_nobody_waits_for_are_forgotten() {
        let returns = Returns::default();
        for budget in 0..10 * SWEEP_EVERY {
            returns.wait(&budget.to_string(), Duration::ZERO).await;
        }
        assert!(returns.waiting.lock().unwrap().len() <= SWEEP_EVERY);
    }
}
