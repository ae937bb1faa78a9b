//! The catalogue: every model's price, from a file in LiteLLM's format.

use std::fmt;

use hashbrown::HashMap;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;

use super::Price;
use super::lookup;

/// The prices that come with Tollgate: the main models of OpenAI, Anthropic, Gemini, Groq, Mistral, DeepSeek and
/// xAI. `prices/README.md` says where they are from.
const BUILT_IN: &str = include_str!("../../prices/2026-10-18.json");
/// An entry that documents the format and prices nothing.
const SAMPLE: &str = "sample_spec";

/// Prices by model.
///
/// The format is that of LiteLLM's `model_prices_and_context_window.json`, which may be given as it is: an object
/// with an entry a model. Of an entry are read, in dollars: `input_cost_per_token`, `output_cost_per_token`,
/// `cache_read_input_token_cost`, `cache_creation_input_token_cost` (and `…_above_1hr`),
/// `output_cost_per_reasoning_token`, `input_cost_per_audio_token`, `output_cost_per_audio_token`,
/// `output_cost_per_image_token`, each also with `_above_<n>k_tokens`, and then with the service tier for which it holds:
/// `_flex`, `_priority` or `_ultrafast`; `tiered_pricing`; `input_cost_per_request`; prices by image, second, character
/// and query; and `litellm_provider`, `mode`, `max_output_tokens` and `max_tokens`. Other fields, among them prices of
/// batches, are passed over. Decimals are exact.
///
/// A service tier without a rate of its own for a kind of token has the standard one. Two exceptions: reasoning then costs
/// what output costs in that tier, and a long prompt without a rate of its own what a short one costs there, if that is
/// more than the standard rate.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    prices: HashMap<String, Price>,
}

/// What is wrong in a price file, and where (`gpt-4o.input_cost_per_token`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {reason}")]
pub struct InvalidCatalogue {
    /// The model and the field.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

struct CatalogueVisitor;

// === impl Catalogue ===

impl Catalogue {
    /// The prices that come with Tollgate.
    pub fn built_in() -> Self {
        Self::from_json(BUILT_IN.as_bytes()).unwrap_or_else(|error| {
            debug_assert!(false, "the built-in catalogue is valid: {error}");
            Self::default()
        })
    }

    /// Reads a price file.
    ///
    /// # Errors
    /// Where it is not JSON, or a price is not a decimal of at least zero and at most a million dollars.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidCatalogue> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| InvalidCatalogue {
            path: error.path().to_string(),
            reason: error.into_inner().to_string(),
        })
    }

    /// These prices, and those of `other`, which hold where both have one.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.prices.extend(other.prices);
        self
    }

    /// The price of a model as a request or an answer names it.
    ///
    /// The first that is known of: the name; the name without its prefixes (`openai/gpt-4o`,
    /// `models/gemini-2.5-pro`); then the same without a date or version at the end (`gpt-4o-2024-08-06`,
    /// `claude-sonnet-4-5@20250929`, `gemini-2.5-flash-001`, `mistral-large-latest`, `ft:gpt-4o-mini:org::id`). A
    /// name that is listed under the prefix of its maker only (`gemini/`, `mistral/`, …) is found without it. An
    /// entry that prices neither tokens nor requests does not count: nothing is free by accident.
    pub fn price(&self, model: &str) -> Option<&Price> {
        lookup::find(model, |name| self.prices.get(name).filter(|price| price.metered))
    }

    /// The price of a model at a provider, by LiteLLM's name for it: `groq` and `llama-3.3-70b-versatile` are listed
    /// as `groq/llama-3.3-70b-versatile`. Falls back to [`Catalogue::price`].
    pub fn price_at(&self, provider: &str, model: &str) -> Option<&Price> {
        let name = [provider, "/", model].concat();
        self.entry(&name)
            .filter(|price| price.metered)
            .or_else(|| self.price(model))
    }

    /// The entry of exactly this name, priced by tokens or not.
    pub fn entry(&self, name: &str) -> Option<&Price> {
        self.prices.get(name)
    }

    /// How many models have an entry.
    pub fn len(&self) -> usize {
        self.prices.len()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty()
    }
}

impl FromIterator<(String, Price)> for Catalogue {
    fn from_iter<T: IntoIterator<Item = (String, Price)>>(prices: T) -> Self {
        Self {
            prices: prices.into_iter().collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Catalogue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CatalogueVisitor)
    }
}

impl<'de> Visitor<'de> for CatalogueVisitor {
    type Value = Catalogue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry a model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Catalogue, A::Error> {
        let mut prices = HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == SAMPLE {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            prices.insert(name, map.next_value()?);
        }
        Ok(Catalogue { prices })
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
