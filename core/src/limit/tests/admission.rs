//! What is let through, what is refused, and what is told.

use super::*;

#[test]
fn a_bucket_refills_evenly() {
    let mut world = World::new(bucket_of_60());
    let _ = world.take(60).unwrap();
    assert_eq!(world.refuse(1).retry_after_secs, Some(1));
    assert_eq!(world.refuse(10).retry_after_secs, Some(10));
    world.wait(9_999);
    assert_eq!(world.refuse(10).retry_after_secs, Some(1));
    world.wait(1);
    assert!(world.take(10).is_ok());
}

#[test]
fn a_bucket_is_exact_where_amount_does_not_divide_the_period() {
    let mut world = World::new(json!([{"name": "b", "count": "tokens", "amount": 7, "period": "1s"}]));
    let mut let_through = 7;
    let _ = world.take(7).unwrap();
    for _ in 0..10_000 {
        world.wait(1);
        let_through += u64::from(world.take(1).is_ok());
    }
    assert_eq!(let_through, 7 + 70);
}

#[test]
fn a_burst_larger_than_the_amount_refills_at_the_rate() {
    let spec = json!([{"name": "b", "count": "requests", "amount": 60, "period": "1m", "burst": 120}]);
    let mut world = World::new(spec);
    for _ in 0..120 {
        let _ = world.take(0).unwrap();
    }
    let refused = world.refuse(0);
    assert_eq!((refused.quota, refused.retry_after_secs), (120, Some(1)));
    world.wait(60_000);
    for _ in 0..60 {
        let _ = world.take(0).unwrap();
    }
    world.refuse(0);
}

#[test]
fn a_window_frees_what_is_past_it() {
    let mut world = World::new(window_of_60());
    let _ = world.take(40).unwrap();
    world.wait(30_000);
    let _ = world.take(20).unwrap();
    let refused = world.refuse(1);
    assert!(
        (30..=31).contains(&refused.retry_after_secs.unwrap()),
        "{refused:?}"
    );
    assert!((59..=61).contains(&world.refuse(41).retry_after_secs.unwrap()));
    world.wait(31_000);
    assert_eq!(world.remaining(), 40);
}

#[test]
fn retry_after_is_right_to_five_percent() {
    for (spec, period_ms) in [
        (json!({"algorithm": "token_bucket", "period": "1m"}), 60_000),
        (json!({"algorithm": "sliding_window", "period": "1m"}), 60_000),
        (json!({"algorithm": "token_bucket", "period": "1h"}), 3_600_000),
        (json!({"algorithm": "sliding_window", "period": "1h"}), 3_600_000),
        (json!({"algorithm": "sliding_window", "period": "1d"}), 86_400_000),
    ] {
        let mut whole = spec.clone();
        whole["name"] = json!("x");
        whole["count"] = json!("tokens");
        whole["amount"] = json!(100_000);
        let mut world = World::new(json!([whole]));
        let _ = world.take(100_000).unwrap();
        let told_ms = world.refuse(100_000).retry_after_secs.unwrap() * 1000;
        let (least, most) = (period_ms, period_ms + period_ms / 20);
        assert!((least..=most).contains(&told_ms), "{spec}: told {told_ms} ms");
        world.wait(told_ms - 1000 - period_ms / 20);
        world.refuse(100_000);
        world.wait(1000 + period_ms / 20);
        assert!(world.take(100_000).is_ok(), "{spec}");
    }
}

#[test]
fn what_never_fits_is_refused_without_a_time() {
    for spec in [bucket_of_60(), window_of_60()] {
        let world = World::new(spec);
        let refused = world.refuse(61);
        assert_eq!(refused.retry_after_secs, None);
        assert!(refused.to_string().contains("make it smaller"), "{refused}");
        assert!(
            world
                .limits
                .refusal_headers(&refused)
                .iter()
                .all(|(name, _)| *name != "retry-after")
        );
    }
}

#[test]
fn a_request_without_output_passes_an_exhausted_output_limit() {
    let world = World::new(json!([{"name": "o", "count": "output_tokens", "amount": 10, "period": "1m"}]));
    let _ = world.take_as(&facts(), 5, 10).unwrap();
    assert!(world.take_as(&facts(), 5, 0).is_ok());
    assert!(world.take_as(&facts(), 5, 1).is_err());
}

#[test]
fn slots_are_freed_at_the_end_or_when_they_expire() {
    let spec = json!([{"name": "c", "count": "concurrent", "amount": 2, "slot_ttl": "1m", "per": ["key"]}]);
    let mut world = World::new(spec);
    let first = world.take(0).unwrap();
    world.wait(5_000);
    let _lost = world.take(0).unwrap();
    assert_eq!(world.refuse(0).retry_after_secs, Some(1));
    world.settle(first, 0);
    let third = world.take(0).unwrap();
    world.refuse(0);
    world.wait(62_000);
    assert_eq!(world.remaining(), 1, "both have expired, less the probe itself");
    world.settle(third, 0);
    let _ = world.take(0).unwrap();
    let _ = world.take(0).unwrap();
    world.refuse(0);
}

#[test]
fn a_refusal_tells_everything() {
    let world = World::new(bucket_of_60());
    let _ = world.take(59).unwrap();
    let refused = world.refuse(3);
    assert_eq!(
        refused.to_string(),
        "limit `b` per key reached: 59 of 60 tokens used, 3 requested; try again in 2 s"
    );
    let exceeded = refused.refusal().exceeded.unwrap();
    assert_eq!((exceeded.name.as_str(), exceeded.scope.as_str()), ("b", "key"));
    assert_eq!((exceeded.used.as_str(), exceeded.limit.as_str()), ("59", "60"));
    assert_eq!(
        (
            refused.remaining,
            refused.reset_secs,
            world.states_of(&refused.standings)[0].remaining
        ),
        (1, 59, 1)
    );
}

#[test]
fn the_longest_wait_is_told() {
    let world = World::new(json!([
        {"name": "short", "count": "requests", "amount": 1, "period": "1s"},
        {"name": "long", "count": "requests", "amount": 1, "period": "1h", "per": ["key"]},
        {"name": "mid", "count": "requests", "amount": 1, "period": "1m", "per": ["workspace"]},
    ]));
    let _ = world.take(0).unwrap();
    let refused = world.refuse(0);
    assert_eq!(&*refused.limit, "long");
    let states = world.states_of(&refused.standings);
    let names: Vec<&str> = states.iter().map(|state| &*state.name).collect();
    assert_eq!(names, ["short", "long", "mid"]);
}

#[test]
fn a_refusal_burns_nothing_in_any_group() {
    let world = World::new(json!([
        {"name": "all", "count": "tokens", "amount": 100, "period": "1h"},
        {"name": "key", "count": "tokens", "amount": 50, "period": "1h", "per": ["key"]},
        {"name": "key-w", "algorithm": "sliding_window", "count": "requests", "amount": 9, "period": "1h", "per": ["key"]},
        {"name": "model", "count": "tokens", "amount": 10, "period": "1h", "per": ["key", "model"]},
    ]));
    let _ = world.take(5).unwrap();
    let before = world.cells.contents();
    world.cells.take_calls();
    assert_eq!(&*world.refuse(6).limit, "model");
    assert_eq!(world.cells.contents(), before);
    assert_eq!(world.cells.take_calls().sets, 0);
}

#[test]
fn an_admission_costs_two_host_calls_a_group() {
    let world = World::new(json!([
        {"name": "a", "count": "requests", "amount": 100, "period": "1m", "per": ["key"]},
        {"name": "b", "count": "tokens", "amount": 1000, "period": "1m", "per": ["key"]},
        {"name": "c", "count": "concurrent", "amount": 10, "per": ["key"]},
        {"name": "d", "count": "requests", "amount": 1000, "period": "1m"},
    ]));
    let taken = world.take(10).unwrap();
    let calls = world.cells.take_calls();
    assert_eq!((calls.gets, calls.sets), (2, 2));
    world.settle(taken, 4);
    let calls = world.cells.take_calls();
    assert_eq!(
        (calls.gets, calls.sets),
        (1, 1),
        "the group that counts only requests has nothing to settle"
    );
}

#[test]
fn a_shadow_limit_counts_and_lets_pass() {
    let world = World::new(json!([
        {"name": "trial", "count": "requests", "amount": 2, "period": "1h", "mode": "shadow"},
        {"name": "real", "count": "requests", "amount": 4, "period": "1h"},
    ]));
    let would: Vec<usize> = (0..4)
        .map(|_| world.take(0).unwrap().would_refuse.len())
        .collect();
    assert_eq!(would, [0, 0, 1, 1]);
    let refused = world.refuse(0);
    assert_eq!(&*refused.limit, "real");
    assert_eq!(refused.would_refuse.len(), 1);
}

#[test]
fn the_headers_check_takes_nothing_and_ignores_what_needs_the_body() {
    let world = World::new(json!([
        {"name": "requests", "count": "requests", "amount": 1, "period": "1h", "per": ["key"]},
        {"name": "tokens", "count": "tokens", "amount": 1, "period": "1h", "per": ["key"]},
        {"name": "by-model", "count": "requests", "amount": 1, "period": "1h", "per": ["model"]},
        {"name": "of-model", "count": "requests", "amount": 1, "period": "1h", "match": {"models": ["gpt-*"]}},
    ]));
    let early = Facts {
        model: None,
        ..facts()
    };
    let plan = world.limits.select_before_model(&early);
    assert_eq!(world.limits.check(&world.cells, &plan, world.now()), Ok(()));
    assert_eq!(world.cells.contents(), []);
    let _ = world.take(1).unwrap();
    let Err(TakeError::Refused(refused)) = world.limits.check(&world.cells, &plan, world.now()) else {
        panic!("the limit is used up");
    };
    assert_eq!(&*refused.limit, "requests");
    let other_key = Facts {
        key_id: Some("key_2"),
        ..early
    };
    let plan = world.limits.select_before_model(&other_key);
    assert_eq!(world.limits.check(&world.cells, &plan, world.now()), Ok(()));
}

#[test]
fn a_host_that_fails_is_an_error_and_nothing_stays_taken() {
    let world = World::new(json!([
        {"name": "a", "count": "requests", "amount": 5, "period": "1h"},
        {"name": "b", "count": "requests", "amount": 5, "period": "1h", "per": ["key"]},
    ]));
    world.cells.die_after(Some(1));
    assert_eq!(world.take(0), Err(TakeError::Unavailable(CellError::Unavailable)));
    world.cells.die_after(None);
    assert_eq!(world.cells.contents(), []);
}
