use super::*;
use crate::money::NanoUsd;
use crate::usage::Usage;

fn price(json: &str) -> Price {
    serde_json::from_str(json).unwrap()
}

fn input_cost(price: &Price, input_tokens: u64) -> u64 {
    let usage = Usage {
        input_tokens,
        ..Usage::default()
    };
    price.cost(&usage, None).0
}

#[test]
fn fields_of_theirs_pass() {
    let price = price(
        r#"{"input_cost_per_token":1e-06,"input_cost_per_token_batches":5e-07,"input_cost_per_token_priority":2e-06,
            "input_cost_per_token_above_272k_tokens_batches":9,"search_context_cost_per_query":{"a":0.1},"rpm":1,
            "supports_vision":true,"comment":"x","mode":"chat","litellm_provider":"openai"}"#,
    );
    assert_eq!(input_cost(&price, 300_000), 300_000_000);
    assert_eq!((price.provider(), price.mode()), (Some("openai"), Mode::Chat));
}

#[test]
fn a_threshold_may_be_any_number_of_thousands() {
    let price = price(
        r#"{"input_cost_per_token":1e-06,"input_cost_per_token_above_128k_tokens":2e-06,
            "input_cost_per_token_above_1000k_tokens":3e-06}"#,
    );
    assert_eq!(input_cost(&price, 128_000), 128_000 * 1_000);
    assert_eq!(input_cost(&price, 128_001), 128_001 * 2_000);
    assert_eq!(input_cost(&price, 1_000_001), 1_000_001 * 3_000);
}

#[test]
fn a_list_of_ranges_is_a_list_of_tiers() {
    let price = price(
        r#"{"tiered_pricing":[{"input_cost_per_token":5e-08,"output_cost_per_token":4e-07,"range":[0,256000.0]},
            {"input_cost_per_token":2.5e-07,"output_cost_per_token":2e-06,"range":[256000.0,1000000.0]}]}"#,
    );
    assert_eq!(input_cost(&price, 256_000), 256_000 * 50);
    assert_eq!(input_cost(&price, 256_001), 256_001 * 250);
    assert!(price.metered);
}

#[test]
fn a_null_is_no_price() {
    let price =
        price(r#"{"input_cost_per_token":null,"max_output_tokens":null,"mode":null,"tiered_pricing":null}"#);
    assert!(!price.metered);
    assert_eq!(price.cost(&Usage::default(), None), NanoUsd(0));
}

#[test]
fn the_most_output_may_stand_in_either_field() {
    assert_eq!(
        price(r#"{"mode":"chat","max_tokens":4096}"#).max_output_tokens(),
        Some(4096)
    );
    assert_eq!(
        price(r#"{"mode":"chat","max_tokens":9,"max_output_tokens":8192.0}"#).max_output_tokens(),
        Some(8192)
    );
    assert_eq!(
        price(r#"{"mode":"embedding","max_tokens":8191}"#).max_output_tokens(),
        None
    );
}
