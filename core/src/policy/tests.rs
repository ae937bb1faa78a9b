use serde_json::{Value, json};

use super::*;
use crate::cells::MemoryCells;
use crate::config::{Config, Written};

fn limit(name: &str, amount: u64) -> Value {
    json!({"name": name, "count": "requests", "amount": amount, "period": "1m", "per": ["key"]})
}

fn policy(version: u64, limits: &[Value]) -> Vec<u8> {
    json!({"version": version, "limits": limits})
        .to_string()
        .into_bytes()
}

fn compiled(limits: &[Value]) -> Result<Config, Vec<String>> {
    let written = Written::parse(json!({"limits": [limit("own", 5)]}).to_string().as_bytes()).unwrap();
    let policy = Policy::parse(&policy(1, limits)).unwrap();
    written
        .compile(&policy)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn every_worker_sees_a_policy_once() {
    let cells = MemoryCells::new();
    let (mut one, mut other) = (Follower::default(), Follower::default());
    assert_eq!(one.look(&cells), Ok(None), "there is none yet");
    assert_eq!(is_news(&cells, 0), Ok(false));
    assert_eq!(is_news(&cells, 7), Ok(true));

    store(&cells, &policy(7, &[limit("a", 1)])).unwrap();
    assert_eq!(is_news(&cells, 7), Ok(false));
    for worker in [&mut one, &mut other] {
        let seen = worker.look(&cells).unwrap().expect("it is new to this worker");
        assert_eq!((seen.version, seen.limits.len()), (7, 1));
        assert_eq!(worker.look(&cells), Ok(None));
    }
}

#[test]
fn a_ledger_that_was_restored_takes_its_policy_back() {
    let cells = MemoryCells::new();
    let mut worker = Follower::default();
    store(&cells, &policy(7, &[limit("a", 1)])).unwrap();
    worker.look(&cells).unwrap();
    assert_eq!(is_news(&cells, 0), Ok(true));
    store(&cells, &policy(0, &[])).unwrap();
    assert_eq!(worker.look(&cells), Ok(Some(Policy::default())));
}

#[test]
fn what_two_workers_stored_at_once_is_asked_for_again() {
    let cells = MemoryCells::new();
    let mut worker = Follower::default();
    store(&cells, &policy(8, &[])).unwrap();
    // The version of one and the document of the other.
    cells.set(VERSION, &9_u64.to_le_bytes(), Version::ANY).unwrap();
    assert_eq!(worker.look(&cells), Ok(None));
    assert_eq!(is_news(&cells, 9), Ok(true));
    store(&cells, &policy(9, &[])).unwrap();
    assert_eq!(worker.look(&cells).unwrap().map(|policy| policy.version), Some(9));
}

#[test]
fn what_is_no_policy_changes_nothing() {
    let cells = MemoryCells::new();
    store(&cells, &policy(1, &[])).unwrap();
    let mistyped = policy(2, &[json!({"name": "a", "count": "apples", "amount": 1})]);
    let error = store(&cells, &mistyped).unwrap_err().to_string();
    assert!(error.starts_with("limits[0].count"), "{error}");
    let huge = vec![b' '; MAX_BYTES + 1];
    assert_eq!(store(&cells, &huge), Err(PolicyError::TooLarge(MAX_BYTES + 1)));
    assert_eq!(is_news(&cells, 1), Ok(false), "the one before stands");
}

#[test]
fn what_a_newer_sidecar_adds_is_passed_over() {
    let policy = Policy::parse(br#"{"version": 3, "limits": [], "fares": {"a": 1}}"#).unwrap();
    assert_eq!(policy.version, 3);
}

#[test]
fn limits_of_both_places_are_one_set() {
    assert!(compiled(&[limit("a", 1), limit("b", 2)]).is_ok());
    assert_eq!(
        compiled(&[limit("a", 1), limit("own", 2)]).unwrap_err(),
        ["policy.limits[1].name: `own` is limits[0]'s name already"]
    );
    let many: Vec<Value> = (0..128).map(|number| limit(&format!("n{number}"), 1)).collect();
    assert_eq!(
        compiled(&many).unwrap_err(),
        ["policy.limits: 129 limits in all; there may be 128"]
    );
    assert!(compiled(&many[..127]).is_ok());
}

#[test]
fn the_sidecar_finds_what_gateways_would_refuse() {
    let bad = Policy {
        limits: vec![serde_json::from_value(limit("a b", 0)).unwrap()],
        ..Policy::default()
    };
    let faults: Vec<String> = bad
        .check()
        .unwrap_err()
        .into_iter()
        .map(|fault| fault.path)
        .collect();
    assert_eq!(faults, ["policy.limits[0].name", "policy.limits[0].amount"]);
}

#[test]
fn a_policy_is_read_as_it_was_written() {
    let json = json!({
        "version": 4,
        "limits": [
            {"name": "b", "algorithm": "token_bucket", "count": "tokens", "amount": 10, "period": "90s", "burst": 3,
             "per": ["workspace", "model"], "mode": "shadow", "max_subjects": 5,
             "match": {"dialects": ["messages"], "paths": ["/v1/*"], "models": ["a*"], "workspaces": ["w"], "keys": ["k"]}},
            {"name": "c", "count": "concurrent", "amount": 2, "slot_ttl": "1m"},
        ],
        "resets": [{"limit": "b", "subject": {"workspace": "w", "model": "a"}, "generation": 9}, {"limit": "c", "generation": 10}],
    });
    let policy = Policy::parse(json.to_string().as_bytes()).unwrap();
    let again = Policy::parse(&serde_json::to_vec(&policy).unwrap()).unwrap();
    assert_eq!(policy, again);
    assert_eq!((policy.limits.len(), policy.resets.len()), (2, 2));
}

const PRICED: &str = r#"{"version": 3, "prices": {
    "own": {"input_cost_per_token": 7e-6}, "gpt-4o": {"input_cost_per_token": 9e-6, "output_cost_per_token": 0}
}}"#;

/// What a model costs for a prompt token, in nano-dollars.
fn per_token(config: &Config, model: &str) -> u64 {
    let usage = crate::usage::Usage {
        input_tokens: 1_000,
        ..crate::usage::Usage::default()
    };
    let (price, _) = config.quote("openai", model).price().expect("it has a price");
    price.cost(&usage, None).0 / 1_000
}

#[test]
fn a_price_of_the_policy_goes_before_that_of_the_configuration_and_ends_with_it() {
    let own = json!({"prices": {"catalogue": {"own": {"input_cost_per_token": 5e-6}}}});
    let written = Written::parse(own.to_string().as_bytes()).unwrap();
    let before = written.compile(&Policy::default()).unwrap();
    let policy = Policy::parse(PRICED.as_bytes()).unwrap();
    assert_eq!(policy.check(), Ok(()));
    let with = written.compile(&policy).unwrap();
    assert_eq!(
        (per_token(&before, "own"), per_token(&with, "own")),
        (5_000, 7_000)
    );
    assert_eq!(
        per_token(&with, "openai/gpt-4o"),
        9_000,
        "it goes before those that come with Tollgate"
    );
    let after = written.compile(&Policy::default()).unwrap();
    assert_eq!(per_token(&after, "own"), 5_000);
}

#[test]
fn a_price_that_is_none_is_refused_with_the_whole_policy() {
    let policy = br#"{"version": 3, "prices": {"m": {"input_cost_per_tokn": 1}}}"#;
    let policy = Policy::parse(policy).unwrap();
    let faults = policy.check().unwrap_err();
    assert!(faults[0].path.starts_with("policy.prices.m"), "{faults:?}");
    let written = Written::parse(b"{}").unwrap();
    assert!(written.compile(&policy).is_err());
}
