use super::parse;

/// The faults of a configuration, as people read them.
fn faults(json: &str) -> Vec<String> {
    let faults = parse(json.as_bytes()).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn limit(fields: &str) -> String {
    format!(r#"{{"limits":[{{"name":"a","count":"requests","amount":5,"period":"1m"{fields}}}]}}"#)
}

#[test]
fn nothing_is_a_configuration() {
    for json in ["", " ", "{}"] {
        assert_eq!(faults(json), [""; 0], "{json:?}");
    }
}

#[test]
fn a_fault_in_shape_is_told_with_its_path_and_in_words() {
    for (json, told) in [
        (
            r#"{"limits":[{"period":60}]}"#,
            "limits[0].period: invalid type: integer `60`, expected a span of time, like 30s",
        ),
        (
            r#"{"limits":[{"period":"soon"}]}"#,
            "limits[0].period: `soon` is no span of time; write a whole number and ms, s, m, h or d, like 30s",
        ),
        (
            r#"{"limits":[{"amount":"five"}]}"#,
            "limits[0].amount: invalid type: string \"five\", expected a whole number",
        ),
        (
            r#"{"limits":[{"amount":-5}]}"#,
            "limits[0].amount: invalid value: integer `-5`, expected a whole number",
        ),
        (
            r#"{"limits":[{"per":"key"}]}"#,
            "limits[0].per: invalid type: string \"key\", expected a list",
        ),
        (
            r#"{"limits":[{"algorithm":"leaky"}]}"#,
            "limits[0].algorithm: unknown variant `leaky`, expected `token_bucket` or `sliding_window`",
        ),
        (r#"{"limits":[{"name":"a"}]}"#, "limits[0]: missing field `count`"),
        (
            r#"{"budgets":{"status":70000}}"#,
            "budgets.status: invalid value: integer `70000`, expected a whole number below 65536",
        ),
        (
            r#"{"identity":{"jwt":{"payload_in_metadata":"c","workspace_clam":"w"}}}"#,
            "identity.jwt.workspace_clam: unknown field `workspace_clam`, expected one of `payload_in_metadata`, \
             `workspace_claim`, `user_claim`, `session_claim`",
        ),
        (
            r#"{"limits":[{"match":{"models":[""]}}]}"#,
            "limits[0].match.models[0]: an empty pattern matches nothing; write * for everything",
        ),
        (
            r#"{"keys":[{"sha256":"abc"}]}"#,
            "keys[0].sha256: expected 64 hex digits (a SHA-256)",
        ),
    ] {
        assert_eq!(faults(json), [told], "{json}");
    }
}

#[test]
fn all_faults_in_values_are_told_at_once() {
    let json = r#"{
        "gateway_id": "", "sidecar": {"cluster": "", "token": ""},
        "identity": {"credential_headers": ["X-Key"], "session_header": ""},
        "limits": [{"name": "a b", "count": "requests", "amount": 0, "period": "90d"}],
        "validation": [{"rules": {"allowed_roles": []}}], "model_aliases": {"fast": ""},
        "budgets": {"status": 200, "max_budgets": 0}, "key_cache": {"max_keys": 0},
        "bodies": {"max_request_bytes": 0}, "journal": {"max_events_per_worker": 0},
        "providers": [{"name": ""}]}"#;
    let told = faults(json);
    for path in [
        "gateway_id: ",
        "sidecar.cluster: ",
        "sidecar.token: ",
        "identity.credential_headers[0]: ",
        "identity.session_header: ",
        "limits[0].name: ",
        "limits[0].amount: ",
        "limits[0].period: 90d is not from 1s to 31d",
        "validation[0].rules.allowed_roles: ",
        "model_aliases.fast: ",
        "budgets.status: ",
        "budgets.max_budgets: ",
        "key_cache.max_keys: ",
        "bodies.max_request_bytes: ",
        "journal.max_events_per_worker: ",
        "providers[0].name: ",
    ] {
        assert!(
            told.iter().any(|fault| fault.starts_with(path)),
            "{path} in {told:#?}"
        );
    }
}

#[test]
fn moderation_without_a_sidecar_is_a_fault() {
    let told = faults(r#"{"moderation":[{"policy":"default"}]}"#);
    assert!(told[0].starts_with("moderation[0]: "), "{told:?}");
}

#[test]
fn a_limit_of_one_kind_does_not_take_what_is_anothers() {
    for (fields, path) in [
        (r#","slot_ttl":"1m""#, "limits[0].slot_ttl: "),
        (r#","algorithm":"sliding_window","burst":2"#, "limits[0].burst: "),
        (r#","per":["global","key"]"#, "limits[0].per: "),
    ] {
        let told = faults(&limit(fields));
        assert!(told[0].starts_with(path), "{told:?}");
    }
}

#[test]
fn json_that_is_none_is_told_with_its_place() {
    assert!(
        faults("{\"limits\": [").join("").contains("line 1"),
        "{:?}",
        faults("{\"limits\": [")
    );
}
