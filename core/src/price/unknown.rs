//! What to do about a model without a price.

use serde::Deserialize;

use super::{Catalogue, Price, spec};

/// The policy for models that the catalogue does not have, as configuration writes it: `"deny"`, `"zero"` or
/// `{"price": {"input_cost_per_token": …}}`. What is not denied is marked in the event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnknownModel {
    /// Refuse the request with `model_not_allowed`.
    #[default]
    Deny,
    /// Let it pass for nothing.
    Zero,
    /// Charge this.
    #[serde(deserialize_with = "spec::strict")]
    Price(Box<Price>),
}

/// The price that holds for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote<'a> {
    /// From the catalogue.
    Listed(&'a Price),
    /// From the policy for unknown models: to be marked.
    Fallback(&'a Price),
    /// None: the model is refused.
    Denied,
}

// === impl UnknownModel ===

impl UnknownModel {
    /// Charges what a dear model costs today: $5 a million input tokens, $25 a million output tokens.
    pub fn dear() -> Self {
        serde_json::from_str(r#"{"price": {"input_cost_per_token": 5e-6, "output_cost_per_token": 25e-6}}"#)
            .unwrap_or(Self::Deny)
    }

    /// The price of a model under this policy.
    pub fn quote<'a>(&'a self, catalogue: &'a Catalogue, model: &str) -> Quote<'a> {
        const ZERO: &Price = &Price::ZERO;
        match (catalogue.price(model), self) {
            (Some(price), _) => Quote::Listed(price),
            (None, Self::Deny) => Quote::Denied,
            (None, Self::Zero) => Quote::Fallback(ZERO),
            (None, Self::Price(price)) => Quote::Fallback(price),
        }
    }
}

// === impl Quote ===

impl<'a> Quote<'a> {
    /// The price, if there is one, and whether it is a fallback.
    pub fn price(self) -> Option<(&'a Price, bool)> {
        match self {
            Self::Listed(price) => Some((price, false)),
            Self::Fallback(price) => Some((price, true)),
            Self::Denied => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::NanoUsd;
    use crate::usage::Usage;

    fn policy(json: &str) -> Result<UnknownModel, String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn a_policy_denies_gives_away_or_charges() {
        let catalogue = Catalogue::from_json(br#"{"known":{"input_cost_per_token":1e-6}}"#).unwrap();
        let usage = Usage {
            input_tokens: 10,
            ..Usage::default()
        };
        for (json, cost) in [
            (r#""deny""#, None),
            (r#""zero""#, Some(NanoUsd(0))),
            (
                r#"{"price":{"input_cost_per_token":2e-6}}"#,
                Some(NanoUsd(20_000)),
            ),
        ] {
            let policy = policy(json).unwrap();
            let quote = policy.quote(&catalogue, "other");
            assert_eq!(
                quote
                    .price()
                    .map(|(price, fallback)| (price.cost(&usage, None), fallback)),
                cost.map(|cost| (cost, true))
            );
            assert!(matches!(policy.quote(&catalogue, "known"), Quote::Listed(_)));
        }
    }

    #[test]
    fn a_dear_model_is_neither_refused_nor_free() {
        assert!(matches!(UnknownModel::dear(), UnknownModel::Price(_)));
    }

    #[test]
    fn a_fault_in_a_policy_is_named() {
        let unknown = policy(r#"{"price":{"input_cost_per_tokn":1}}"#).unwrap_err();
        assert!(
            unknown.starts_with("price") && unknown.contains("unknown field `input_cost_per_tokn`"),
            "{unknown}"
        );
        let negative = policy(r#"{"price":{"input_cost_per_token":-1}}"#).unwrap_err();
        assert!(
            negative.starts_with("price.input_cost_per_token: a price must not be negative"),
            "{negative}"
        );
        assert!(
            policy(r#"{"price":{"mode":"chat"}}"#)
                .unwrap_err()
                .contains("needs input_cost_per_token")
        );
        assert!(policy(r#""free""#).is_err());
    }
}
