use proptest::prelude::*;

use super::super::Catalogue;
use super::*;
use crate::usage::PricedApart;

fn price(json: &str) -> Price {
    serde_json::from_str(json).unwrap()
}

fn sonnet() -> Price {
    price(
        r#"{"input_cost_per_token":3e-06,"output_cost_per_token":1.5e-05,"cache_read_input_token_cost":3e-07,
            "cache_creation_input_token_cost":3.75e-06,"cache_creation_input_token_cost_above_1hr":6e-06,
            "input_cost_per_token_above_200k_tokens":6e-06,"output_cost_per_token_above_200k_tokens":2.25e-05,
            "cache_read_input_token_cost_above_200k_tokens":6e-07}"#,
    )
}

#[test]
fn each_kind_of_token_has_its_price() {
    let usage = Usage {
        input_tokens: 10 + 100 + 1000,
        output_tokens: 7,
        cached_input_tokens: 100,
        cache_creation_input_tokens: 1000,
        apart: PricedApart {
            cache_creation_1h_tokens: 400,
            ..PricedApart::default()
        },
        ..Usage::default()
    };
    let nanos = 10 * 3_000 + 100 * 300 + 600 * 3_750 + 400 * 6_000 + 7 * 15_000;
    assert_eq!(sonnet().cost(&usage, None), NanoUsd(nanos));
}

#[test]
fn a_tier_holds_for_all_tokens_of_a_longer_prompt() {
    for (input_tokens, nanos) in [
        (200_000, 200_000 * 3_000 + 15_000),
        (200_001, 200_001 * 6_000 + 22_500),
    ] {
        let usage = Usage {
            input_tokens,
            output_tokens: 1,
            ..Usage::default()
        };
        assert_eq!(sonnet().cost(&usage, None), NanoUsd(nanos), "{input_tokens}");
    }
}

#[test]
fn a_tier_without_a_field_has_the_base_price() {
    let usage = Usage {
        input_tokens: 300_000,
        cache_creation_input_tokens: 300_000,
        ..Usage::default()
    };
    assert_eq!(sonnet().cost(&usage, None), NanoUsd(300_000 * 3_750));
}

#[test]
fn what_has_no_price_of_its_own_costs_what_its_whole_costs() {
    let plain = price(r#"{"input_cost_per_token":1e-06,"output_cost_per_token":2e-06}"#);
    let usage = Usage {
        input_tokens: 100,
        output_tokens: 50,
        cached_input_tokens: 30,
        cache_creation_input_tokens: 20,
        reasoning_output_tokens: 40,
        apart: PricedApart {
            audio_input_tokens: 10,
            audio_output_tokens: 5,
            image_output_tokens: 5,
            ..PricedApart::default()
        },
        ..Usage::default()
    };
    assert_eq!(plain.cost(&usage, None), NanoUsd(100 * 1_000 + 50 * 2_000));
}

#[test]
fn the_sum_is_rounded_once_and_half_up() {
    let tiny = price(r#"{"input_cost_per_token":1e-10,"output_cost_per_token":4e-10}"#);
    for (input_tokens, output_tokens, nanos) in [(1, 1, 1), (4, 0, 0), (5, 0, 1), (15, 0, 2), (0, 1, 0)] {
        let usage = Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        assert_eq!(
            tiny.cost(&usage, None),
            NanoUsd(nanos),
            "{input_tokens} {output_tokens}"
        );
    }
}

#[test]
fn a_request_and_a_unit_may_have_a_price() {
    let mixed = price(r#"{"input_cost_per_request":0.005,"input_cost_per_image":0.0001,"mode":"chat"}"#);
    assert_eq!(mixed.cost(&Usage::default(), None), NanoUsd(5_000_000));
    assert_eq!(mixed.reserve(10, 10, None), NanoUsd(5_000_000));
    assert_eq!(mixed.unit_cost(Unit::InputImage, 3), Some(NanoUsd(300_000)));
    assert_eq!(mixed.unit_cost(Unit::InputSecond, 3), None);
}

#[test]
fn a_reservation_takes_the_dearest_rate_of_the_highest_tier_in_reach() {
    let reserved = |input, output| sonnet().reserve(input, output, None).0;
    assert_eq!(reserved(1_000, 10), 1_000 * 6_000 + 10 * 15_000);
    assert_eq!(reserved(190_000, 10), 190_000 * 6_000 + 10 * 22_500);
    assert_eq!(reserved(u64::MAX, u64::MAX), u64::MAX);
}

fn usages() -> impl Strategy<Value = Usage> {
    let count = || 0u64..5_000_000;
    (count(), count(), count(), count(), count(), count(), count()).prop_map(
        |(input_tokens, output_tokens, cached, created, created_1h, reasoning, audio)| Usage {
            input_tokens,
            output_tokens,
            cached_input_tokens: cached.min(input_tokens),
            cache_creation_input_tokens: created.min(input_tokens - cached.min(input_tokens)),
            reasoning_output_tokens: reasoning.min(output_tokens),
            apart: PricedApart {
                cache_creation_1h_tokens: created_1h,
                audio_input_tokens: audio,
                audio_output_tokens: audio,
                image_output_tokens: audio,
            },
            ..Usage::default()
        },
    )
}

#[test]
fn a_cost_is_never_above_its_reservation() {
    const MODELS: &[&str] = &[
        "claude-sonnet-4-5",
        "gemini/gemini-2.5-flash",
        "gpt-5.4",
        "mistral-large-latest",
    ];
    let catalogue = Catalogue::built_in();
    proptest!(|(usage in usages(), model in prop::sample::select(MODELS))| {
        let price = catalogue.price(model).unwrap();
        prop_assert!(price.cost(&usage, None) <= price.reserve(usage.input_tokens, usage.output_tokens, None), "{}", model);
    });
}

proptest! {
    #[test]
    fn no_usage_overflows(input_tokens: u64, output_tokens: u64, cached_input_tokens: u64, cache_creation_input_tokens: u64, above: u64) {
        let usage = Usage { input_tokens, output_tokens, cached_input_tokens, cache_creation_input_tokens, ..Usage::default() };
        let dear = price(r#"{"input_cost_per_token":1000000,"output_cost_per_token":1000000}"#);
        let _ = (dear.cost(&usage, None), dear.reserve(above, output_tokens, None));
    }
}

proptest! {
    #[test]
    fn nano_dollars_are_the_quotient_whatever_divides(units: u128, small: u64, shift in 0_u32..64) {
        for units in [units, u128::from(small), u128::from(small) << shift] {
            prop_assert_eq!(u128::from(nanos(units).0), (units / NANO).min(u128::from(u64::MAX)));
        }
    }
}
