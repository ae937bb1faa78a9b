//! Giving back and taking debts.

use super::*;

#[test]
fn a_settlement_returns_the_exact_difference() {
    for spec in [bucket_of_60(), window_of_60()] {
        let world = World::new(spec);
        let taken = world.take(50).unwrap();
        assert_eq!(world.remaining(), 10);
        world.settle(taken, 20);
        assert_eq!(world.remaining(), 40);
    }
}

#[test]
fn settlements_in_any_order_are_exact() {
    for spec in [bucket_of_60(), window_of_60()] {
        let world = World::new(spec);
        let (first, second, third) = (
            world.take(10).unwrap(),
            world.take(20).unwrap(),
            world.take(30).unwrap(),
        );
        world.settle(second, 1);
        assert_eq!(world.remaining(), 19);
        world.settle(third, 2);
        world.settle(first, 3);
        assert_eq!(world.remaining(), 54);
    }
}

#[test]
fn use_beyond_the_reservation_is_a_debt() {
    for spec in [bucket_of_60(), window_of_60()] {
        let world = World::new(spec);
        let taken = world.take(50).unwrap();
        world.settle(taken, 70);
        let state = &world.states()[0];
        assert_eq!((state.used, state.remaining), (70, 0));
        assert!(world.refuse(1).retry_after_secs.unwrap() >= 11);
    }
}

#[test]
fn a_cancelled_request_burns_nothing() {
    let world = World::new(json!([
        {"name": "r", "count": "requests", "amount": 5, "period": "1h"},
        {"name": "t", "count": "tokens", "amount": 50, "period": "1h", "per": ["key"]},
        {"name": "w", "algorithm": "sliding_window", "count": "requests", "amount": 5, "period": "1h", "per": ["key"]},
        {"name": "c", "count": "concurrent", "amount": 5, "per": ["key"]},
    ]));
    let stays = world.take(7).unwrap();
    let before = world.states();
    let taken = world.take(40).unwrap();
    world.cancel(taken);
    assert_eq!(world.states(), before);
    world.settle(stays, 7);
}

#[test]
fn a_request_stays_one_request_when_it_is_settled() {
    let world = World::new(json!([{"name": "r", "count": "requests", "amount": 5, "period": "1h"}]));
    let taken = world.take(7).unwrap();
    world.settle(taken, 0);
    assert_eq!(
        world.states()[0].remaining,
        3,
        "one settled, one the probe itself"
    );
}

#[test]
fn what_has_refilled_is_not_given_back_again() {
    let mut world = World::new(bucket_of_60());
    let long = world.take(60).unwrap();
    world.wait(60_000);
    let _ = world.take(60).unwrap();
    world.settle(long, 0);
    assert_eq!(world.remaining(), 0);
}

#[test]
fn what_has_refilled_in_part_is_given_back_in_part() {
    let mut world = World::new(bucket_of_60());
    let long = world.take(60).unwrap();
    world.wait(30_000);
    let _ = world.take(30).unwrap();
    assert_eq!(world.remaining(), 0);
    world.settle(long, 0);
    // Had the first never been, the second would have left 30 of a full bucket.
    assert_eq!(world.remaining(), 30);
}

#[test]
fn what_left_the_window_is_not_given_back_to_it() {
    let mut world = World::new(window_of_60());
    let long = world.take(60).unwrap();
    world.wait(62_000);
    let _ = world.take(60).unwrap();
    world.settle(long, 0);
    assert_eq!(world.remaining(), 0);
}

#[test]
fn another_worker_can_settle() {
    let world = World::new(bucket_of_60());
    let taken = world.take(50).unwrap();
    let bytes = taken.receipt.encode();
    assert!(bytes.len() < 48, "{} bytes", bytes.len());
    let receipt = Receipt::decode(&bytes).unwrap();
    assert_eq!(receipt, taken.receipt);
    let other_worker = compile(bucket_of_60()).unwrap();
    other_worker.cancel(&world.cells, receipt, world.now()).unwrap();
    assert_eq!(world.remaining(), 60);
}

#[test]
fn a_lost_exchange_is_charged_at_its_reservation_and_frees_its_slot() {
    let world = World::new(json!([
        {"name": "t", "count": "tokens", "amount": 50, "period": "1h", "per": ["key"]},
        {"name": "c", "count": "concurrent", "amount": 1, "per": ["key"]},
    ]));
    let taken = world.take(30).unwrap();
    world
        .limits
        .settle_lost(&world.cells, taken.receipt, world.now())
        .unwrap();
    let states = world.states();
    assert_eq!(states[0].remaining, 20);
    assert!(world.take(1).is_ok());
}

#[test]
fn limits_that_are_no_more_are_skipped() {
    let world = World::new(bucket_of_60());
    let taken = world.take(50).unwrap();
    let other =
        compile(json!([{"name": "z", "count": "requests", "amount": 1, "period": "1m", "per": ["key"]}]));
    let settled = other.unwrap().cancel(&world.cells, taken.receipt, world.now());
    assert_eq!(settled, Ok(()));
    assert_eq!(world.remaining(), 10);
}

#[test]
fn a_larger_amount_after_a_reload_keeps_what_was_counted() {
    let mut world = World::new(bucket_of_60());
    let _ = world.take(60).unwrap();
    world.limits =
        compile(json!([{"name": "b", "count": "tokens", "amount": 100, "period": "1m", "per": ["key"]}]))
            .unwrap();
    assert_eq!(world.remaining(), 40);
}

#[test]
fn a_clock_that_jumps_back_moves_what_was_counted_with_it() {
    for spec in [bucket_of_60(), window_of_60()] {
        let mut world = World::new(spec);
        world.now_ms = T0 + 86_400_000;
        let from_before = world.take(60).unwrap();
        world.now_ms = T0;
        let retry = world.refuse(60).retry_after_secs.unwrap();
        assert!((60..=61).contains(&retry), "{retry} s");
        world.wait(retry * 1000);
        let _ = world.take(60).unwrap();
        world.settle(from_before, 0);
        assert_eq!(world.remaining(), 0);
    }
}

#[test]
fn a_worker_whose_clock_is_a_moment_behind_gains_nothing() {
    for spec in [bucket_of_60(), window_of_60()] {
        let mut world = World::new(spec);
        let _ = world.take(60).unwrap();
        for _ in 0..1000 {
            world.now_ms -= 500;
            world.refuse(1);
            world.now_ms += 500;
            world.refuse(1);
        }
    }
}

#[test]
fn bytes_that_are_no_receipt_are_none() {
    assert_eq!(Receipt::decode(&[]), None);
    assert_eq!(Receipt::decode(&[9, 9, 9]), None);
    let whole = World::new(bucket_of_60()).take(1).unwrap().receipt.encode();
    for cut in 3..whole.len() {
        let decoded = Receipt::decode(&whole[..cut]);
        assert!(decoded.is_none_or(|receipt| receipt.is_empty()), "cut at {cut}");
    }
}
