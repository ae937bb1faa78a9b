use proptest::prelude::*;
use serde_json::{Value, json};

use super::Rules;
use super::spec::RulesSpec;
use crate::dialect::{classify, parse};
use crate::edit::apply;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/a:generateContent";

fn rules(spec: Value) -> Rules {
    let spec: RulesSpec = serde_json::from_value(spec).unwrap();
    Rules::compile("rules", &spec).unwrap()
}

/// The body after the edits, or the param that was refused.
fn checked(rules: &Rules, path: &str, body: &Value) -> Result<Value, String> {
    let json = body.to_string();
    let endpoint = classify(b"POST", path.as_bytes()).unwrap();
    let request = parse(&endpoint, json.as_bytes()).unwrap();
    let mut caps = request.output_caps();
    let mut edits = rules
        .check(&request, &mut caps)
        .map_err(|invalid| invalid.param)?;
    edits.extend(caps.edits());
    Ok(serde_json::from_slice(&apply(json.as_bytes(), &mut edits)).unwrap())
}

fn refused(spec: Value, path: &str, body: &Value) -> String {
    checked(&rules(spec), path, body).unwrap_err()
}

fn passes(spec: Value, path: &str, body: &Value) {
    assert_eq!(checked(&rules(spec), path, body).as_ref(), Ok(body));
}

fn chat(extra: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
    if let (Value::Object(fields), Value::Object(more)) = (&mut body, extra) {
        fields.extend(more);
    }
    body
}

fn faults(spec: Value) -> Vec<String> {
    let spec: RulesSpec = serde_json::from_value(spec).unwrap();
    let faults = Rules::compile("rules", &spec).unwrap_err();
    faults.into_iter().map(|fault| fault.path).collect()
}

#[test]
fn nothing_is_refused_by_default() {
    let body = chat(json!({"temperature": 9, "n": 100, "max_tokens": 1_000_000, "logit_bias": {"1": 2}}));
    passes(json!({}), CHAT, &body);
}

#[test]
fn messages_and_tools_are_counted() {
    let two = json!({"model": "m", "messages": [{"role": "user"}, {"role": "user"}], "tools": [{}, {}]});
    passes(json!({"max_messages": 2, "max_tools": 2}), CHAT, &two);
    assert_eq!(refused(json!({"max_messages": 1}), CHAT, &two), "messages");
    assert_eq!(refused(json!({"max_tools": 1}), CHAT, &two), "tools");
}

#[test]
fn characters_are_counted_by_message_and_by_prompt() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "ééé"},
        {"role": "user", "content": [{"type": "text", "text": "ab"}, {"type": "text", "text": "cd"}]}]});
    passes(
        json!({"max_message_characters": 4, "max_prompt_characters": 7}),
        CHAT,
        &body,
    );
    assert_eq!(
        refused(json!({"max_message_characters": 3}), CHAT, &body),
        "messages[1]"
    );
    assert_eq!(
        refused(json!({"max_prompt_characters": 6}), CHAT, &body),
        "messages"
    );
}

#[test]
fn instructions_are_measured_too() {
    let body = json!({"model": "m", "instructions": "be brief", "input": "x"});
    assert_eq!(
        refused(json!({"max_message_characters": 7}), RESPONSES, &body),
        "instructions"
    );
}

#[test]
fn roles_are_held_to_a_list() {
    let body = json!({"model": "m", "messages": [{"role": "user"}, {"role": "developer"}]});
    passes(json!({"allowed_roles": ["user", "developer"]}), CHAT, &body);
    assert_eq!(
        refused(json!({"allowed_roles": ["user"]}), CHAT, &body),
        "messages[1].role"
    );
}

#[test]
fn instructions_outside_of_messages_need_the_role_system() {
    let claude = json!({"model": "m", "system": "s", "messages": []});
    assert_eq!(
        refused(json!({"allowed_roles": ["user"]}), MESSAGES, &claude),
        "system"
    );
    passes(json!({"allowed_roles": ["system"]}), MESSAGES, &claude);
}

#[test]
fn forbidden_parameters_are_refused_unless_null() {
    let spec = || json!({"forbidden_parameters": ["logit_bias", "reasoning.effort"]});
    assert_eq!(
        refused(spec(), CHAT, &chat(json!({"logit_bias": {}}))),
        "logit_bias"
    );
    assert_eq!(
        refused(spec(), CHAT, &chat(json!({"reasoning": {"effort": "high"}}))),
        "reasoning.effort"
    );
    passes(
        spec(),
        CHAT,
        &chat(json!({"logit_bias": null, "reasoning": {"summary": "auto"}})),
    );
}

#[test]
fn a_forbidden_parameter_is_found_in_both_of_geminis_spellings() {
    for config in ["generationConfig", "generation_config"] {
        for name in ["topK", "top_k"] {
            let body = json!({"contents": [], config: {name: 3}});
            let spec = json!({"forbidden_parameters": ["generationConfig.topK"]});
            assert_eq!(refused(spec, GEMINI, &body), "generationConfig.topK");
        }
    }
}

#[test]
fn a_forbidden_parameter_does_not_hide_behind_its_double_or_another_case() {
    for body in [
        r#"{"model":"m","messages":[],"x":{"seed":1,"seed":2}}"#,
        r#"{"model":"m","messages":[],"x":{"Seed":1}}"#,
        r#"{"model":"m","messages":[],"x":{},"x":{"seed":1}}"#,
    ] {
        let endpoint = classify(b"POST", CHAT.as_bytes()).unwrap();
        let request = parse(&endpoint, body.as_bytes()).unwrap();
        let rules = rules(json!({"forbidden_parameters": ["x.seed"]}));
        assert_eq!(
            rules
                .check(&request, &mut request.output_caps())
                .unwrap_err()
                .param,
            "x.seed",
            "{body}"
        );
    }
}

#[test]
fn numbers_are_held_to_ranges() {
    let spec = || json!({"parameters": {"temperature": 1.0, "n": {"min": 1, "max": 4}}});
    passes(spec(), CHAT, &chat(json!({"temperature": 1, "n": 4})));
    passes(spec(), CHAT, &chat(json!({"temperature": null})));
    assert_eq!(
        refused(spec(), CHAT, &chat(json!({"temperature": 1.01}))),
        "temperature"
    );
    assert_eq!(refused(spec(), CHAT, &chat(json!({"n": 5}))), "n");
    assert_eq!(refused(spec(), CHAT, &chat(json!({"n": 0}))), "n");
    assert_eq!(
        refused(spec(), CHAT, &chat(json!({"temperature": "2"}))),
        "temperature"
    );
    assert_eq!(
        refused(spec(), CHAT, &chat(json!({"temperature": [2]}))),
        "temperature"
    );
}

#[test]
fn a_cap_on_the_output_can_be_required() {
    let spec = || json!({"require_max_tokens": true});
    assert_eq!(refused(spec(), CHAT, &chat(json!({}))), "max_tokens");
    assert_eq!(
        refused(spec(), GEMINI, &json!({"contents": []})),
        "generationConfig.maxOutputTokens"
    );
    passes(spec(), CHAT, &chat(json!({"max_completion_tokens": 5})));
    passes(spec(), "/v1/embeddings", &json!({"model": "m", "input": "x"}));
}

#[test]
fn a_cap_on_the_output_is_clamped_inserted_or_refused() {
    let clamp = rules(json!({"max_output_tokens": 10}));
    assert_eq!(
        checked(&clamp, CHAT, &chat(json!({"max_tokens": 99}))),
        Ok(chat(json!({"max_tokens": 10})))
    );
    assert_eq!(
        checked(&clamp, CHAT, &chat(json!({}))),
        Ok(chat(json!({"max_tokens": 10})))
    );
    assert_eq!(
        checked(&clamp, CHAT, &chat(json!({"max_tokens": 9}))),
        Ok(chat(json!({"max_tokens": 9})))
    );
    let spec = json!({"max_output_tokens": 10, "over_max_output_tokens": "refuse"});
    assert_eq!(
        refused(spec, CHAT, &chat(json!({"max_completion_tokens": 11}))),
        "max_completion_tokens"
    );
}

#[test]
fn a_cap_is_not_clamped_below_the_budget_for_thinking() {
    let thinking = json!({"model": "m", "messages": [], "max_tokens": 4096,
        "thinking": {"type": "enabled", "budget_tokens": 2048}});
    assert_eq!(
        refused(json!({"max_output_tokens": 2048}), MESSAGES, &thinking),
        "thinking.budget_tokens"
    );
    assert!(checked(&rules(json!({"max_output_tokens": 2049})), MESSAGES, &thinking).is_ok());
}

#[test]
fn prompt_tokens_are_checked_when_they_are_known() {
    let json = chat(json!({})).to_string();
    let endpoint = classify(b"POST", CHAT.as_bytes()).unwrap();
    let request = parse(&endpoint, json.as_bytes()).unwrap();
    let rules = rules(json!({"max_prompt_tokens": 10}));
    assert_eq!(rules.check_prompt_tokens(&request, 10), Ok(()));
    assert_eq!(
        rules.check_prompt_tokens(&request, 11).unwrap_err().param,
        "messages"
    );
}

#[test]
fn texts_of_users_are_sanitised_and_others_are_left() {
    let clean = rules(json!({"sanitize": {"strip_nul": true, "trim": true, "html": "escape"}}));
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": " <sys> "},
        {"role": "user", "content": " a\u{0}<b> "},
        {"role": "assistant", "content": " <kept>\u{0}",
         "tool_calls": [{"function": {"name": "f", "arguments": "{\"x\": \"<y>\"} "}}]}]});
    let after = checked(&clean, CHAT, &body).unwrap();
    assert_eq!(after["messages"][0]["content"], " <sys> ");
    assert_eq!(after["messages"][1]["content"], "a&lt;b&gt;");
    assert_eq!(after["messages"][2]["content"], " <kept>");
    assert_eq!(
        after["messages"][2]["tool_calls"],
        body["messages"][2]["tool_calls"]
    );
}

#[test]
fn impossible_rules_are_faults_with_their_paths() {
    assert_eq!(faults(json!({"allowed_roles": []})), ["rules.allowed_roles"]);
    assert_eq!(
        faults(json!({"max_output_tokens": 0})),
        ["rules.max_output_tokens"]
    );
    assert_eq!(
        faults(json!({"forbidden_parameters": ["a", "b."]})),
        ["rules.forbidden_parameters[1]"]
    );
    assert_eq!(
        faults(json!({"parameters": {"t": {"min": 2, "max": 1}}})),
        ["rules.parameters.t"]
    );
    assert_eq!(faults(json!({"parameters": {"t": {}}})), ["rules.parameters.t"]);
    let many: Vec<String> = (0..65).map(|index| format!("p{index}")).collect();
    assert_eq!(
        faults(json!({"forbidden_parameters": many})),
        ["rules.parameters"]
    );
}

#[test]
fn unknown_rules_are_refused() {
    for spec in [
        json!({"max_mesages": 1}),
        json!({"sanitize": {"htm": "strip"}}),
        json!({"parameters": {"t": "x"}}),
    ] {
        assert!(
            serde_json::from_value::<RulesSpec>(spec.clone()).is_err(),
            "{spec}"
        );
    }
}

proptest! {
    #[test]
    fn sanitised_texts_need_no_second_pass(content in "[ <>a-c&\u{0}\"\\\\é]{0,40}", html in prop::sample::select(vec!["keep", "strip"])) {
        let clean = rules(json!({"sanitize": {"strip_nul": true, "trim": true, "html": html}}));
        let body = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        let once = checked(&clean, CHAT, &body).unwrap();
        prop_assert_eq!(checked(&clean, CHAT, &once), Ok(once.clone()));
        prop_assert!(!once["messages"][0]["content"].as_str().unwrap().contains('\0'));
    }
}
