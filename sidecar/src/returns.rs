//! Money that comes back to budgets, and the calls that wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

/// Entries without a waiting call are dropped whenever there are so many more than at the last time.
const SWEEP_EVERY: usize = 64;

/// How often the calls that wait for one budget look for themselves, all together; each of them does at least every
/// [`LOOK_AT_LEAST`].
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_AT_LEAST: Duration = Duration::from_secs(2);

/// The calls of this process that wait for money to come back to a budget. Who has waited longest is told first, and
/// passes the news on when it got what it needs: a crowd that tried at once would only be in each other's way. What
/// another sidecar on the same database hears of is not announced here: who waits looks for itself now and then.
#[derive(Debug, Default)]
pub struct Returns {
    waiting: Mutex<HashMap<String, Weak<Notify>>>,
}

// === impl Returns ===

impl Returns {
    /// Waits until it is time to try again: money came back to a budget, or may have where nobody told. At most for
    /// `patience`.
    pub async fn wait(&self, budget_id: &str, patience: Duration) {
        let notify = self.of(budget_id);
        let waiting = u32::try_from(Arc::strong_count(&notify)).unwrap_or(u32::MAX);
        let look = LOOK_EVERY.saturating_mul(waiting).min(LOOK_AT_LEAST);
        // Too late is as good as in time: the caller looks for itself.
        let _ = tokio::time::timeout(look.min(patience), notify.notified()).await;
    }

    /// Money has come back to these budgets, or is left of what did.
    pub fn announce(&self, budget_ids: &[String]) {
        if budget_ids.is_empty() {
            return;
        }
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for notify in budget_ids.iter().filter_map(|id| waiting.get(id)?.upgrade()) {
            notify.notify_one();
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
    use tokio::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_is_told_first_and_the_others_wait_on() {
        let returns = Returns::default();
        let began = Instant::now();
        let waiting = |budget: &'static str| {
            let returns = &returns;
            async move {
                returns.wait(budget, LONG).await;
                began.elapsed()
            }
        };
        let announcing = async {
            tokio::task::yield_now().await;
            returns.announce(&["a".to_owned()]);
        };
        let (first, second, other, ()) = tokio::join!(waiting("a"), waiting("a"), waiting("b"), announcing);
        assert_eq!(first, Duration::ZERO);
        assert!(second >= LOOK_EVERY && other >= LOOK_EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn the_more_wait_the_less_often_each_looks_for_itself() {
        let returns = Returns::default();
        let began = Instant::now();
        let first = returns.of("a");
        returns.wait("a", LONG).await;
        assert_eq!(began.elapsed(), LOOK_EVERY * 2);
        let crowd = vec![first; 100];
        returns.wait("a", LONG).await;
        assert_eq!(began.elapsed(), LOOK_EVERY * 2 + LOOK_AT_LEAST);
        drop(crowd);
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
