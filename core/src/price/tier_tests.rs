//! What a service tier costs, and what is reserved for it.

use proptest::prelude::*;

use super::super::Catalogue;
use super::*;
use crate::usage::PricedApart;

/// All tiers that a request may ask for or an answer may tell, and none.
const SAID: [Option<ServiceTier>; 9] = [
    None,
    Some(ServiceTier::Auto),
    Some(ServiceTier::Default),
    Some(ServiceTier::Flex),
    Some(ServiceTier::Priority),
    Some(ServiceTier::Fast),
    Some(ServiceTier::Ultrafast),
    Some(ServiceTier::Scale),
    Some(ServiceTier::Other),
];

fn price(json: &str) -> Price {
    serde_json::from_str(json).unwrap()
}

fn tiered() -> Price {
    price(
        r#"{"input_cost_per_token":1e-6,"output_cost_per_token":1e-5,"cache_read_input_token_cost":1e-7,
            "output_cost_per_reasoning_token":1e-5,
            "input_cost_per_token_above_200k_tokens":3e-6,"output_cost_per_token_above_200k_tokens":3e-5,
            "input_cost_per_token_flex":5e-7,"output_cost_per_token_flex":5e-6,"cache_read_input_token_cost_flex":5e-8,
            "input_cost_per_token_priority":2e-6,"output_cost_per_token_priority":2e-5,
            "input_cost_per_token_above_200k_tokens_priority":6e-6}"#,
    )
}

fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage {
        input_tokens,
        output_tokens,
        ..Usage::default()
    }
}

#[test]
fn each_tier_has_its_rates() {
    for (tier, nanos) in [
        (None, 100 * 1_000 + 10 * 10_000),
        (Some(PricedTier::Flex), 100 * 500 + 10 * 5_000),
        (Some(PricedTier::Priority), 100 * 2_000 + 10 * 20_000),
        // It has none here.
        (Some(PricedTier::Ultrafast), 100 * 1_000 + 10 * 10_000),
    ] {
        assert_eq!(tiered().cost(&usage(100, 10), tier), NanoUsd(nanos), "{tier:?}");
    }
}

#[test]
fn a_kind_of_token_without_a_rate_in_a_tier_has_the_standard_one() {
    let cached = Usage {
        cached_input_tokens: 100,
        ..usage(100, 0)
    };
    assert_eq!(tiered().cost(&cached, Some(PricedTier::Flex)), NanoUsd(100 * 50));
    assert_eq!(
        tiered().cost(&cached, Some(PricedTier::Priority)),
        NanoUsd(100 * 100)
    );
    // Where the standard tier has none either, it is that of what it is a part of.
    let plain = price(r#"{"input_cost_per_token":1e-6,"input_cost_per_token_priority":2e-6}"#);
    assert_eq!(
        plain.cost(&cached, Some(PricedTier::Priority)),
        NanoUsd(100 * 2_000)
    );
}

#[test]
fn reasoning_costs_what_output_costs_in_the_tier() {
    let reasoned = Usage {
        reasoning_output_tokens: 10,
        ..usage(0, 10)
    };
    assert_eq!(
        tiered().cost(&reasoned, Some(PricedTier::Priority)),
        NanoUsd(10 * 20_000)
    );
    let own =
        price(r#"{"output_cost_per_token_priority":2e-5,"output_cost_per_reasoning_token_priority":3e-5}"#);
    assert_eq!(
        own.cost(&reasoned, Some(PricedTier::Priority)),
        NanoUsd(10 * 30_000)
    );
}

#[test]
fn a_long_prompt_has_the_rates_of_its_tier_or_the_dearer_of_what_is_known() {
    let long = usage(200_001, 10);
    for (tier, nanos) in [
        (None, 200_001 * 3_000 + 10 * 30_000),
        // Its own rate for input; for output the standard one for long prompts, which is more than its own for short.
        (Some(PricedTier::Priority), 200_001 * 6_000 + 10 * 30_000),
        (Some(PricedTier::Flex), 200_001 * 3_000 + 10 * 30_000),
    ] {
        assert_eq!(tiered().cost(&long, tier), NanoUsd(nanos), "{tier:?}");
    }
    let steep = price(
        r#"{"input_cost_per_token":1e-6,"input_cost_per_token_above_272k_tokens":2e-6,
            "input_cost_per_token_priority":5e-6}"#,
    );
    let cost = steep.cost(&usage(300_000, 0), Some(PricedTier::Priority));
    assert_eq!(cost, NanoUsd(300_000 * 5_000));
}

#[test]
fn what_is_reserved_is_the_dearer_of_the_tier_and_the_standard_one() {
    let reserved = |asked| tiered().reserve(100, 10, asked).0;
    let (standard, dear) = (100 * 1_000 + 10 * 10_000, 100 * 2_000 + 10 * 20_000);
    for asked in [
        None,
        Some(ServiceTier::Auto),
        Some(ServiceTier::Flex),
        Some(ServiceTier::Scale),
    ] {
        assert_eq!(reserved(asked), standard, "{asked:?}");
    }
    for asked in [
        ServiceTier::Priority,
        ServiceTier::Fast,
        ServiceTier::Ultrafast,
        ServiceTier::Other,
    ] {
        assert_eq!(reserved(Some(asked)), dear, "{asked:?}");
    }
}

#[test]
fn the_built_in_prices_know_tiers() {
    let catalogue = Catalogue::built_in();
    let cost = |model, tier| catalogue.price(model).unwrap().cost(&usage(1_000, 100), tier).0;
    // OpenAI: $4.25 and $17 a million in place of $2.50 and $10.
    assert_eq!(
        cost("gpt-4o", Some(PricedTier::Priority)),
        1_000 * 4_250 + 100 * 17_000
    );
    assert_eq!(cost("gpt-5", Some(PricedTier::Flex)), 1_000 * 625 + 100 * 5_000);
    assert_eq!(
        cost("gemini-2.5-flash", Some(PricedTier::Priority)),
        1_000 * 540 + 100 * 4_500
    );
    // Anthropic's is paid before, and has no price a token.
    let claude = |tier| cost("claude-sonnet-4-5", tier);
    assert_eq!(claude(Some(PricedTier::Priority)), claude(None));
}

prop_compose! {
    fn usages()(
        input_tokens in 0u64..2_000_000,
        output_tokens in 0u64..200_000,
        cached in any::<u64>(),
        reasoning in any::<u64>(),
        audio in any::<u64>(),
    ) -> Usage {
        let cached_input_tokens = cached % (input_tokens + 1);
        Usage {
            cached_input_tokens,
            cache_creation_input_tokens: (input_tokens - cached_input_tokens) / 2,
            reasoning_output_tokens: reasoning % (output_tokens + 1),
            apart: PricedApart { audio_input_tokens: audio, audio_output_tokens: audio, ..PricedApart::default() },
            ..usage(input_tokens, output_tokens)
        }
    }
}

/// An entry with some of the fields, at any rate.
fn entries() -> impl Strategy<Value = Price> {
    let kinds = prop::sample::select(vec![
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "output_cost_per_reasoning_token",
        "input_cost_per_audio_token",
    ]);
    let steps = prop::sample::select(vec!["", "_above_200k_tokens", "_above_272k_tokens"]);
    let tiers = prop::sample::select(vec!["", "_flex", "_priority", "_ultrafast"]);
    let field = (kinds, steps, tiers).prop_map(|(kind, step, tier)| format!("{kind}{step}{tier}"));
    prop::collection::btree_map(field, 0u32..1_000, 1..16).prop_map(|fields| {
        let rates: Vec<String> = fields
            .iter()
            .map(|(name, rate)| format!("\"{name}\":{rate}e-8"))
            .collect();
        price(&format!("{{{}}}", rates.join(",")))
    })
}

proptest! {
    /// Whatever tier the provider may answer with: the one that was asked for, the standard one, or nothing.
    #[test]
    fn a_cost_in_a_tier_that_was_asked_for_is_never_above_its_reservation(
        price in entries(),
        usage in usages(),
        asked in prop::sample::select(SAID.to_vec()),
    ) {
        let reserved = price.reserve(usage.input_tokens, usage.output_tokens, asked);
        for told in [None, asked, Some(ServiceTier::Auto), Some(ServiceTier::Default)] {
            let cost = price.cost(&usage, PricedTier::charged(asked, told));
            prop_assert!(cost <= reserved, "{asked:?} {told:?}: {cost:?} > {reserved:?}");
        }
    }
}
