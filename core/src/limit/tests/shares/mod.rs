//! Workers that take parts of limits ahead.

mod properties;

use super::*;
use crate::cells::{Calls, OneWorker};

const WORKERS: usize = 3;

/// Workers over shared cells.
struct Gateway<'c> {
    shared: &'c MemoryCells,
    specs: Value,
    workers: Vec<(OneWorker<'c>, Limits)>,
    now_ms: u64,
}

impl<'c> Gateway<'c> {
    fn new(shared: &'c MemoryCells, specs: Value) -> Self {
        let worker = |_| (OneWorker::new(shared), compile(specs.clone()).unwrap());
        Self {
            shared,
            workers: (0..WORKERS).map(worker).collect(),
            specs,
            now_ms: T0,
        }
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now_ms)
    }

    fn take(&self, worker: usize, tokens: u64) -> Result<Taken, TakeError> {
        let (cells, limits) = &self.workers[worker];
        let demand = Demand {
            input_tokens: tokens,
            output_tokens: 0,
        };
        limits.take(cells, &limits.select(&facts()), demand, self.now())
    }

    fn settle(&self, worker: usize, taken: Taken, tokens: u64) {
        let (cells, limits) = &self.workers[worker];
        let used = Demand {
            input_tokens: tokens,
            output_tokens: 0,
        };
        limits.settle(cells, taken.receipt, used, self.now()).unwrap();
    }

    /// So many requests, one after the other.
    fn exchanges(&self, worker: usize, count: usize, tokens: u64) {
        for _ in 0..count {
            let taken = self.take(worker, tokens).unwrap();
            self.settle(worker, taken, tokens);
        }
    }

    fn tick(&self, worker: usize) {
        let (cells, limits) = &self.workers[worker];
        limits.flush(cells, self.now());
    }

    fn close(&self) {
        for (cells, limits) in &self.workers {
            limits.close(cells, self.now());
        }
    }

    fn calls(&self, act: impl FnOnce()) -> Calls {
        self.shared.take_calls();
        act();
        self.shared.take_calls()
    }

    /// How much of each limit is gone, as it stands in the cells.
    fn used(&self) -> Vec<u64> {
        let limits = without_shares(self.specs.clone());
        let plan = limits.select(&facts());
        let check = limits
            .take(self.shared, &plan, Demand::default(), self.now())
            .unwrap();
        let levels = check.standings.iter().map(|standing| {
            let is_the_check = !limits.limit(standing.order).unwrap().count.is_tokens();
            standing.level.used - u64::from(is_the_check)
        });
        let used = levels.collect();
        limits.cancel(self.shared, check.receipt, self.now()).unwrap();
        used
    }
}

fn requests(amount: u64) -> Value {
    json!([{"name": "r", "count": "requests", "amount": amount, "period": "1d", "per": ["key"]}])
}

fn tokens(algorithm: &str, amount: u64, period: &str) -> Value {
    json!([{"name": "t", "algorithm": algorithm, "count": "tokens", "amount": amount, "period": period, "per": ["key"]}])
}

#[test]
fn a_busy_subject_costs_no_call_a_request() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(&cells, requests(100_000));
    gateway.exchanges(0, 3, 1);
    let calls = gateway.calls(|| gateway.exchanges(0, 500, 1));
    assert_eq!((calls.gets, calls.sets), (0, 0));
}

#[test]
fn a_share_is_renewed_by_one_write_and_given_back_by_another() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(&cells, tokens("token_bucket", 1_000_000, "1d"));
    gateway.exchanges(0, 3, 10);
    gateway.now_ms += 600;
    let renewed = gateway.calls(|| gateway.exchanges(0, 20, 10));
    assert_eq!((renewed.gets, renewed.sets), (0, 1));
    let early = gateway.calls(|| gateway.tick(0));
    assert_eq!((early.gets, early.sets), (0, 0), "while it is used");
    gateway.now_ms += 600;
    let given_back = gateway.calls(|| gateway.tick(0));
    assert_eq!((given_back.gets, given_back.sets), (0, 1));
    assert_eq!(gateway.used(), [23 * 10]);
}

#[test]
fn what_is_used_up_is_taken_anew() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(&cells, requests(6_400));
    let calls = gateway.calls(|| gateway.exchanges(0, 200, 1));
    // The first as any other, and shares of a hundred or a few less.
    assert!(calls.sets <= 4, "{calls:?}");
    gateway.close();
    assert_eq!(gateway.used(), [200]);
}

#[test]
fn a_quiet_subject_is_counted_to_the_last_request() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(&cells, requests(100_000));
    for count in 1..=20 {
        gateway.exchanges(0, 1, 1);
        assert_eq!(gateway.used(), [count]);
        gateway.now_ms += 100;
    }
}

#[test]
fn answers_tell_what_is_left_though_a_share_is_out() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(
        &cells,
        json!([
            {"name": "r", "count": "requests", "amount": 10_000, "period": "1d", "per": ["key"]},
            {"name": "w", "algorithm": "sliding_window", "count": "tokens", "amount": 10_000, "period": "1d", "per": ["key"]},
        ]),
    );
    for count in 1..=300 {
        let taken = gateway.take(0, 5).unwrap();
        let left: Vec<u64> = taken
            .standings
            .iter()
            .map(|standing| standing.level.remaining)
            .collect();
        assert_eq!(left, [10_000 - count, 10_000 - 5 * count]);
        gateway.settle(0, taken, 5);
        gateway.now_ms += 4;
    }
}

#[test]
fn where_less_than_half_is_left_every_request_is_counted_in_the_cell() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(&cells, requests(1_000));
    gateway.exchanges(0, 600, 1);
    let calls = gateway.calls(|| gateway.exchanges(0, 50, 1));
    assert_eq!(calls.sets, 50);
    assert_eq!(gateway.used(), [650]);
}

#[test]
fn what_a_worker_has_ahead_does_not_count_against_its_own_requests() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(&cells, tokens("token_bucket", 10_000, "1d"));
    gateway.exchanges(0, 5, 10);
    assert!(gateway.used()[0] > 50, "a share is out");
    let taken = gateway.take(0, 9_950).unwrap();
    assert_eq!(taken.standings[0].level.remaining, 0);
}

#[test]
fn a_check_does_not_refuse_what_the_worker_has_ahead() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(&cells, requests(1_000));
    gateway.exchanges(0, 10, 1);
    let (one, limits) = &gateway.workers[0];
    while gateway.take(1, 1).is_ok() {}
    // The other worker was refused while this one had some ahead: it may have them.
    assert_eq!(
        limits.check(one, &limits.select_before_model(&facts()), gateway.now()),
        Ok(())
    );
    assert!(gateway.take(0, 1).is_ok());
}

#[test]
fn a_refusal_for_another_limit_takes_nothing_of_a_share() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(
        &cells,
        json!([
            {"name": "r", "count": "requests", "amount": 10_000, "period": "1d", "per": ["key"]},
            {"name": "t", "count": "tokens", "amount": 100, "period": "1d", "per": ["user"]},
        ]),
    );
    gateway.exchanges(0, 5, 1);
    for _ in 0..20 {
        assert!(matches!(gateway.take(0, 1_000), Err(TakeError::Refused(refused)) if &*refused.limit == "t"));
    }
    gateway.close();
    assert_eq!(gateway.used(), [5, 5]);
}

#[test]
fn what_ends_after_its_share_is_settled_with_the_next() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(&cells, tokens("sliding_window", 100_000, "1d"));
    gateway.exchanges(0, 3, 10);
    let long = gateway.take(0, 100).unwrap();
    gateway.now_ms += 5_000;
    gateway.exchanges(0, 3, 10);
    let calls = gateway.calls(|| gateway.settle(0, long, 40));
    assert_eq!(calls.sets, 0);
    gateway.now_ms += 600;
    gateway.tick(0);
    assert_eq!(gateway.used(), [6 * 10 + 40]);
}

#[test]
fn what_costs_more_than_is_left_of_a_share_is_owed() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(&cells, tokens("token_bucket", 64_000, "1d"));
    gateway.exchanges(0, 3, 10);
    let taken = gateway.take(0, 10).unwrap();
    gateway.settle(0, taken, 5_000);
    gateway.now_ms += 600;
    gateway.tick(0);
    assert_eq!(gateway.used(), [30 + 5_000]);
}

#[test]
fn where_the_host_refuses_a_tick_the_next_one_settles() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(&cells, tokens("token_bucket", 64_000, "1d"));
    gateway.exchanges(0, 3, 10);
    gateway.now_ms += 600;
    cells.die_after(Some(0));
    gateway.tick(0);
    cells.die_after(None);
    assert!(gateway.used()[0] > 30);
    gateway.tick(0);
    assert_eq!(gateway.used(), [30]);
}

#[test]
fn where_the_clock_jumps_back_a_share_is_not_used() {
    let cells = MemoryCells::new();
    let mut gateway = Gateway::new(&cells, tokens("sliding_window", 64_000, "1h"));
    gateway.exchanges(0, 3, 10);
    gateway.now_ms -= 1_800_000;
    let taken = gateway.take(0, 10).unwrap();
    gateway.settle(0, taken, 10);
    gateway.tick(0);
    gateway.close();
    let used = gateway.used()[0];
    assert!(
        (40..=40 + 64_000 / 16).contains(&used),
        "{used}: the share of before counts at most"
    );
}

#[test]
fn a_request_under_other_limits_of_the_subject_is_counted_in_the_cell() {
    let specs = json!([
        {"name": "r", "count": "requests", "amount": 10_000, "period": "1d", "per": ["key"]},
        {"name": "mini", "count": "requests", "amount": 10_000, "period": "1d", "per": ["key"], "match": {"models": ["mini"]}},
    ]);
    let cells = MemoryCells::new();
    let gateway = Gateway::new(&cells, specs);
    gateway.exchanges(0, 5, 1);
    let (one, limits) = &gateway.workers[0];
    let mini = Facts {
        model: Some("mini"),
        ..facts()
    };
    let calls = gateway.calls(|| {
        let taken = limits
            .take(one, &limits.select(&mini), Demand::default(), gateway.now())
            .unwrap();
        drop(taken);
    });
    assert_eq!(calls.sets, 1);
    let calls = gateway.calls(|| gateway.exchanges(0, 5, 1));
    assert_eq!(calls.sets, 0);
}

#[test]
fn workers_keep_an_eye_on_so_many_subjects_and_no_more() {
    let cells = MemoryCells::new();
    let gateway = Gateway::new(
        &cells,
        json!([
            {"name": "r", "count": "requests", "amount": 10_000, "period": "1d", "per": ["session"], "max_subjects": 100_000},
        ]),
    );
    let (one, limits) = &gateway.workers[0];
    for number in 0..10_000 {
        let session = format!("s{number}");
        let facts = Facts {
            session: Some(&session),
            ..facts()
        };
        for _ in 0..2 {
            let taken = limits
                .take(one, &limits.select(&facts), Demand::default(), gateway.now())
                .unwrap();
            limits
                .settle(one, taken.receipt, Demand::default(), gateway.now())
                .unwrap();
        }
    }
    assert!(limits.groups[0].shares.borrow().len() <= 256);
}
