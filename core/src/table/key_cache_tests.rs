use super::*;
use crate::cells::MemoryCells;
use crate::key::KeyStatus;

const T0: UnixMillis = UnixMillis(1_700_000_000_000);

fn at(seconds: u64) -> UnixMillis {
    UnixMillis(T0.0 + seconds * 1000)
}

fn record(name: &str) -> KeyRecord {
    serde_json::from_value(serde_json::json!({
        "id": format!("key_{name}"),
        "sha256": KeyHash::of(name.as_bytes()).to_hex(),
        "workspace": "acme",
    }))
    .unwrap()
}

fn cache() -> (MemoryCells, KeyCache) {
    (MemoryCells::new(), KeyCache::new("p", KeyCacheLimits::default()))
}

#[test]
fn a_known_key_is_fresh_then_stale_then_gone() {
    let (cells, cache) = cache();
    let known = record("a");
    cache
        .resolved(&cells, &known.sha256, Some(&known), T0, T0)
        .unwrap();
    let lookup = |now| cache.lookup(&cells, &known.sha256, now).unwrap();
    assert_eq!(lookup(at(59)), Lookup::Fresh(Rc::new(known.clone())));
    assert_eq!(lookup(at(60)), Lookup::Stale(known.clone()));
    assert_eq!(lookup(at(86_399)), Lookup::Stale(known.clone()));
    assert_eq!(lookup(at(86_400)), Lookup::Missing);
}

#[test]
fn an_unknown_hash_is_remembered_for_a_moment() {
    let (cells, cache) = cache();
    let hash = KeyHash::of(b"invented");
    cache.resolved(&cells, &hash, None, T0, T0).unwrap();
    assert_eq!(cache.lookup(&cells, &hash, at(9)).unwrap(), Lookup::Unknown);
    assert_eq!(cache.lookup(&cells, &hash, at(10)).unwrap(), Lookup::Missing);
}

#[test]
fn a_flood_of_unknown_hashes_displaces_no_key() {
    let (cells, cache) = cache();
    let known = record("a");
    cache.changed(&cells, &known, T0).unwrap();
    for number in 0..20_000_u32 {
        let hash = KeyHash::of(&number.to_le_bytes());
        cache.resolved(&cells, &hash, None, T0, T0).unwrap();
    }
    assert_eq!(
        cache.lookup(&cells, &known.sha256, T0).unwrap(),
        Lookup::Fresh(Rc::new(known))
    );
    assert!(cells.keys().len() <= 514, "{}", cells.keys().len());
}

#[test]
fn a_key_that_was_just_made_is_no_longer_unknown() {
    let (cells, cache) = cache();
    let made = record("a");
    cache.resolved(&cells, &made.sha256, None, T0, T0).unwrap();
    cache.changed(&cells, &made, at(1)).unwrap();
    assert_eq!(
        cache.lookup(&cells, &made.sha256, at(1)).unwrap(),
        Lookup::Fresh(Rc::new(made))
    );
}

#[test]
fn an_answer_does_not_undo_a_change_that_overtook_it() {
    let (cells, cache) = cache();
    let active = record("a");
    let revoked = KeyRecord {
        status: KeyStatus::Revoked,
        ..active.clone()
    };
    cache.changed(&cells, &revoked, at(2)).unwrap();
    cache
        .resolved(&cells, &active.sha256, Some(&active), at(1), at(3))
        .unwrap();
    assert_eq!(
        cache.lookup(&cells, &active.sha256, at(3)).unwrap(),
        Lookup::Fresh(Rc::new(revoked))
    );
}

#[test]
fn a_key_that_the_sidecar_no_longer_knows_is_forgotten() {
    let (cells, cache) = cache();
    let known = record("a");
    cache.changed(&cells, &known, T0).unwrap();
    cache
        .resolved(&cells, &known.sha256, None, at(61), at(61))
        .unwrap();
    assert_eq!(
        cache.lookup(&cells, &known.sha256, at(61)).unwrap(),
        Lookup::Unknown
    );
}

#[test]
fn a_clock_that_jumped_back_keeps_nothing_fresh() {
    let (cells, cache) = cache();
    let known = record("a");
    cache.changed(&cells, &known, at(3600)).unwrap();
    assert_eq!(
        cache.lookup(&cells, &known.sha256, T0).unwrap(),
        Lookup::Stale(known)
    );
}

#[test]
fn a_record_too_long_for_a_cell_is_not_kept() {
    let (cells, cache) = cache();
    let mut long = record("a");
    long.models = vec!["m".repeat(200); 100];
    cache.changed(&cells, &long, T0).unwrap();
    assert_eq!(cache.lookup(&cells, &long.sha256, T0).unwrap(), Lookup::Missing);
}

#[test]
fn a_key_that_was_just_read_is_not_read_again_for_a_moment() {
    let (cells, cache) = cache();
    let (known, other) = (record("a"), KeyCache::new("p", KeyCacheLimits::default()));
    cache.changed(&cells, &known, T0).unwrap();
    let lookup = |ms| {
        cache
            .lookup(&cells, &known.sha256, UnixMillis(T0.0 + ms))
            .unwrap()
    };
    lookup(0);
    cells.take_calls();
    assert_eq!(lookup(249), Lookup::Fresh(Rc::new(known.clone())));
    assert_eq!(cells.take_calls().gets, 0);
    // Another worker hears of a change; this one a moment later.
    let paused = KeyRecord {
        status: KeyStatus::Paused,
        ..known.clone()
    };
    other.changed(&cells, &paused, T0).unwrap();
    assert_eq!(lookup(250), Lookup::Fresh(Rc::new(paused.clone())));
    // What a worker hears itself it knows at once.
    cache.changed(&cells, &known, T0).unwrap();
    assert_eq!(lookup(251), Lookup::Fresh(Rc::new(known)));
}

#[test]
fn a_worker_keeps_only_so_many_keys_in_mind() {
    let (cells, cache) = cache();
    for number in 0..5_000 {
        let known = record(&number.to_string());
        cache.changed(&cells, &known, T0).unwrap();
        assert_eq!(
            cache.lookup(&cells, &known.sha256, T0).unwrap(),
            Lookup::Fresh(Rc::new(known))
        );
        assert!(cache.recent.len() <= 1_024);
    }
}
