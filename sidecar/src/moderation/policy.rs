//! One policy: its rules, compiled, and its verdict on texts.

use std::collections::BTreeSet;

use tollgate_core::config::Fault;
use tollgate_core::wire::{ModerationAction, ModerationPhase};

use super::matcher::Matcher;
use super::redact::redact;
use super::spec::{PolicySpec, RuleSpec};
use super::text::Text;

/// Bounds how much a text can grow by redaction.
const MAX_REPLACEMENT_BYTES: usize = 64;
const MAX_RULES: usize = 500;
const MAX_NAME_CHARS: usize = 64;
/// How much of a text is kept with its verdict, where the policy stores text.
const STORED_CHARS: usize = 1000;

/// A policy.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<Rule>,
    store_text: bool,
    replacement: String,
}

/// A rule of a policy.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    name: String,
    category: String,
    action: ModerationAction,
    phases: Vec<ModerationPhase>,
    pub(super) matcher: Matcher,
    pub(super) replacement: String,
}

/// What a policy says of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The strongest action of the rules that matched.
    pub action: ModerationAction,
    /// Categories of the rules that matched, each once.
    pub categories: Vec<String>,
    /// Names of the rules that matched, each once.
    pub rules: Vec<String>,
    /// With `redact`: one entry a text, the new text or none where it stays as it is. Else empty.
    pub texts: Vec<Option<String>>,
    /// The first 1,000 characters, where the policy stores text. What its rules redact is redacted here too,
    /// also where the verdict is stronger.
    pub stored: Option<String>,
}

// === impl Policy ===

impl Policy {
    /// Compiles a policy; faults are told under `path`.
    pub fn compile(spec: &PolicySpec, path: &str, faults: &mut Vec<Fault>) -> Self {
        if spec.rules.is_empty() || spec.rules.len() > MAX_RULES {
            faults.push(Fault::at(
                format!("{path}.rules"),
                format!("expected 1 to {MAX_RULES}"),
            ));
        }
        check_replacement(&spec.replacement, &format!("{path}.replacement"), faults);
        let mut names = BTreeSet::new();
        let mut rules = Vec::new();
        for (i, rule) in spec.rules.iter().enumerate().take(MAX_RULES) {
            let rule_path = format!("{path}.rules[{i}]");
            if !names.insert(rule.name.as_str()) {
                let message = format!("{:?} is another rule's name", rule.name);
                faults.push(Fault::at(format!("{rule_path}.name"), message));
            }
            rules.extend(Rule::compile(rule, spec, &rule_path, faults));
        }
        let policy = Self {
            rules,
            store_text: spec.store_text,
            replacement: spec.replacement.clone(),
        };
        policy.check_replacements(path, spec, faults);
        policy
    }

    /// The verdict on texts of one side of a call. Every rule is tried on every text, so that the log is told
    /// everything that was found.
    pub fn judge(&self, phase: ModerationPhase, texts: &[String]) -> Verdict {
        let in_phase: Vec<&Rule> = self
            .rules
            .iter()
            .filter(|rule| rule.phases.contains(&phase))
            .collect();
        let prepared: Vec<Text<'_>> = texts.iter().map(|text| Text::new(text)).collect();
        let matched: Vec<&Rule> = in_phase
            .into_iter()
            .filter(|rule| prepared.iter().any(|text| rule.matcher.is_match(text)))
            .collect();
        drop(prepared);
        let action = matched
            .iter()
            .map(|rule| rule.action)
            .max()
            .unwrap_or(ModerationAction::Allow);
        let redacting: Vec<&Rule> = matched
            .iter()
            .copied()
            .filter(|rule| rule.action == ModerationAction::Redact)
            .collect();
        let redacted: Vec<Option<String>> = if action == ModerationAction::Redact || self.store_text {
            // A rule that did not match may match what redaction brings together.
            let rules = if redacting.is_empty() {
                Vec::new()
            } else {
                self.redacting(phase)
            };
            texts
                .iter()
                .map(|text| redact(text, &rules, &self.replacement))
                .collect()
        } else {
            Vec::new()
        };
        let categories: BTreeSet<&str> = matched.iter().map(|rule| rule.category.as_str()).collect();
        Verdict {
            action,
            categories: categories.into_iter().map(str::to_owned).collect(),
            rules: matched.iter().map(|rule| rule.name.clone()).collect(),
            stored: self.store_text.then(|| beginning(texts, &redacted)),
            texts: if action == ModerationAction::Redact {
                redacted
            } else {
                Vec::new()
            },
        }
    }

    /// The text without what any rule redacts or blocks, whichever side of the call it is for; none where there is
    /// nothing of the kind.
    pub fn censor(&self, text: &str) -> Option<String> {
        let hides = |rule: &&Rule| matches!(rule.action, ModerationAction::Redact | ModerationAction::Block);
        let rules: Vec<&Rule> = self.rules.iter().filter(hides).collect();
        redact(text, &rules, &self.replacement)
    }

    /// What stands where something was redacted, if its rule says nothing else.
    pub fn replacement(&self) -> &str {
        &self.replacement
    }

    fn redacting(&self, phase: ModerationPhase) -> Vec<&Rule> {
        self.rules
            .iter()
            .filter(|rule| rule.action == ModerationAction::Redact && rule.phases.contains(&phase))
            .collect()
    }

    /// A replacement that a rule would redact again could never be the end of it.
    fn check_replacements(&self, path: &str, spec: &PolicySpec, faults: &mut Vec<Fault>) {
        let own = spec.rules.iter().enumerate().filter_map(|(i, rule)| {
            Some((
                format!("{path}.rules[{i}].replacement"),
                rule.replacement.as_deref()?,
            ))
        });
        let all = std::iter::once((format!("{path}.replacement"), self.replacement.as_str())).chain(own);
        for (replacement_path, replacement) in all {
            let matching = self.rules.iter().find(|rule| {
                rule.action == ModerationAction::Redact && rule.matcher.is_match(&Text::new(replacement))
            });
            if let Some(rule) = matching {
                let message = format!("rule {:?} would redact it again, choose another text", rule.name);
                faults.push(Fault::at(replacement_path, message));
            }
        }
    }
}

// === impl Rule ===

impl Rule {
    fn compile(spec: &RuleSpec, policy: &PolicySpec, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        for (field, text) in [("name", &spec.name), ("category", &spec.category)] {
            if text.trim().is_empty() || text.chars().count() > MAX_NAME_CHARS {
                let message = format!("expected 1 to {MAX_NAME_CHARS} characters");
                faults.push(Fault::at(format!("{path}.{field}"), message));
            }
        }
        if let Some(replacement) = &spec.replacement {
            check_replacement(replacement, &format!("{path}.replacement"), faults);
        }
        if spec.phases.is_empty() {
            faults.push(Fault::at(
                format!("{path}.phases"),
                "expected input, output or both",
            ));
        }
        let matcher = Matcher::compile(spec, path, faults);
        let Some(action) = spec
            .action
            .or_else(|| policy.categories.get(&spec.category).copied())
        else {
            let message = format!("required, as category {:?} has no action either", spec.category);
            faults.push(Fault::at(format!("{path}.action"), message));
            return None;
        };
        Some(Self {
            name: spec.name.clone(),
            category: spec.category.clone(),
            action,
            phases: spec.phases.clone(),
            matcher,
            replacement: spec.replacement.as_ref().unwrap_or(&policy.replacement).clone(),
        })
    }
}

fn check_replacement(text: &str, path: &str, faults: &mut Vec<Fault>) {
    if text.len() > MAX_REPLACEMENT_BYTES {
        faults.push(Fault::at(
            path,
            format!("expected at most {MAX_REPLACEMENT_BYTES} bytes"),
        ));
    }
}

/// The first 1,000 characters of the texts, one a line, redacted where they are.
fn beginning(texts: &[String], redacted: &[Option<String>]) -> String {
    let mut out = String::new();
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str(redacted.get(i).and_then(Option::as_deref).unwrap_or(text));
        if out.len() > STORED_CHARS * 4 {
            break;
        }
    }
    out.chars()
        .take(STORED_CHARS)
        .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
