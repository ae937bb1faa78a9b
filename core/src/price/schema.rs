//! The JSON schema of a price, and what each of its fields means.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::Price;

/// The per-token fields, in dollars a token. Each also has forms with `_above_<n>k_tokens`, with a service tier, and with
/// both.
const PER_TOKEN: [(&str, &str); 9] = [
    ("input_cost_per_token", "Prompt tokens."),
    (
        "cache_read_input_token_cost",
        "Prompt tokens that the provider's cache served; as `input_cost_per_token`, if absent.",
    ),
    (
        "cache_creation_input_token_cost",
        "Prompt tokens that were written to the provider's cache; as `input_cost_per_token`, if absent.",
    ),
    (
        "cache_creation_input_token_cost_above_1hr",
        "The same, for what is kept for an hour; as for a shorter time, if absent.",
    ),
    (
        "input_cost_per_audio_token",
        "Prompt tokens that were audio; as `input_cost_per_token`, if absent.",
    ),
    ("output_cost_per_token", "Generated tokens."),
    (
        "output_cost_per_reasoning_token",
        "Generated tokens that were reasoning; as `output_cost_per_token`, if absent.",
    ),
    (
        "output_cost_per_audio_token",
        "Generated tokens that are audio; as `output_cost_per_token`, if absent.",
    ),
    (
        "output_cost_per_image_token",
        "Generated tokens that are an image; as `output_cost_per_token`, if absent.",
    ),
];

/// The other fields: name, JSON type, meaning.
const OTHER: [(&str, &str, &str); 5] = [
    ("input_cost_per_request", "number", "Dollars for each request."),
    (
        "max_output_tokens",
        "number",
        "The most that the model generates in one answer: what budgets reserve for a request without a cap.",
    ),
    (
        "max_tokens",
        "number",
        "Read as `max_output_tokens` where that is absent.",
    ),
    ("litellm_provider", "string", "LiteLLM's name of the provider."),
    (
        "mode",
        "string",
        "What the model is for: `chat`, `completion`, `responses`, `embedding`, …",
    ),
];

// === impl Price ===

impl JsonSchema for Price {
    fn schema_name() -> Cow<'static, str> {
        "Price".into()
    }

    /// Open, as LiteLLM's file has many more fields. (A price under `unknown_model` is strict all the same.)
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let dollars =
            |meaning: &str| json!({"description": meaning, "type": ["number", "null"], "minimum": 0});
        let mut properties: Map<String, Value> = PER_TOKEN
            .iter()
            .map(|(name, meaning)| ((*name).to_owned(), dollars(meaning)))
            .collect();
        for (name, kind, meaning) in OTHER {
            let schema = json!({"description": meaning, "type": [kind, "null"]});
            properties.insert(name.to_owned(), schema);
        }
        json_schema!({
            "description": "What one model costs, in dollars. A per-token field with `_above_<n>k_tokens` at the \
                end of its name holds for all tokens of a request whose prompt is longer than that. One that ends with \
                `_flex`, `_priority` or `_ultrafast` (behind the length, where there is one) holds for requests that the \
                provider serves in this service tier; where it is absent, the standard rate does. Only reasoning costs \
                what output costs in the tier, and a long prompt at least what a short one costs there.",
            "type": "object",
            "properties": properties,
            "patternProperties": {
                "_above_[0-9]+k_tokens(_flex|_priority|_ultrafast)?$": {"type": ["number", "null"], "minimum": 0},
                "_(cost|token|1hr)_(flex|priority|ultrafast)$": {"type": ["number", "null"], "minimum": 0},
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::UnknownModel;

    fn is_taken(name: &str, value: &Value) -> bool {
        let price = json!({"price": {"input_cost_per_token": 1e-6, name: value}});
        serde_json::from_value::<UnknownModel>(price).is_ok()
    }

    #[test]
    fn every_field_of_the_schema_is_read() {
        for (name, _) in PER_TOKEN {
            assert!(
                name == "input_cost_per_token" || is_taken(name, &json!(2e-6)),
                "{name}"
            );
            let long = format!("{name}_above_200k_tokens");
            assert!(is_taken(&long, &json!(2e-6)), "{long}");
            for tier in ["flex", "priority", "ultrafast"] {
                for field in [name, &long] {
                    let field = format!("{field}_{tier}");
                    assert!(is_taken(&field, &json!(2e-6)), "{field}");
                }
            }
        }
        for (name, kind, _) in OTHER {
            let value = if kind == "number" { json!(7) } else { json!("chat") };
            assert!(is_taken(name, &value), "{name}");
        }
        assert!(!is_taken("input_cost_per_tokn", &json!(1e-6)));
    }
}
