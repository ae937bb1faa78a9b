//! Service tiers: how fast a provider serves a request, and at which of its prices.

use serde::{Deserialize, Serialize};

use crate::dialect;

/// A tier, as a request asks for it or an answer tells it. Names of the same price are kept apart: an event tells what was
/// said.
///
/// OpenAI's are `auto`, `default`, `flex`, `priority` (today `fast`), `ultrafast` and `scale`
/// (<https://platform.openai.com/docs/api-reference/responses/create#responses_create-service_tier>); Anthropic asks by
/// `auto` and `standard_only`, and answers `standard`, `priority` or `batch`
/// (<https://docs.anthropic.com/en/api/service-tiers>); Gemini has `standard`, `flex` and `priority`
/// (<https://ai.google.dev/gemini-api/docs/priority-inference>), Groq `on_demand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// What the provider's account is set to, which is the default there unless somebody has changed it.
    Auto,
    /// OpenAI's standard tier.
    Default,
    /// Anthropic's and Gemini's standard tier.
    Standard,
    /// Anthropic: not the capacity that was paid before.
    StandardOnly,
    /// Groq's and Vertex AI's standard tier.
    OnDemand,
    /// Slower, and cheaper.
    Flex,
    /// Faster, and dearer. Anthropic's is capacity that was paid before.
    Priority,
    /// What OpenAI calls priority today.
    Fast,
    /// Faster and dearer still.
    Ultrafast,
    /// OpenAI's capacity that was paid before.
    Scale,
    /// Anthropic's batches.
    Batch,
    /// A name that is not known here, or none at all.
    #[serde(other)]
    Other,
}

/// A tier with rates of its own beside the standard ones, the slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PricedTier {
    /// `…_flex`
    Flex,
    /// `…_priority`
    Priority,
    /// `…_ultrafast`
    Ultrafast,
}

/// Every name that is met, the usual ones first. The first of a tier is what events call it.
const NAMES: [(&str, ServiceTier); 17] = [
    ("default", ServiceTier::Default),
    ("auto", ServiceTier::Auto),
    ("standard", ServiceTier::Standard),
    ("flex", ServiceTier::Flex),
    ("priority", ServiceTier::Priority),
    ("on_demand", ServiceTier::OnDemand),
    ("standard_only", ServiceTier::StandardOnly),
    ("fast", ServiceTier::Fast),
    ("ultrafast", ServiceTier::Ultrafast),
    ("scale", ServiceTier::Scale),
    ("batch", ServiceTier::Batch),
    // Vertex AI's `trafficType`, and its header.
    ("on_demand_flex", ServiceTier::Flex),
    ("on_demand_priority", ServiceTier::Priority),
    // Gemini's, as protocol buffers name them.
    ("service_tier_standard", ServiceTier::Standard),
    ("service_tier_flex", ServiceTier::Flex),
    ("service_tier_priority", ServiceTier::Priority),
    ("service_tier_unspecified", ServiceTier::Auto),
];

// === impl ServiceTier ===

impl ServiceTier {
    /// The tier of a name, in either case; `None` for an empty one, by which some hosts say nothing.
    pub fn named(name: &str) -> Option<Self> {
        let same = |(known, _): &&(&str, Self)| *known == name;
        let folded = |(known, _): &&(&str, Self)| known.eq_ignore_ascii_case(name);
        // Nearly all are written as they should be.
        let known = NAMES.iter().find(same).or_else(|| NAMES.iter().find(folded));
        match known {
            Some((_, tier)) => Some(*tier),
            None if name.is_empty() => None,
            None => Some(Self::Other),
        }
    }

    /// What a field of a request asks for; `None` where it is absent or `null`. What is no name at all is for the provider
    /// to refuse.
    pub(crate) fn asked(json: Option<&str>) -> Option<Self> {
        let raw = json.filter(|raw| *raw != "null")?;
        if raw.starts_with('"') {
            Self::named(&dialect::decode(raw))
        } else {
            Some(Self::Other)
        }
    }

    /// What a field of an answer tells; `None` where it tells nothing.
    pub(crate) fn told(json: &[u8]) -> Option<Self> {
        if json == b"\"default\"" {
            return Some(Self::Default);
        }
        let raw = std::str::from_utf8(json).ok()?;
        Self::named(&dialect::decode(raw))
    }

    /// The name in events.
    pub fn as_str(self) -> &'static str {
        let own = NAMES.iter().find(|(_, tier)| *tier == self);
        own.map_or("other", |(name, _)| *name)
    }

    /// Whether it says at which price a request was served.
    pub(crate) const fn is_telling(self) -> bool {
        !matches!(self, Self::Auto | Self::Other)
    }

    /// The tier of its price; `None` for the standard one. What was paid before has no price a token, and counts as
    /// standard; so does what is not known.
    pub(crate) const fn priced(self) -> Option<PricedTier> {
        match self {
            Self::Flex => Some(PricedTier::Flex),
            Self::Priority | Self::Fast => Some(PricedTier::Priority),
            Self::Ultrafast => Some(PricedTier::Ultrafast),
            Self::Auto
            | Self::Default
            | Self::Standard
            | Self::StandardOnly
            | Self::OnDemand
            | Self::Scale
            | Self::Batch
            | Self::Other => None,
        }
    }

    /// Whether a request that asks for this tier may be served at the price of that one, beside the standard price, at
    /// which it may always be: of the one that it asks for or of a slower one. A name that is not known may mean any.
    pub(crate) fn may_cost(self, tier: PricedTier) -> bool {
        self == Self::Other || self.priced().is_some_and(|asked| tier <= asked)
    }
}

// === impl PricedTier ===

impl PricedTier {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Flex, Self::Priority, Self::Ultrafast];

    /// What the fields of its rates end with.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Flex => "_flex",
            Self::Priority => "_priority",
            Self::Ultrafast => "_ultrafast",
        }
    }

    /// The tier at whose rates an exchange is charged: the one that the answer tells, or else the one that was asked for;
    /// `None` for the standard rates.
    pub fn charged(asked: Option<ServiceTier>, told: Option<ServiceTier>) -> Option<Self> {
        told.filter(|tier| tier.is_telling()).or(asked)?.priced()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_the_provider_reads_it() {
        for (json, asked) in [
            (None, None),
            (Some("null"), None),
            (Some(r#""""#), None),
            (Some(r#""priority""#), Some(ServiceTier::Priority)),
            (Some(r#""prior\u0069ty""#), Some(ServiceTier::Priority)),
            (Some(r#""SERVICE_TIER_FLEX""#), Some(ServiceTier::Flex)),
            (Some(r#""someday""#), Some(ServiceTier::Other)),
            (Some("3"), Some(ServiceTier::Other)),
            (Some(r#"{"a":"flex"}"#), Some(ServiceTier::Other)),
        ] {
            assert_eq!(ServiceTier::asked(json), asked, "{json:?}");
        }
        assert_eq!(ServiceTier::told(b"5"), None);
        assert_eq!(ServiceTier::told(b"\"ON_DEMAND_FLEX\""), Some(ServiceTier::Flex));
    }

    #[test]
    fn an_event_spells_a_tier_as_it_is_read_and_a_newer_one_is_read_too() {
        for (_, tier) in NAMES {
            assert_eq!(serde_json::to_value(tier).unwrap().as_str(), Some(tier.as_str()));
        }
        let newer: ServiceTier = serde_json::from_str(r#""someday""#).unwrap();
        assert_eq!(newer, ServiceTier::Other);
    }

    #[test]
    fn what_the_answer_tells_goes_before_what_was_asked_for() {
        use ServiceTier::{Auto, Default, Fast, Flex, Other, Priority, Scale, Ultrafast};
        for (asked, told, charged) in [
            (None, None, None),
            (Some(Auto), None, None),
            (Some(Auto), Some(Priority), Some(PricedTier::Priority)),
            (None, Some(Flex), Some(PricedTier::Flex)),
            (Some(Priority), Some(Default), None),
            (Some(Flex), Some(Default), None),
            (Some(Priority), None, Some(PricedTier::Priority)),
            (Some(Fast), Some(Auto), Some(PricedTier::Priority)),
            (Some(Ultrafast), Some(Other), Some(PricedTier::Ultrafast)),
            (Some(Scale), Some(Scale), None),
            (Some(Other), None, None),
        ] {
            assert_eq!(PricedTier::charged(asked, told), charged, "{asked:?} {told:?}");
        }
    }
}
