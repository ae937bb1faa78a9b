//! Tests of verdicts: what is found, what wins, and that redaction leaves nothing.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const INPUT: ModerationPhase = ModerationPhase::Input;

fn compile(spec: Value) -> Result<Policy, Vec<String>> {
    let spec: PolicySpec = serde_json::from_value(spec).unwrap();
    let mut faults = Vec::new();
    let policy = Policy::compile(&spec, "p", &mut faults);
    if faults.is_empty() {
        Ok(policy)
    } else {
        Err(faults.iter().map(ToString::to_string).collect())
    }
}

fn rules(rules: &Value) -> Policy {
    compile(json!({ "rules": rules })).unwrap()
}

fn judge(policy: &Policy, text: &str) -> Verdict {
    policy.judge(INPUT, &[text.to_owned()])
}

fn redacted(policy: &Policy, text: &str) -> String {
    let verdict = judge(policy, text);
    verdict
        .texts
        .into_iter()
        .next()
        .flatten()
        .unwrap_or_else(|| text.to_owned())
}

#[test]
fn words_match_whole_and_in_any_case() {
    let policy =
        rules(&json!([{"name": "a", "category": "c", "action": "flag", "words": ["Höhle", "new york"]}]));
    for text in ["eine HÖHLE!", "New York", "hö\u{200b}hle", "(new york)"] {
        assert_eq!(judge(&policy, text).action, ModerationAction::Flag, "{text}");
    }
    for text in ["Höhlen", "new yorker", "anew york", ""] {
        assert_eq!(judge(&policy, text).action, ModerationAction::Allow, "{text}");
    }
}

#[test]
fn a_longer_word_does_not_hide_a_shorter_one() {
    let policy =
        rules(&json!([{"name": "a", "category": "c", "action": "flag", "words": ["new", "new york"]}]));
    assert_eq!(judge(&policy, "new yorker").action, ModerationAction::Flag);
}

#[test]
fn parts_of_words_match_where_the_rule_says_so() {
    let policy = rules(
        &json!([{"name": "a", "category": "c", "action": "flag", "words": ["cave"], "whole_word": false}]),
    );
    assert_eq!(judge(&policy, "excavEd").action, ModerationAction::Flag);
}

#[test]
fn a_rule_without_an_action_has_its_categorys() {
    let policy = compile(json!({
        "categories": {"pii": "block"},
        "rules": [{"name": "a", "category": "pii", "regexes": ["x+"]}]
    }));
    assert_eq!(judge(&policy.unwrap(), "xx").action, ModerationAction::Block);
}

#[test]
fn a_rule_of_one_phase_is_silent_in_the_other() {
    let policy = rules(
        &json!([{"name": "a", "category": "c", "action": "block", "regexes": ["x"], "phases": ["output"]}]),
    );
    assert_eq!(judge(&policy, "x").action, ModerationAction::Allow);
    let output = policy.judge(ModerationPhase::Output, &["x".to_owned()]);
    assert_eq!(output.action, ModerationAction::Block);
}

#[test]
fn overlapping_matches_are_redacted_as_one() {
    let policy = rules(&json!([
        {"name": "a", "category": "c", "action": "redact", "regexes": ["abc"], "replacement": "<1>"},
        {"name": "b", "category": "c", "action": "redact", "regexes": ["cde"], "replacement": "<2>"}
    ]));
    assert_eq!(redacted(&policy, "xabcdey"), "x<1>y");
    assert_eq!(redacted(&policy, "abc cde"), "<1> <2>");
}

#[test]
fn what_redaction_brings_together_is_redacted_too() {
    let policy = rules(&json!([
        {"name": "a", "category": "c", "action": "redact", "words": ["x"], "whole_word": false, "replacement": ""},
        {"name": "b", "category": "c", "action": "redact", "words": ["ab"], "whole_word": false}
    ]));
    assert_eq!(redacted(&policy, "axb"), "[REDACTED]");
}

#[test]
fn texts_that_stay_as_they_are_are_not_sent_back() {
    let policy = rules(&json!([{"name": "a", "category": "c", "action": "redact", "regexes": ["x"]}]));
    let verdict = policy.judge(INPUT, &["ab".to_owned(), "axb".to_owned()]);
    assert_eq!(verdict.texts, [None, Some("a[REDACTED]b".to_owned())]);
}

#[test]
fn a_blocked_text_is_stored_without_what_is_to_be_redacted() {
    let policy = compile(json!({
        "store_text": true,
        "rules": [
            {"name": "a", "category": "c", "action": "redact", "detect": ["payment_card"]},
            {"name": "b", "category": "d", "action": "block", "words": ["bomb"]}
        ]
    }));
    let verdict = judge(&policy.unwrap(), "a bomb for 4111 1111 1111 1111");
    assert_eq!(verdict.action, ModerationAction::Block);
    assert_eq!(verdict.categories, ["c", "d"]);
    assert_eq!(verdict.stored.unwrap(), "a bomb for [REDACTED]");
    assert!(verdict.texts.is_empty());
}

#[test]
fn no_more_than_a_thousand_characters_are_stored_and_only_where_policy_says_so() {
    let rule = json!([{"name": "a", "category": "c", "action": "flag", "regexes": ["x"]}]);
    assert_eq!(judge(&rules(&rule), "x").stored, None);
    let policy = compile(json!({"store_text": true, "rules": rule})).unwrap();
    let stored = policy
        .judge(INPUT, &["é".repeat(900), "ö".repeat(900)])
        .stored
        .unwrap();
    assert_eq!(stored.chars().count(), 1000);
}

#[test]
fn a_text_full_of_matches_does_not_grow_without_bound() {
    let policy = rules(&json!([
        {"name": "a", "category": "c", "action": "redact", "words": ["x"], "whole_word": false,
            "replacement": "-".repeat(64)}
    ]));
    assert_eq!(redacted(&policy, &"x".repeat(1_000_000)), "[REDACTED]");
}

#[test]
fn every_fault_of_a_policy_is_told_with_its_path() {
    let faults = compile(json!({
        "replacement": "secret",
        "rules": [
            {"name": "a", "category": "c", "regexes": ["("], "action": "flag"},
            {"name": "a", "category": "c", "regexes": ["x*"], "action": "flag"},
            {"name": "b", "category": "c", "words": ["", "secret"], "action": "redact"},
            {"name": "d", "category": "c", "words": ["ok"]},
            {"name": "e", "category": "c", "action": "flag"},
            {"name": "f", "category": "c", "regexes": ["\\w{5000}"], "action": "flag"}
        ]
    }))
    .unwrap_err();
    for path in [
        "p.rules[0].regexes[0]: ",
        "p.rules[1].name: ",
        "p.rules[1].regexes[0]: ",
        "p.rules[2].words[0]: ",
        "p.rules[3].action: ",
        "p.rules[4]: ",
        "p.rules[5].regexes[0]: ",
        "p.replacement: rule \"b\"",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(path)),
            "{path} in {faults:#?}"
        );
    }
}

/// A policy of a few rules over a small alphabet, so that matches are frequent and overlap.
fn any_policy() -> impl Strategy<Value = Policy> {
    let action = prop_oneof![Just("allow"), Just("flag"), Just("redact"), Just("block")];
    let rule = (
        action,
        proptest::collection::vec("[abx ]{1,4}", 1..3),
        any::<bool>(),
        "[-ab]{0,3}",
    );
    proptest::collection::vec(rule, 1..6).prop_filter_map("a replacement is redacted again", |specs| {
        let rules: Vec<Value> = specs
            .into_iter()
            .enumerate()
            .map(|(i, (action, words, whole_word, replacement))| {
                json!({"name": i.to_string(), "category": format!("c{}", i % 2), "action": action, "words": words,
                    "whole_word": whole_word, "replacement": replacement})
            })
            .collect();
        compile(json!({ "rules": rules })).ok()
    })
}

proptest! {
    #[test]
    fn the_verdict_is_the_strongest_of_the_rules_that_match(policy in any_policy(), text in "[ABabx ]{0,12}") {
        let matching = policy.rules.iter().filter(|rule| rule.matcher.is_match(&Text::new(&text)));
        let strongest = matching.map(|rule| rule.action).max().unwrap_or(ModerationAction::Allow);
        prop_assert_eq!(judge(&policy, &text).action, strongest);
    }

    #[test]
    fn redaction_leaves_no_match(policy in any_policy(), text in "[ABabx ]{0,24}") {
        let rules = policy.redacting(INPUT);
        let result = redact(&text, &rules, &policy.replacement);
        let after = Text::new(result.as_deref().unwrap_or(&text));
        for rule in rules {
            prop_assert!(!rule.matcher.is_match(&after), "{:?} matches {:?}", rule.name, after.raw);
        }
    }

    #[test]
    fn no_text_panics(policy in any_policy(), texts in proptest::collection::vec(".{0,30}", 0..4)) {
        let verdict = policy.judge(INPUT, &texts);
        prop_assert!(verdict.texts.is_empty() || verdict.texts.len() == texts.len());
    }
}
