//! What is wrong with a configuration, and where.

use super::*;

fn faults(change: &Value) -> Vec<String> {
    let mut spec = json!({"name": "a", "count": "requests", "amount": 1, "period": "1m"});
    for (field, value) in change.as_object().unwrap() {
        spec[field] = value.clone();
    }
    let all = compile(json!([{"name": "ok", "count": "requests", "amount": 1, "period": "1m"}, spec]));
    all.err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn each_fault_says_its_path() {
    for (change, path) in [
        (json!({"name": "a b"}), "limits[1].name: "),
        (json!({"name": ""}), "limits[1].name: "),
        (
            json!({"name": "ok"}),
            "limits[1].name: `ok` is limits[0]'s name already",
        ),
        (json!({"amount": 0}), "limits[1].amount: 0 is not from 1 to "),
        (json!({"amount": 1_000_000_000_001_u64}), "limits[1].amount: "),
        (
            json!({"period": "500ms"}),
            "limits[1].period: 500ms is not from 1s to 31d",
        ),
        (json!({"period": "32d"}), "limits[1].period: "),
        (json!({"period": null}), "limits[1].period: is missing"),
        (json!({"burst": 0}), "limits[1].burst: "),
        (
            json!({"burst": 1_000_000}),
            "limits[1].burst: takes more than a year",
        ),
        (
            json!({"algorithm": "sliding_window", "burst": 1}),
            "limits[1].burst: goes only with",
        ),
        (json!({"slot_ttl": "1m"}), "limits[1].slot_ttl: goes only with"),
        (
            json!({"count": "concurrent"}),
            "limits[1].period: does not go with",
        ),
        (
            json!({"count": "concurrent", "period": null, "slot_ttl": "2d"}),
            "limits[1].slot_ttl: ",
        ),
        (json!({"per": ["global", "key"]}), "limits[1].per: "),
        (json!({"per": ["key", "key"]}), "limits[1].per: "),
        (json!({"max_subjects": 0}), "limits[1].max_subjects: "),
    ] {
        let told = faults(&change);
        assert_eq!(told.len(), 1, "{change}: {told:?}");
        assert!(told[0].starts_with(path), "{change}: {told:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    assert_eq!(
        faults(&json!({"name": "!", "amount": 0, "per": ["key", "key"]})).len(),
        3
    );
}

#[test]
fn unknown_fields_are_refused_with_their_path() {
    let text = r#"[{"name": "a", "count": "requests", "amount": 1, "match": {"model": ["x"]}}]"#;
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = serde_path_to_error::deserialize::<_, Vec<LimitSpec>>(&mut reader).unwrap_err();
    assert!(
        error.path().to_string().starts_with("[0].match"),
        "{}",
        error.path()
    );
}

#[test]
fn nothing_is_no_limit() {
    let limits = compile(json!([])).unwrap();
    assert!(limits.is_empty() && limits.select(&facts()).is_empty());
}

#[test]
fn the_documented_example_is_valid() {
    let specs = json!([
        {"name": "per-key-requests", "count": "requests", "amount": 60, "period": "1m", "burst": 10, "per": ["key"]},
        {"name": "per-workspace-tokens", "algorithm": "sliding_window", "count": "tokens", "amount": 200_000,
         "period": "1h", "per": ["workspace", "model"], "match": {"models": ["gpt-4o*"]}},
        {"name": "streams-at-a-time", "count": "concurrent", "amount": 5, "per": ["key"]},
    ]);
    assert!(!compile(specs).unwrap().is_empty());
}
