//! Operators give limits back.

use super::*;
use crate::limit::LimitReset;

fn by_key(key: &'static str) -> Facts<'static> {
    Facts {
        key_id: Some(key),
        ..facts()
    }
}

fn reset(limit: &str, subject: &Value, generation: u64) -> LimitReset {
    serde_json::from_value(json!({"limit": limit, "subject": subject, "generation": generation})).unwrap()
}

fn passes(world: &World, facts: &Facts<'_>, tokens: u64) -> bool {
    world.take_as(facts, tokens, 0).is_ok()
}

/// Compiled as after a change of the ledger's policy, over the same cells.
fn recompile(world: &mut World, specs: Value, resets: &[LimitReset]) {
    world.limits = compile(specs).unwrap().with_resets(resets);
}

#[test]
fn a_reset_gives_one_subject_its_limit_back() {
    for specs in [bucket_of_60(), window_of_60()] {
        let mut world = World::new(specs.clone());
        for key in ["key_1", "key_2"] {
            assert!(passes(&world, &by_key(key), 60));
            assert!(!passes(&world, &by_key(key), 1));
        }
        let name = specs[0]["name"].as_str().unwrap().to_owned();
        recompile(&mut world, specs, &[reset(&name, &json!({"key": "key_1"}), 7)]);
        assert!(passes(&world, &by_key("key_1"), 60), "{name}");
        assert!(!passes(&world, &by_key("key_1"), 1), "once, not for good");
        assert!(!passes(&world, &by_key("key_2"), 1), "nobody else");
    }
}

#[test]
fn a_reset_without_a_subject_is_for_everybody() {
    let mut world = World::new(bucket_of_60());
    for key in ["key_1", "key_2"] {
        assert!(passes(&world, &by_key(key), 60));
    }
    recompile(&mut world, bucket_of_60(), &[reset("b", &Value::Null, 3)]);
    for key in ["key_1", "key_2"] {
        assert!(passes(&world, &by_key(key), 60), "{key}");
        assert!(!passes(&world, &by_key(key), 1), "{key}");
    }
}

#[test]
fn a_reset_that_is_heard_of_again_gives_nothing_again() {
    let mut world = World::new(bucket_of_60());
    let resets = [reset("b", &json!({"key": "key_1"}), 3)];
    assert!(passes(&world, &facts(), 60));
    for expected in [true, false] {
        // A second worker, or the same one after any other change of the policy.
        recompile(&mut world, bucket_of_60(), &resets);
        assert_eq!(passes(&world, &facts(), 60), expected);
    }
    recompile(
        &mut world,
        bucket_of_60(),
        &[reset("b", &json!({"key": "key_1"}), 4)],
    );
    assert!(passes(&world, &facts(), 60), "another reset is another one");
}

#[test]
fn a_reset_that_is_forgotten_takes_nothing_away() {
    let mut world = World::new(bucket_of_60());
    assert!(passes(&world, &facts(), 60));
    recompile(&mut world, bucket_of_60(), &[reset("b", &Value::Null, 3)]);
    assert!(passes(&world, &facts(), 60));
    recompile(&mut world, bucket_of_60(), &[]);
    assert!(
        !passes(&world, &facts(), 1),
        "what was taken since is still counted"
    );
}

#[test]
fn a_worker_that_has_not_heard_of_a_reset_does_not_undo_it() {
    let mut world = World::new(bucket_of_60());
    assert!(passes(&world, &facts(), 60));
    let old = std::mem::replace(&mut world.limits, compile(bucket_of_60()).unwrap());
    recompile(&mut world, bucket_of_60(), &[reset("b", &Value::Null, 3)]);
    assert!(passes(&world, &facts(), 10));
    let new = std::mem::replace(&mut world.limits, old);
    assert!(
        passes(&world, &facts(), 10),
        "it sees what the other worker's record says"
    );
    world.limits = new;
    assert_eq!(world.remaining(), 40);
}

#[test]
fn what_was_taken_before_a_reset_is_not_given_back_after_it() {
    let mut world = World::new(bucket_of_60());
    let before = world.take(60).unwrap();
    recompile(&mut world, bucket_of_60(), &[reset("b", &Value::Null, 3)]);
    let after = world.take(20).unwrap();
    world.settle(before, 0);
    assert_eq!(world.remaining(), 40);
    world.settle(after, 5);
    assert_eq!(world.remaining(), 55);
}

#[test]
fn a_reset_frees_slots_that_nobody_gives_back() {
    let specs = json!([{"name": "slots", "count": "concurrent", "amount": 1, "per": ["key"]}]);
    let mut world = World::new(specs.clone());
    let lost = world.take(0).unwrap();
    assert!(!passes(&world, &facts(), 0));
    recompile(&mut world, specs, &[reset("slots", &json!({"key": "key_1"}), 3)]);
    assert!(passes(&world, &facts(), 0));
    world.cancel(lost);
    assert!(
        !passes(&world, &facts(), 0),
        "the slot of the one after the reset is its own"
    );
}

#[test]
fn a_reset_for_another_per_is_not_for_this_limit() {
    let mut world = World::new(bucket_of_60());
    assert!(passes(&world, &facts(), 60));
    for (limit, subject) in [
        ("b", json!({"user": "ann"})),
        ("b", json!({"key": "key_1", "user": "ann"})),
        ("b", json!({})),
        ("c", json!({"key": "key_1"})),
    ] {
        recompile(&mut world, bucket_of_60(), &[reset(limit, &subject, 3)]);
        assert!(!passes(&world, &facts(), 1), "{limit}");
    }
}

#[test]
fn a_subject_names_all_of_a_per() {
    let subject: LimitSubject = serde_json::from_value(json!({"workspace": "w", "model": "m"})).unwrap();
    assert!(subject.fits(&[Per::Model, Per::Workspace]));
    assert!(!subject.fits(&[Per::Workspace]));
    assert!(!subject.fits(&[Per::Workspace, Per::Model, Per::User]));
    assert!(!LimitSubject::default().fits(&[Per::Key]));
}
