//! Redaction before storage.

use std::sync::Arc;

use serde_json::Value;
use tollgate_core::wire::{CUT_MARGIN, TextKind, TextPart};

use crate::moderation::Policy;

/// Deeper JSON is taken for text.
const MAX_DEPTH: usize = 64;

/// Takes out of a part what the policies find, and off the end of one that is cut what may be half of such a thing.
pub(super) fn part(part: &mut TextPart, policies: &[Arc<Policy>]) {
    for policy in policies {
        if part.kind == TextKind::Arguments {
            json(&mut part.text, policy);
        }
        text(&mut part.text, policy);
    }
    if part.cut {
        let end = part.text.len().saturating_sub(CUT_MARGIN);
        part.text.truncate(part.text.floor_char_boundary(end));
    }
}

fn text(text: &mut String, policy: &Policy) {
    if let Some(redacted) = policy.censor(text) {
        *text = redacted;
    }
}

/// Looks into the strings of JSON, whose escapes would hide what they say. JSON that was cut cannot be looked into, and
/// goes where it has such escapes.
fn json(json: &mut String, policy: &Policy) {
    match serde_json::from_str::<Value>(json) {
        Ok(mut value) => {
            if strings(&mut value, policy, MAX_DEPTH) {
                *json = value.to_string();
            }
        }
        Err(_) if json.contains("\\u") => policy.replacement().clone_into(json),
        Err(_) => {}
    }
}

/// Redacts every string of a value, names of fields included; says whether there was anything.
fn strings(value: &mut Value, policy: &Policy, depth: usize) -> bool {
    let Some(deeper) = depth.checked_sub(1) else {
        *value = Value::String(policy.replacement().to_owned());
        return true;
    };
    match value {
        Value::String(found) => {
            let redacted = policy.censor(found);
            redacted.map(|redacted| *found = redacted).is_some()
        }
        Value::Array(items) => {
            let redacted = items.iter_mut().map(|item| strings(item, policy, deeper));
            redacted.fold(false, |any, one| any | one)
        }
        Value::Object(fields) => {
            let mut any = false;
            for (name, mut field) in std::mem::take(fields) {
                any |= strings(&mut field, policy, deeper);
                let redacted = policy.censor(&name);
                any |= redacted.is_some();
                fields.insert(redacted.unwrap_or(name), field);
            }
            any
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_core::wire::TextRole;

    use super::*;
    use crate::moderation::Moderation;

    const RULES: &str = r"
policies:
  p:
    rules:
      - {name: mail, category: pii, action: redact, regexes: ['\w+@\w+\.\w+']}
      - {name: bird, category: confidential, action: block, phases: [input], words: [nightingale]}
      - {name: noise, category: tone, action: flag, words: [harmless]}
";

    fn kept(kind: TextKind, text: &str, cut: bool) -> String {
        let mut faults = Vec::new();
        let spec = serde_saphyr::from_str(RULES).unwrap();
        let moderation = Moderation::compile(&spec, "moderation", &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        let mut said = TextPart {
            index: None,
            role: TextRole::User,
            kind,
            text: text.to_owned(),
            cut,
        };
        part(&mut said, &[Arc::clone(moderation.policy("p").unwrap())]);
        said.text
    }

    #[test]
    fn what_rules_redact_or_block_is_taken_out_and_nothing_else() {
        assert_eq!(
            kept(TextKind::Text, "a@b.cd of Nightingale, harmless", false),
            "[REDACTED] of [REDACTED], harmless"
        );
    }

    #[test]
    fn escapes_hide_nothing_in_arguments() {
        let arguments = r#"{"to":"a\u0040b.cd","x\u0040y.cd":[1.50,{"deep":"night\u0069ngale"}]}"#;
        let found = kept(TextKind::Arguments, arguments, false);
        assert_eq!(
            found,
            r#"{"[REDACTED]":[1.5,{"deep":"[REDACTED]"}],"to":"[REDACTED]"}"#
        );
        assert_eq!(
            kept(TextKind::Arguments, arguments.split_at(20).0, false),
            "[REDACTED]"
        );
        let harmless = r#"{"n": 1.50, "text": "as it\u0020was"}"#;
        assert_eq!(kept(TextKind::Arguments, harmless, false), harmless);
        let deep = format!("{}\"a\\u0040b.cd\"{}", "[".repeat(100), "]".repeat(100));
        assert!(!kept(TextKind::Arguments, &deep, false).contains("b.cd"));
    }

    #[test]
    fn a_cut_text_loses_its_margin_where_half_a_secret_may_be() {
        let text = format!("a@b.cd{} half@of", " ".repeat(CUT_MARGIN));
        assert_eq!(kept(TextKind::Text, &text, true), "[REDACTED]        ");
        assert_eq!(kept(TextKind::Text, "é", true), "");
    }
}
