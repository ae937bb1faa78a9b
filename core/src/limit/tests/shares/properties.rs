//! What holds for every schedule of workers that take parts of limits ahead.

use proptest::prelude::*;

use super::*;
use crate::limit::tests::properties::{largest_backlog, largest_window};

/// What a worker does, how much later.
#[derive(Debug, Clone)]
struct Step {
    worker: usize,
    wait_ms: u64,
    tokens: u64,
    /// Which of the requests in flight ends, at how many tokens and at which worker.
    settle: Option<(usize, u64)>,
    ticks: bool,
}

impl Gateway<'_> {
    /// Runs a schedule and returns, for each request that was admitted, when that was and what it counts in the end; no
    /// request uses more than it has reserved. All are settled at the end.
    fn run(&mut self, steps: &[Step]) -> Vec<(u64, u64)> {
        let (mut counted, mut in_flight) = (Vec::new(), Vec::new());
        for step in steps {
            self.now_ms += step.wait_ms;
            if let Ok(taken) = self.take(step.worker, step.tokens) {
                in_flight.push((step.worker, counted.len(), taken));
                counted.push((self.now_ms, step.tokens));
            }
            if let Some((which, used)) = step.settle.filter(|(which, _)| *which < in_flight.len()) {
                let (worker, index, taken) = in_flight.remove(which);
                counted[index].1 = used.min(counted[index].1);
                self.settle(worker, taken, counted[index].1);
            }
            if step.ticks {
                self.tick(step.worker);
            }
        }
        for (worker, index, taken) in in_flight {
            self.settle(worker, taken, counted[index].1);
        }
        counted
    }
}

fn steps(workers: usize) -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![8 => Just(0), 8 => 0_u64..60, 2 => 100_u64..700, 1 => 2_000_u64..12_000];
    let settle = proptest::option::of((0_usize..6, 0_u64..40));
    let step = (0..workers, wait, 1_u64..40, settle, proptest::bool::weighted(0.1));
    let step = step.prop_map(|(worker, wait_ms, tokens, settle, ticks)| Step {
        worker,
        wait_ms,
        tokens,
        settle,
        ticks,
    });
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_window_ever_holds_more_than_the_amount_with_several_workers(steps in steps(WORKERS)) {
        let cells = MemoryCells::new();
        let mut gateway = Gateway::new(&cells, tokens("sliding_window", 6_000, "10s"));
        let counted = gateway.run(&steps);
        prop_assert!(largest_window(&counted, 10_000) <= 6_000, "{counted:?}");
    }

    #[test]
    fn a_worker_alone_gives_no_more_than_a_bucket_holds_and_refills(steps in steps(1)) {
        let cells = MemoryCells::new();
        let mut gateway = Gateway::new(&cells, tokens("token_bucket", 6_000, "10s"));
        let counted = gateway.run(&steps);
        prop_assert!(largest_backlog(&counted, 6_000, 10_000) <= 6_000 * 10_000, "{counted:?}");
    }

    #[test]
    fn several_workers_give_no_more_of_a_bucket_than_their_shares_beyond_it(steps in steps(WORKERS)) {
        let cells = MemoryCells::new();
        let mut gateway = Gateway::new(&cells, tokens("token_bucket", 6_000, "10s"));
        let counted = gateway.run(&steps);
        let most = 6_000 + WORKERS as u128 * 6_000 / 64;
        prop_assert!(largest_backlog(&counted, 6_000, 10_000) <= most * 10_000, "{counted:?}");
    }

    /// In a period that does not end, so that it does not matter when what was taken.
    #[test]
    fn what_is_counted_in_the_end_is_what_was_used(steps in steps(WORKERS)) {
        let cells = MemoryCells::new();
        let mut gateway = Gateway::new(&cells, json!([
            {"name": "slots", "count": "concurrent", "amount": 1_000, "per": ["key"], "slot_ttl": "1d"},
            {"name": "w", "algorithm": "sliding_window", "count": "tokens", "amount": 8_000, "period": "31d", "per": ["key"]},
            {"name": "all", "algorithm": "sliding_window", "count": "requests", "amount": 1_000, "period": "31d"},
        ]));
        let counted = gateway.run(&steps);
        gateway.close();
        let used: u64 = counted.iter().map(|(_, tokens)| tokens).sum();
        prop_assert_eq!(gateway.used(), [0, used, counted.len() as u64]);
    }

    #[test]
    fn a_worker_alone_decides_as_one_without_shares(steps in steps(1), amount in 200_u64..4_000) {
        let (cells, plain) = (MemoryCells::new(), MemoryCells::new());
        let specs = tokens("sliding_window", amount, "31d");
        let mut gateway = Gateway::new(&cells, specs.clone());
        let without = without_shares(specs);
        let mut in_flight = Vec::new();
        for step in steps {
            gateway.now_ms += step.wait_ms;
            let now = gateway.now();
            let demand = Demand { input_tokens: step.tokens, output_tokens: 0 };
            let expected = without.take(&plain, &without.select(&facts()), demand, now);
            let taken = gateway.take(0, step.tokens);
            prop_assert_eq!(taken.is_ok(), expected.is_ok());
            in_flight.extend(taken.ok().zip(expected.ok()));
            if let Some((which, used)) = step.settle.filter(|(which, _)| *which < in_flight.len()) {
                let (taken, expected) = in_flight.remove(which);
                gateway.settle(0, taken, used);
                let used = Demand { input_tokens: used, output_tokens: 0 };
                without.settle(&plain, expected.receipt, used, now).unwrap();
            }
        }
    }
}
