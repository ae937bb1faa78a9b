//! Several workers on the same cells.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::cells::{Cell, Cells, Version};

fn race(spec: &Value, workers: u64, requests: u64) -> (u64, Vec<LimitState>) {
    let world = World::new(spec.clone());
    let (cells, now) = (&world.cells, world.now());
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let limits = compile(spec.clone()).unwrap();
                let plan = limits.select(&facts());
                for _ in 0..requests {
                    match limits.take(cells, &plan, Demand::default(), now) {
                        Ok(_) => {
                            admitted.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(TakeError::Refused(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                limits.close(cells, now);
            });
        }
    });
    (admitted.into_inner(), world.states())
}

#[test]
fn workers_never_let_more_through_than_the_limit() {
    for algorithm in ["token_bucket", "sliding_window"] {
        let spec = json!([
            {"name": "r", "algorithm": algorithm, "count": "requests", "amount": 500, "period": "1h", "per": ["key"]},
        ]);
        assert_eq!(race(&spec, 4, 400).0, 500);
    }
}

/// Cells that another worker comes to before a cell is written for the first time.
struct Intruded<'a> {
    cells: &'a MemoryCells,
    before_a_write_to: &'a str,
    intrude: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl Cells for Intruded<'_> {
    fn get(&self, key: &str) -> Result<Cell, CellError> {
        self.cells.get(key)
    }

    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError> {
        if key.starts_with(self.before_a_write_to)
            && let Some(intrude) = self.intrude.take()
        {
            intrude();
        }
        self.cells.set(key, bytes, version)
    }
}

#[test]
fn what_an_earlier_group_gave_is_given_back_where_a_later_one_then_refuses() {
    let world = World::new(json!([
        {"name": "user", "count": "requests", "amount": 10, "period": "1d", "per": ["user"]},
        {"name": "slots", "count": "concurrent", "amount": 1, "per": ["key"]},
    ]));
    let other = Facts {
        user: Some("bob"),
        ..facts()
    };
    let cells = Intruded {
        cells: &world.cells,
        before_a_write_to: "tollgate/1/l/8/",
        intrude: RefCell::new(Some(Box::new(|| {
            let _ = world.take_as(&other, 1, 0).unwrap();
        }))),
    };
    let plan = world.limits.select(&facts());
    let taken = world.limits.take(&cells, &plan, Demand::default(), world.now());
    assert!(matches!(taken, Err(TakeError::Refused(refused)) if &*refused.limit == "slots"));
    assert_eq!(world.states()[0].used, 0, "of the user's requests");
}

#[test]
fn all_groups_agree_after_a_race() {
    let spec = json!([
        {"name": "all", "count": "requests", "amount": 700, "period": "1d"},
        {"name": "key", "count": "requests", "amount": 600, "period": "1d", "per": ["key"]},
        {"name": "workspace", "algorithm": "sliding_window", "count": "requests", "amount": 650, "period": "1d", "per": ["workspace"]},
    ]);
    let (admitted, states) = race(&spec, 4, 300);
    // A request that a later group refused is in an earlier one for a moment: it can keep another one out, but
    // never let one more in.
    assert!((590..=600).contains(&admitted), "{admitted}");
    for state in states {
        let probe = u64::from(admitted < 600);
        assert_eq!(state.used, admitted + probe, "{}", state.name);
    }
}

#[test]
fn settling_workers_leave_nothing_behind() {
    let spec = json!([
        {"name": "slots", "count": "concurrent", "amount": 3, "per": ["key"]},
        {"name": "tokens", "count": "tokens", "amount": 100_000, "period": "1d", "per": ["key"]},
        {"name": "all", "algorithm": "sliding_window", "count": "tokens", "amount": 100_000, "period": "1d"},
    ]);
    let world = World::new(spec.clone());
    let (used, in_flight, most) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (cells, now) = (&world.cells, world.now());
            let (spec, used, in_flight, most) = (spec.clone(), &used, &in_flight, &most);
            scope.spawn(move || {
                let limits = compile(spec).unwrap();
                let plan = limits.select(&facts());
                for round in 0..200 {
                    let demand = Demand {
                        input_tokens: 40,
                        output_tokens: 60,
                    };
                    let Ok(taken) = limits.take(cells, &plan, demand, now) else {
                        continue;
                    };
                    most.fetch_max(in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    in_flight.fetch_sub(1, Ordering::SeqCst);
                    let actual = Demand {
                        input_tokens: 40,
                        output_tokens: (worker + round) % 90,
                    };
                    used.fetch_add(40 + actual.output_tokens, Ordering::SeqCst);
                    limits.settle(cells, taken.receipt, actual, now).unwrap();
                }
                limits.close(cells, now);
            });
        }
    });
    let states = world.states();
    assert!(most.into_inner() <= 3);
    assert_eq!(states[0].used, 1, "the probe itself");
    let used = used.into_inner();
    assert_eq!((states[1].used, states[2].used), (used, used));
}
