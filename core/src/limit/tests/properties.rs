//! What holds for every schedule.

use proptest::prelude::*;

use super::*;

/// One step of a schedule: wait, then take, then perhaps settle one of those in flight.
#[derive(Debug, Clone)]
struct Step {
    wait_ms: u64,
    amount: u64,
    settle: Option<(usize, u64)>,
    conflicts: u32,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let settle = proptest::option::of((0_usize..8, 0_u64..40));
    let wait = prop_oneof![Just(0), 0_u64..300, 0_u64..5_000, Just(20_000)];
    let step = (wait, 1_u64..40, settle, 0_u32..3).prop_map(|(wait_ms, amount, settle, conflicts)| Step {
        wait_ms,
        amount,
        settle,
        conflicts,
    });
    prop::collection::vec(step, 1..120)
}

/// Runs a schedule and returns, for every admitted request, when it was taken and what it counts in the end.
/// No request uses more than it reserved, so nothing is owed.
fn run(world: &mut World, steps: &[Step]) -> Vec<(u64, u64)> {
    let mut counted: Vec<(u64, u64)> = Vec::new();
    let mut in_flight: Vec<(usize, Taken)> = Vec::new();
    for step in steps {
        world.wait(step.wait_ms);
        world.cells.conflict_next(step.conflicts);
        if let Ok(taken) = world.take(step.amount) {
            in_flight.push((counted.len(), taken));
            counted.push((world.now_ms, step.amount));
        }
        let Some((which, used)) = step.settle else {
            continue;
        };
        if which < in_flight.len() {
            let (index, taken) = in_flight.remove(which);
            let used = used.min(counted[index].1);
            counted[index].1 = used;
            world.settle(taken, used);
        }
    }
    counted
}

/// At every admission, what counts at that moment in any window up to it was within the limit; what is settled
/// later only makes it less. So the final counts are within it too.
pub(super) fn largest_window(counted: &[(u64, u64)], length_ms: u64) -> u64 {
    let ends = counted.iter().map(|(at, _)| *at);
    let sums = ends.map(|end| {
        counted
            .iter()
            .filter(|(at, _)| *at <= end && *at + length_ms > end)
            .map(|(_, amount)| amount)
            .sum()
    });
    sums.max().unwrap_or(0)
}

/// The most that a bucket of this size and rate would have had to hold.
pub(super) fn largest_backlog(counted: &[(u64, u64)], amount: u64, period_ms: u64) -> u128 {
    let (mut backlog, mut seen, mut largest) = (0_u128, 0, 0);
    for (at, count) in counted {
        backlog = backlog.saturating_sub(u128::from(at - seen) * u128::from(amount));
        backlog += u128::from(*count) * u128::from(period_ms);
        seen = *at;
        largest = largest.max(backlog);
    }
    largest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_window_ever_holds_more_than_the_amount(steps in steps()) {
        let mut world = World::new(json!([
            {"name": "w", "algorithm": "sliding_window", "count": "tokens", "amount": 60, "period": "10s", "per": ["key"]},
        ]));
        let counted = run(&mut world, &steps);
        prop_assert!(largest_window(&counted, 10_000) <= 60, "{counted:?}");
    }

    #[test]
    fn a_bucket_never_gives_more_than_it_holds_and_refills(steps in steps()) {
        let mut world = World::new(json!([
            {"name": "b", "count": "tokens", "amount": 60, "period": "10s", "burst": 50, "per": ["key"]},
        ]));
        let counted = run(&mut world, &steps);
        prop_assert!(largest_backlog(&counted, 60, 10_000) <= 50 * 10_000, "{counted:?}");
    }

    #[test]
    fn a_refusal_leaves_every_cell_as_it_was(steps in steps()) {
        let specs = json!([
            {"name": "all", "count": "requests", "amount": 40, "period": "10s"},
            {"name": "key", "count": "tokens", "amount": 60, "period": "10s", "per": ["key"]},
            {"name": "user", "algorithm": "sliding_window", "count": "tokens", "amount": 90, "period": "10s", "per": ["user"]},
        ]);
        // What was taken ahead is given back before anybody is refused.
        let mut world = World { limits: without_shares(specs.clone()), ..World::new(specs) };
        for step in steps {
            world.wait(step.wait_ms);
            let before = world.cells.contents();
            if world.take(step.amount).is_err() {
                prop_assert_eq!(world.cells.contents(), before);
            }
        }
    }

    #[test]
    fn a_retry_after_is_kept(steps in steps(), algorithm in prop_oneof![Just("token_bucket"), Just("sliding_window")]) {
        let mut world = World::new(json!([
            {"name": "x", "algorithm": algorithm, "count": "tokens", "amount": 60, "period": "10s", "per": ["key"]},
        ]));
        run(&mut world, &steps);
        let Err(TakeError::Refused(refused)) = world.take(39) else {
            return Ok(());
        };
        let secs = refused.retry_after_secs.unwrap();
        world.wait(secs * 1000);
        prop_assert!(world.take(39).is_ok(), "told {secs} s");
    }

    #[test]
    fn a_corrupt_cell_counts_as_empty(bytes: Vec<u8>, flip in 0_usize..64, with: u8) {
        let world = World::new(json!([{"name": "x", "count": "tokens", "amount": 60, "period": "10s"}]));
        let _ = world.take(10).unwrap();
        let mut damaged = world.cells.peek("tollgate/1/l/0/0");
        let at = flip % damaged.len();
        damaged[at] ^= with;
        world.cells.poke("tollgate/1/l/0/0", &damaged);
        let _ = world.take(10);
        world.cells.poke("tollgate/1/l/0/0", &bytes);
        prop_assert!(world.take(60).is_ok());
    }

    #[test]
    fn no_bytes_panic_as_a_receipt(bytes: Vec<u8>) {
        let world = World::new(bucket_of_60());
        if let Some(receipt) = Receipt::decode(&bytes) {
            prop_assert_eq!(world.limits.settle(&world.cells, receipt, Demand::default(), world.now()), Ok(()));
        }
    }
}
