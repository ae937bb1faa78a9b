//! A cheaper model while a budget runs low.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::limit::{Facts, MatchSpec};
use crate::price::Catalogue;

/// Replaces models while little of a budget is left, e.g. `gpt-4o` by `gpt-4o-mini` under 40 %.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DowngradeSpec {
    /// Which requests; all, if absent. `models` in it are those that the client names.
    #[serde(default, rename = "match")]
    pub selector: MatchSpec,
    /// Applies while any budget of the request has less than this left, in percent of its amount: 1 to 100.
    pub below_percent: u8,
    /// What stands in for what: `{"gpt-4o": "gpt-4o-mini"}`. Both are models of one provider, since the request goes
    /// to the same endpoint.
    pub models: BTreeMap<String, String>,
}

/// Which model stands in for which, and when.
#[derive(Debug, Clone, Default)]
pub struct Downgrades(Vec<DowngradeSpec>);

// === impl DowngradeSpec ===

impl DowngradeSpec {
    /// What is wrong with it, each with the field's name.
    pub fn faults(&self, catalogue: &Catalogue) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if !(1..=100).contains(&self.below_percent) {
            let message = format!("{} is no percentage; write 1 to 100", self.below_percent);
            faults.push(("below_percent".to_owned(), message));
        }
        if self.models.is_empty() {
            let message = "is empty; name at least one model and what stands in for it".to_owned();
            faults.push(("models".to_owned(), message));
        }
        for (model, cheaper) in &self.models {
            let at = format!("models.{model}");
            if model == cheaper || cheaper.is_empty() {
                faults.push((
                    at,
                    "a model cannot stand in for itself; name a cheaper one".to_owned(),
                ));
                continue;
            }
            let provider = |name: &str| catalogue.price(name)?.provider().map(str::to_owned);
            if let (Some(from), Some(to)) = (provider(model), provider(cheaper))
                && from != to
            {
                let message = format!(
                    "`{model}` is a model of {from} and `{cheaper}` one of {to}; a request keeps its endpoint, so name one of {from}"
                );
                faults.push((at, message));
            }
        }
        faults
    }
}

// === impl Downgrades ===

impl Downgrades {
    /// Those that have no [faults](DowngradeSpec::faults).
    pub fn new(mut specs: Vec<DowngradeSpec>) -> Self {
        // The tightest first: it is the one that applies.
        specs.sort_by_key(|spec| spec.below_percent);
        Self(specs)
    }

    /// Whether there are none, so that nobody needs to look at how budgets stand.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands in for a model while the tightest budget has so many percent left.
    pub fn cheaper(&self, facts: &Facts<'_>, model: &str, percent_left: u8) -> Option<&str> {
        self.0
            .iter()
            .filter(|spec| percent_left < spec.below_percent && spec.selector.fits(facts))
            .find_map(|spec| spec.models.get(model))
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::Dialect;

    fn spec(value: &Value) -> DowngradeSpec {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn facts(model: &str) -> Facts<'_> {
        Facts {
            dialect: Dialect::ChatCompletions,
            path: "/v1/chat/completions",
            model: Some(model),
            workspace: Some("acme"),
            user: None,
            session: None,
            key_id: None,
            ip: None,
        }
    }

    fn tiers() -> Downgrades {
        Downgrades::new(vec![
            spec(&json!({"below_percent": 40, "models": {"gpt-4o": "gpt-4o-mini", "o1": "o3-mini"}})),
            spec(&json!({"below_percent": 20, "models": {"gpt-4o": "gpt-4.1-nano"}})),
        ])
    }

    #[test]
    fn the_tightest_tier_that_names_the_model_applies() {
        let tiers = tiers();
        for (model, left, expected) in [
            ("gpt-4o", 100, None),
            ("gpt-4o", 40, None),
            ("gpt-4o", 39, Some("gpt-4o-mini")),
            ("gpt-4o", 20, Some("gpt-4o-mini")),
            ("gpt-4o", 19, Some("gpt-4.1-nano")),
            ("o1", 5, Some("o3-mini")),
            ("gpt-4o-mini", 0, None),
        ] {
            assert_eq!(
                tiers.cheaper(&facts(model), model, left),
                expected,
                "{model} {left}"
            );
        }
    }

    #[test]
    fn a_tier_is_for_the_requests_that_it_matches() {
        let only = spec(&json!({
            "match": {"workspaces": ["globex"]}, "below_percent": 40, "models": {"gpt-4o": "gpt-4o-mini"},
        }));
        let tiers = Downgrades::new(vec![only]);
        assert_eq!(tiers.cheaper(&facts("gpt-4o"), "gpt-4o", 1), None);
    }

    #[test]
    fn a_model_of_another_provider_cannot_stand_in() {
        let catalogue = Catalogue::built_in();
        let crossing = spec(&json!({"below_percent": 40, "models": {"gpt-4o": "claude-haiku-4-5"}}));
        let faults = crossing.faults(&catalogue);
        assert!(faults[0].1.contains("anthropic"), "{faults:?}");
        let sound = spec(&json!({"below_percent": 40, "models": {"gpt-4o": "gpt-4o-mini"}}));
        assert_eq!(sound.faults(&catalogue), []);
        let empty = spec(&json!({"below_percent": 0, "models": {}}));
        assert_eq!(empty.faults(&catalogue).len(), 2);
    }
}
