//! Workers that remember what they wrote decide as if each had read everything.

use proptest::prelude::*;

use super::*;
use crate::cells::OneWorker;

/// A request: whose, how large, by which worker, how much later, and which of those in flight ends with it.
#[derive(Debug, Clone)]
struct Step {
    worker: usize,
    key: usize,
    tokens: u64,
    wait_ms: u64,
    settle: Option<(usize, u64)>,
}

fn specs() -> Value {
    json!([
        {"name": "all", "algorithm": "sliding_window", "count": "requests", "amount": 60, "period": "10s"},
        {"name": "slots", "count": "concurrent", "amount": 4, "per": ["key"]},
        {"name": "key", "count": "tokens", "amount": 200, "period": "10s", "per": ["key"]},
        {"name": "trial", "count": "tokens", "amount": 90, "period": "10s", "per": ["key"], "mode": "shadow"},
        {"name": "user", "algorithm": "sliding_window", "count": "output_tokens", "amount": 900, "period": "10s", "per": ["user"]},
    ])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![12 => Just(0), 6 => 0_u64..300, 1 => 2_000_u64..12_000];
    // Mostly the first worker, so that it is alone often enough to guess.
    let worker = prop_oneof![6 => Just(0_usize), 1 => Just(1), 1 => Just(2)];
    let settle = proptest::option::of((0_usize..4, 0_u64..60));
    let step = (worker, 0_usize..2, 0_u64..40, wait, settle);
    let step = step.prop_map(|(worker, key, tokens, wait_ms, settle)| Step {
        worker,
        key,
        tokens,
        wait_ms,
        settle,
    });
    prop::collection::vec(step, 1..150)
}

fn of_key(key: usize) -> Facts<'static> {
    Facts {
        key_id: Some(["key_1", "key_2"][key]),
        ..facts()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_remembered_changes_no_decision(steps in steps()) {
        let mut plain = World {
            limits: without_shares(specs()),
            ..World::new(specs())
        };
        let shared = MemoryCells::new();
        let workers: Vec<_> = (0..3).map(|_| (OneWorker::new(&shared), without_shares(specs()))).collect();
        let mut in_flight: Vec<(Taken, Taken)> = Vec::new();
        for step in steps {
            plain.wait(step.wait_ms);
            let (cells, limits) = &workers[step.worker];
            let demand = Demand {
                input_tokens: step.tokens,
                output_tokens: step.tokens / 2,
            };
            let facts = of_key(step.key);
            let expected = plain.take_as(&facts, demand.input_tokens, demand.output_tokens);
            let taken = limits.take(cells, &limits.select(&facts), demand, plain.now());
            match (&taken, &expected) {
                (Ok(taken), Ok(expected)) => {
                    prop_assert_eq!(&taken.standings, &expected.standings);
                    prop_assert_eq!(&taken.would_refuse, &expected.would_refuse);
                }
                _ => prop_assert_eq!(&taken, &expected),
            }
            in_flight.extend(expected.ok().zip(taken.ok()));
            if let Some((which, used)) = step.settle.filter(|(which, _)| *which < in_flight.len()) {
                let (expected, taken) = in_flight.remove(which);
                let used = Demand {
                    input_tokens: used,
                    output_tokens: used / 3,
                };
                plain.limits.settle(&plain.cells, expected.receipt, used, plain.now()).unwrap();
                limits.settle(cells, taken.receipt, used, plain.now()).unwrap();
            }
        }
    }
}

/// A worker with limits of its own over shared cells, and one exchange of it.
fn exchange(cells: &OneWorker<'_>, limits: &Limits, now_ms: u64) {
    let demand = Demand {
        input_tokens: 5,
        output_tokens: 5,
    };
    let plan = limits.select(&facts());
    let taken = limits.take(cells, &plan, demand, UnixMillis(now_ms)).unwrap();
    let used = Demand::default();
    limits
        .settle(cells, taken.receipt, used, UnixMillis(now_ms))
        .unwrap();
}

#[test]
fn a_worker_alone_takes_and_settles_without_reading() {
    let shared = MemoryCells::new();
    let (cells, limits) = (OneWorker::new(&shared), without_shares(specs()));
    for _ in 0..3 {
        exchange(&cells, &limits, T0);
    }
    shared.take_calls();
    exchange(&cells, &limits, T0 + 10);
    let calls = shared.take_calls();
    // Three groups are taken; what was taken of requests is not settled.
    assert_eq!((calls.gets, calls.sets, calls.conflicts), (0, 5, 0));
}

#[test]
fn a_refusal_rests_on_what_was_read() {
    let spec = json!([{"name": "slots", "count": "concurrent", "amount": 2, "per": ["key"]}]);
    let shared = MemoryCells::new();
    let [first, second] = [0; 2].map(|_| (OneWorker::new(&shared), without_shares(spec.clone())));
    let now = UnixMillis(T0);
    let take = |(cells, limits): &(OneWorker<'_>, Limits)| {
        limits.take(cells, &limits.select(&facts()), Demand::default(), now)
    };
    // The first worker remembers both slots taken, the second gives one back.
    let one = take(&first).unwrap();
    let _two = take(&first).unwrap();
    second
        .1
        .settle(&second.0, one.receipt, Demand::default(), now)
        .unwrap();
    let _three = take(&first).unwrap();
    assert!(matches!(take(&first), Err(TakeError::Refused(_))));
}

#[test]
fn what_was_written_before_a_refusal_is_undone_to_the_last_byte() {
    let spec = json!([
        {"name": "user", "count": "requests", "amount": 10, "period": "10s", "per": ["user"]},
        {"name": "slots", "count": "concurrent", "amount": 3, "per": ["key"]},
    ]);
    let shared = MemoryCells::new();
    let [first, second] = [0; 2].map(|_| (OneWorker::new(&shared), without_shares(spec.clone())));
    let take = |(cells, limits): &(OneWorker<'_>, Limits), user, now| {
        let facts = Facts {
            user: Some(user),
            ..facts()
        };
        limits.take(cells, &limits.select(&facts), Demand::default(), UnixMillis(now))
    };
    let _one = take(&first, "ann", T0).unwrap();
    let _two = take(&first, "ann", T0 + 100).unwrap();
    // The last slot goes to another user: only that cell is another than the first worker remembers.
    let _three = take(&second, "bob", T0 + 100).unwrap();
    let before = shared.contents();
    shared.take_calls();
    let refused = take(&first, "ann", T0 + 200);
    assert!(matches!(refused, Err(TakeError::Refused(_))));
    assert_eq!(shared.contents(), before);
    let calls = shared.take_calls();
    // Taken from the user, refused by the slots once they were read, and given back to the user, read for that.
    assert_eq!((calls.gets, calls.sets, calls.conflicts), (2, 3, 1));
}

#[test]
fn a_check_takes_nothing_and_reads() {
    let shared = MemoryCells::new();
    let (cells, limits) = (OneWorker::new(&shared), without_shares(specs()));
    for _ in 0..3 {
        exchange(&cells, &limits, T0);
    }
    shared.take_calls();
    let plan = limits.select_before_model(&facts());
    limits.check(&cells, &plan, UnixMillis(T0)).unwrap();
    let calls = shared.take_calls();
    assert_eq!((calls.gets, calls.sets), (3, 0));
}
