//! A price as an operator wrote it: kept as its text, so that no decimal of it is lost on the way.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{InvalidCatalogue, Price, spec};

/// An entry in LiteLLM's field names, strict: [`Self::price`] refuses a field that is not known.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenPrice(Box<RawValue>);

/// For the deserialiser: the strict reading of an entry.
#[derive(Deserialize)]
#[serde(transparent)]
struct Strict(#[serde(deserialize_with = "spec::strict")] Box<Price>);

// === impl WrittenPrice ===

impl WrittenPrice {
    /// What it comes to.
    ///
    /// # Errors
    /// Where it is no price, by the code that reads one of a configuration: which field, and why.
    pub fn price(&self) -> Result<Price, InvalidCatalogue> {
        // As bytes, as all configuration is: what reads a price is compiled once.
        let mut deserializer = serde_json::Deserializer::from_slice(self.0.get().as_bytes());
        let strict: Result<Strict, _> = serde_path_to_error::deserialize(&mut deserializer);
        strict
            .map(|Strict(price)| *price)
            .map_err(|error| InvalidCatalogue {
                path: error.path().to_string(),
                reason: error.into_inner().to_string(),
            })
    }

    /// Its text.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for WrittenPrice {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for WrittenPrice {}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for WrittenPrice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Price::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Price::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> WrittenPrice {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_price_is_what_it_would_be_in_a_configuration_and_no_decimal_is_lost() {
        let text = r#"{"input_cost_per_token": 0.100000000000000000000001, "output_cost_per_token": 2e-6}"#;
        let price = written(text);
        assert_eq!(serde_json::to_string(&price).unwrap(), text);
        let plain: Price = serde_json::from_str(text).unwrap();
        assert_eq!(price.price(), Ok(plain));
    }

    #[test]
    fn a_slip_in_a_price_is_told_and_not_passed_over() {
        for (text, part) in [
            (r#"{"input_cost_per_tokn": 1e-6}"#, "unknown field"),
            (r#"{"mode": "chat"}"#, "a price needs"),
            (r#"{"input_cost_per_token": -1}"#, "negative"),
            (r#"[1]"#, "an object of prices"),
        ] {
            let error = written(text).price().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
