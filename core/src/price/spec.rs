//! An entry of a price file, as it is written: LiteLLM's field names.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::entry::{Mode, Price, Unit};
use super::rate::Rate;
use super::rates::{Ladder, Rates, Step};
use crate::service_tier::PricedTier;

/// Fields of a price that a policy of one's own may have, for the error that names them.
const KNOWN: &str = "input_cost_per_token, output_cost_per_token, cache_read_input_token_cost, \
     cache_creation_input_token_cost, output_cost_per_reasoning_token, input_cost_per_request, each per-token field \
     also with _above_<n>k_tokens, with _flex, _priority or _ultrafast, or with both in this order, max_output_tokens, \
     litellm_provider and mode";

/// An entry while it is read.
#[derive(Default)]
struct Spec {
    provider: Option<String>,
    mode: Mode,
    max_output_tokens: Option<u64>,
    max_tokens: Option<u64>,
    /// By service tier, `None` for the standard one, and threshold; 0 is the base.
    rates: BTreeMap<(Option<PricedTier>, u64), Open>,
    per_request: Option<Rate>,
    units: Vec<(Unit, Rate)>,
}

/// Rates of which any may be missing.
#[derive(Default, Clone)]
struct Open([Option<Rate>; Kind::ALL]);

/// The per-token fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Input,
    CachedInput,
    CacheCreation,
    CacheCreation1h,
    AudioInput,
    Output,
    Reasoning,
    AudioOutput,
    ImageOutput,
}

/// What a field of an entry is.
enum Field {
    Rate(Kind, Option<PricedTier>, u64),
    Unit(Unit),
    PerRequest,
    Provider,
    Mode,
    MaxOutputTokens,
    MaxTokens,
    Tiers,
    /// Theirs, and not about money that is metered here: prices of batches, capabilities, notes.
    Other(String),
}

struct FieldVisitor;

struct PriceVisitor {
    /// Whether a field that is not known is an error.
    strict: bool,
}

/// An element of `tiered_pricing`: like an entry, with the range of prompt lengths for which it holds.
struct Range(u64, Open);

struct RangeVisitor;

// === impl Kind ===

impl Kind {
    const ALL: usize = 9;

    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "input_cost_per_token" => Self::Input,
            // The second is DeepSeek's.
            "cache_read_input_token_cost" | "input_cost_per_token_cache_hit" => Self::CachedInput,
            "cache_creation_input_token_cost" => Self::CacheCreation,
            "cache_creation_input_token_cost_above_1hr" => Self::CacheCreation1h,
            "input_cost_per_audio_token" => Self::AudioInput,
            "output_cost_per_token" => Self::Output,
            "output_cost_per_reasoning_token" => Self::Reasoning,
            "output_cost_per_audio_token" => Self::AudioOutput,
            "output_cost_per_image_token" => Self::ImageOutput,
            _ => return None,
        })
    }
}

// === impl Field ===

impl Field {
    fn of(name: &str) -> Self {
        let unit = match name {
            "litellm_provider" => return Self::Provider,
            "mode" => return Self::Mode,
            "max_output_tokens" => return Self::MaxOutputTokens,
            "max_tokens" => return Self::MaxTokens,
            "tiered_pricing" => return Self::Tiers,
            "input_cost_per_request" => return Self::PerRequest,
            "input_cost_per_image" => Unit::InputImage,
            "output_cost_per_image" => Unit::OutputImage,
            "input_cost_per_second" => Unit::InputSecond,
            "output_cost_per_second" => Unit::OutputSecond,
            "input_cost_per_character" => Unit::InputCharacter,
            "output_cost_per_character" => Unit::OutputCharacter,
            "input_cost_per_query" => Unit::Query,
            _ => return Self::rate(name).unwrap_or_else(|| Self::Other(name.to_owned())),
        };
        Self::Unit(unit)
    }

    fn rate(name: &str) -> Option<Self> {
        let of_tier = |tier: PricedTier| Some((name.strip_suffix(tier.suffix())?, Some(tier)));
        let (name, tier) = PricedTier::ALL
            .into_iter()
            .find_map(of_tier)
            .unwrap_or((name, None));
        if let Some(kind) = Kind::of(name) {
            return Some(Self::Rate(kind, tier, 0));
        }
        let (name, threshold) = name.strip_suffix("k_tokens")?.rsplit_once("_above_")?;
        let thousands: u64 = threshold.parse().ok()?;
        Some(Self::Rate(Kind::of(name)?, tier, thousands.saturating_mul(1_000)))
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(FieldVisitor)
    }
}

impl Visitor<'_> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field of a price")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(Field::of(name))
    }
}

// === impl Open ===

impl Open {
    fn set(&mut self, kind: Kind, rate: Option<Rate>) {
        if let Some(slot) = self.0.get_mut(kind as usize) {
            *slot = rate.or(*slot);
        }
    }

    fn get(&self, kind: Kind) -> Option<Rate> {
        self.0.get(kind as usize).copied().flatten()
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// These rates, and where one is missing the one below it.
    fn over(&self, base: &Self) -> Self {
        let mut both = self.0;
        for (slot, below) in both.iter_mut().zip(base.0) {
            *slot = slot.or(below);
        }
        Self(both)
    }

    /// Of each kind the dearer of two rates.
    fn dearer(&self, other: &Self) -> Self {
        let mut both = self.0;
        for (slot, rate) in both.iter_mut().zip(other.0) {
            *slot = rate.max(*slot);
        }
        Self(both)
    }

    /// The same, with reasoning at the rate of output where it has none of its own: what is standard for reasoning is not
    /// what it costs where output costs something else.
    fn with_reasoning(&self) -> Self {
        let mut open = self.clone();
        if self.get(Kind::Reasoning).is_none() {
            open.set(Kind::Reasoning, self.get(Kind::Output));
        }
        open
    }

    fn closed(&self) -> Rates {
        let input = self.get(Kind::Input).unwrap_or_default();
        let output = self.get(Kind::Output).unwrap_or_default();
        let cache_creation = self.get(Kind::CacheCreation).unwrap_or(input);
        Rates {
            input,
            cached_input: self.get(Kind::CachedInput).unwrap_or(input),
            cache_creation,
            cache_creation_1h: self.get(Kind::CacheCreation1h).unwrap_or(cache_creation),
            audio_input: self.get(Kind::AudioInput).unwrap_or(input),
            output,
            reasoning: self.get(Kind::Reasoning).unwrap_or(output),
            audio_output: self.get(Kind::AudioOutput).unwrap_or(output),
            image_output: self.get(Kind::ImageOutput).unwrap_or(output),
        }
    }
}

// === impl Spec ===

impl Spec {
    fn price(self) -> Price {
        let of_tier = |tier| {
            self.has_rates(Some(tier))
                .then(|| (tier, self.ladder(Some(tier))))
        };
        let tiers: Vec<_> = PricedTier::ALL.into_iter().filter_map(of_tier).collect();
        Price {
            standard: self.ladder(None),
            tiers: (!tiers.is_empty()).then(|| tiers.into()),
            metered: self.per_request.is_some() || self.has_rates(None),
            provider: self.provider,
            mode: self.mode,
            max_output_tokens: match self.mode {
                Mode::Embedding | Mode::Other => self.max_output_tokens,
                Mode::Chat | Mode::Completion | Mode::Responses => self.max_output_tokens.or(self.max_tokens),
            },
            per_request: self.per_request.unwrap_or_default(),
            units: self.units,
        }
    }

    fn has_rates(&self, tier: Option<PricedTier>) -> bool {
        let mut rates = self.rates.iter().filter(|((of, _), _)| *of == tier);
        rates.any(|(_, rates)| !rates.is_empty())
    }

    /// The rates of a service tier, with a step wherever it or the standard one has one.
    fn ladder(&self, tier: Option<PricedTier>) -> Ladder {
        let steps = self
            .rates
            .keys()
            .filter(|(of, above)| *above > 0 && (of.is_none() || *of == tier));
        let mut thresholds: Vec<u64> = steps.map(|(_, above)| *above).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        Ladder {
            base: self.open(tier, 0).closed(),
            steps: thresholds
                .into_iter()
                .map(|above| Step {
                    above,
                    rates: self.open(tier, above).closed(),
                })
                .collect(),
        }
    }

    /// The rates of a service tier from a threshold on. Where it has none of its own for a kind of token, that is charged
    /// at the standard rate; for long prompts at the tier's own rate for short ones, should that be dearer.
    fn open(&self, tier: Option<PricedTier>, above: u64) -> Open {
        let base = |of| self.rates.get(&(of, 0)).cloned().unwrap_or_default();
        let step = |of| {
            let mut steps = self.rates.range((of, 1)..=(of, above));
            steps
                .next_back()
                .map(|(_, rates)| rates.clone())
                .unwrap_or_default()
        };
        let at = |of| if above == 0 { base(of) } else { step(of) };
        let standard = at(None).over(&base(None));
        match tier {
            None => standard,
            Some(_) => at(tier)
                .with_reasoning()
                .over(&base(tier).with_reasoning().dearer(&standard)),
        }
    }
}

// === impl Price ===

impl<'de> Deserialize<'de> for Price {
    /// From an entry of LiteLLM's file; fields that are not known are passed over.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PriceVisitor { strict: false })
    }
}

/// A price in a configuration of one's own: a field that is not known is an error, and so is one without a rate.
pub(super) fn strict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Price>, D::Error> {
    let price = deserializer.deserialize_map(PriceVisitor { strict: true })?;
    if !price.metered {
        return Err(D::Error::custom(
            "a price needs input_cost_per_token, output_cost_per_token or input_cost_per_request",
        ));
    }
    Ok(Box::new(price))
}

impl<'de> Visitor<'de> for PriceVisitor {
    type Value = Price;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of prices")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Price, A::Error> {
        let mut spec = Spec::default();
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Rate(kind, tier, above) => {
                    let rate = map.next_value()?;
                    spec.rates.entry((tier, above)).or_default().set(kind, rate);
                }
                Field::Unit(unit) => spec
                    .units
                    .extend(map.next_value::<Option<Rate>>()?.map(|rate| (unit, rate))),
                Field::PerRequest => spec.per_request = map.next_value()?,
                Field::Provider => spec.provider = map.next_value()?,
                Field::Mode => spec.mode = map.next_value::<Option<Mode>>()?.unwrap_or_default(),
                Field::MaxOutputTokens => {
                    spec.max_output_tokens = map.next_value::<Option<f64>>()?.map(whole);
                }
                Field::MaxTokens => spec.max_tokens = map.next_value::<Option<f64>>()?.map(whole),
                Field::Tiers => {
                    for Range(above, open) in map.next_value::<Option<Vec<Range>>>()?.unwrap_or_default() {
                        let slot = spec.rates.entry((None, above)).or_default();
                        *slot = slot.over(&open);
                    }
                }
                Field::Other(name) if self.strict => {
                    return Err(A::Error::custom(format_args!(
                        "unknown field `{name}`, expected {KNOWN}"
                    )));
                }
                Field::Other(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(spec.price())
    }
}

// === impl Range ===

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RangeVisitor)
    }
}

impl<'de> Visitor<'de> for RangeVisitor {
    type Value = Range;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of prices with a range")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Range, A::Error> {
        let mut range = Range(0, Open::default());
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Rate(kind, None, 0) => range.1.set(kind, map.next_value()?),
                Field::Other(name) if name == "range" => {
                    range.0 = map.next_value::<Vec<f64>>()?.first().copied().map_or(0, whole);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(range)
    }
}

/// LiteLLM writes some counts as floats.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates, and not-a-number is 0"
)]
fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
