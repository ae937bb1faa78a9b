//! Callers that ask again and again, and how long they waited.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// How long each is measured, after a tenth of it to warm up.
const SPAN: Duration = Duration::from_secs(5);
/// Calls under way at a time.
pub(crate) const CALLERS: usize = 16;

/// One call of a caller, by the caller's number and the call's; answers how much it came to.
pub(crate) trait Load: Clone + Send + 'static {
    fn call(&self, caller: usize, call: u64) -> impl Future<Output = u64> + Send;
}

impl<F, C> Load for F
where
    F: Fn(usize, u64) -> C + Clone + Send + Sync + 'static,
    C: Future<Output = u64> + Send,
{
    fn call(&self, caller: usize, call: u64) -> impl Future<Output = u64> + Send {
        self(caller, call)
    }
}

/// What calls came to.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// How long each took, in order, without those of the warming up.
    times: Vec<Duration>,
    /// What those came to.
    done: u64,
    /// What all came to, the warming up and the last ones included.
    all: u64,
}

// === impl Measured ===

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.done as f64 / SPAN.as_secs_f64()
    }

    /// What all calls came to, those of the warming up included: processor time is of all.
    pub(crate) fn all(&self) -> f64 {
        self.all as f64
    }

    /// In milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.times.len() * percent).div_ceil(100).saturating_sub(1);
        self.times
            .get(at)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// Has callers ask again and again.
pub(crate) async fn load(callers: usize, call: impl Load) -> Measured {
    let warm = Instant::now() + SPAN / 10;
    let until = warm + SPAN;
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let call = call.clone();
        running.spawn(async move {
            let mut measured = Measured::default();
            for number in 0.. {
                let began = Instant::now();
                let count = call.call(caller, number).await;
                measured.all += count;
                let now = Instant::now();
                if now >= until {
                    break;
                }
                if now >= warm {
                    measured.done += count;
                    measured.times.push(now - began);
                }
            }
            measured
        });
    }
    let mut all = Measured::default();
    for one in running.join_all().await {
        all.times.extend(one.times);
        all.done += one.done;
        all.all += one.all;
    }
    all.times.sort_unstable();
    all
}
