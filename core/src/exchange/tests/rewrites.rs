//! Requests whose bodies several things change at once: rules, budgets, a usage event that is asked for.

use serde_json::{Value, json};

use super::budgets::{granted, send_asking};
use super::*;

/// The body that the provider gets.
fn sent(config: &Value, body: &[u8]) -> Result<Value, u16> {
    let mut bench = Bench::new(config);
    let mut exchange = bench.exchange();
    match bench.send(&mut exchange, "/v1/chat/completions", body) {
        Ended::Released { body } => Ok(serde_json::from_slice(&body).unwrap()),
        Ended::Refused(status) => Err(status),
    }
}

#[test]
fn a_budgets_cap_takes_the_place_of_a_rules_and_leaves_the_usage_event_asked_for() {
    let rules = json!({"validation": [{"rules": {"max_output_tokens": 1_000}}]});
    for (more, capped) in [(json!({}), 1_024), (rules, 1_000)] {
        for lease in [500_000_000, 200_000] {
            let mut bench = Bench::with_budgets(&config(&more));
            let mut exchange = bench.exchange();
            let answer = granted(1_000_000_000, 0, lease);
            let (_, ended) = send_asking(&mut bench, &mut exchange, STREAM, Some(&answer));
            let Ended::Released { body } = ended else { panic!() };
            let body = String::from_utf8(body).unwrap();
            assert_eq!(body.matches("max_tokens").count(), 1, "{body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            let cap = body["max_tokens"].as_u64().unwrap();
            assert!(
                if lease > 1_000_000 {
                    cap == capped
                } else {
                    cap < 400
                },
                "{cap}"
            );
            assert_eq!(body["stream_options"], json!({"include_usage": true}));
        }
    }
}

#[test]
fn each_rule_sees_what_those_before_it_have_changed() {
    let sanitised = json!({"rules": {"max_output_tokens": 50, "sanitize": {"html": "strip"}}});
    let capped = json!({"rules": {"max_output_tokens": 20}});
    let looks = json!({"rules": {"parameters": {"max_tokens": {"min": 10, "max": 30}}}});
    let forbids = json!({"rules": {"forbidden_parameters": ["max_tokens"]}});
    let body = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"<b>Hello</b>"}]}"#;
    let with = |rules: &[&Value]| sent(&config(&json!({"validation": rules})), body);

    for rules in [&[&sanitised, &capped, &looks][..], &[&capped, &looks, &sanitised]] {
        let expected = json!({"model": "gpt-4o-mini", "max_tokens": 20,
                              "messages": [{"role": "user", "content": "Hello"}]});
        assert_eq!(with(rules), Ok(expected));
    }
    assert_eq!(with(&[&sanitised, &looks, &capped]), Err(400));
    assert_eq!(with(&[&capped, &forbids]), Err(400));
    assert!(with(&[&forbids, &capped]).is_ok());
}

#[test]
fn an_alias_and_a_rule_change_the_body_and_nothing_else() {
    let mut bench = Bench::new(&config(&json!({
        "model_aliases": {"fast": "gpt-4o-mini"},
        "validation": [{"rules": {"max_output_tokens": 50, "over_max_output_tokens": "clamp"}}],
    })));
    let mut exchange = bench.exchange();
    let body =
        br#"{ "model" : "fast", "max_tokens": 900, "x": 1.50, "messages":[{"role":"user","content":"Hi"}] }"#;
    let Ended::Released { body } = bench.send(&mut exchange, "/v1/chat/completions", body) else {
        panic!()
    };
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{ "model" : "gpt-4o-mini", "max_tokens": 50, "x": 1.50, "messages":[{"role":"user","content":"Hi"}] }"#
    );
}

#[test]
fn a_changed_body_comes_with_its_length() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.headers(&mut exchange, "/v1/chat/completions");
    exchange.request_data(STREAM.len(), true);
    let Step::Release(release) = bench.env(|env| exchange.request_body(STREAM, env)) else {
        panic!()
    };
    let length = release.body.unwrap().len().to_string();
    assert!(
        release
            .headers
            .contains(&crate::headers::HeaderOp::Set("content-length".into(), length))
    );
    assert!(
        release
            .headers
            .contains(&crate::headers::HeaderOp::Remove("authorization".to_owned()))
    );
}
