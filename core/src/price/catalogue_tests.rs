use super::*;
use crate::money::NanoUsd;
use crate::usage::Usage;

fn error(json: &str) -> String {
    Catalogue::from_json(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_fault_is_told_with_its_path() {
    for (json, message) in [
        (
            r#"{"gpt-4o":{"input_cost_per_token":"3"}}"#,
            "gpt-4o.input_cost_per_token: expected dollars for one unit as a decimal",
        ),
        (
            r#"{"a/b.c":{"output_cost_per_token":-1}}"#,
            "a/b.c.output_cost_per_token: a price must not be negative",
        ),
        (
            r#"{"m":{"input_cost_per_token_above_200k_tokens":2e6}}"#,
            "m.input_cost_per_token_above_200k_tokens: a price must be at most 1000000",
        ),
        (
            r#"{"m":{"input_cost_per_token_above_200k_tokens_priority":-1}}"#,
            "m.input_cost_per_token_above_200k_tokens_priority: a price must not be negative",
        ),
        (
            r#"{"m":{"max_output_tokens":"many"}}"#,
            "m.max_output_tokens: invalid type",
        ),
        (
            r#"{"m":3}"#,
            "m: invalid type: integer `3`, expected an object of prices",
        ),
    ] {
        assert!(error(json).starts_with(message), "{}", error(json));
    }
    assert!(Catalogue::from_json(b"[]").is_err());
    assert!(Catalogue::from_json(b"{").is_err());
}

#[test]
fn a_sample_and_entries_without_a_price_are_no_prices() {
    let catalogue = Catalogue::from_json(
        br#"{"sample_spec":{"input_cost_per_token":0.0,"max_tokens":"LEGACY"},
             "whisper-1":{"input_cost_per_second":0.0001,"mode":"audio_transcription"},
             "notes":{"metadata":{}},"dear":{"input_cost_per_token_priority":1},"free":{"input_cost_per_token":0,"output_cost_per_token":0}}"#,
    )
    .unwrap();
    for unpriced in ["sample_spec", "whisper-1", "notes", "dear"] {
        assert_eq!(catalogue.price(unpriced), None, "{unpriced}");
    }
    assert!(catalogue.entry("whisper-1").is_some());
    assert!(catalogue.price("free").is_some());
}

#[test]
fn prices_of_ones_own_come_before_the_built_in() {
    let own = Catalogue::from_json(br#"{"gpt-4o":{"input_cost_per_token":1}}"#).unwrap();
    let usage = Usage {
        input_tokens: 1,
        ..Usage::default()
    };
    let both = Catalogue::built_in().with(own);
    assert_eq!(
        both.price("gpt-4o").unwrap().cost(&usage, None),
        NanoUsd(1_000_000_000)
    );
    assert!(both.price("gpt-4o-mini").is_some());
}

#[test]
fn a_model_may_be_listed_at_a_provider() {
    let catalogue = Catalogue::from_json(
        br#"{"groq/m":{"input_cost_per_token":1},"m":{"input_cost_per_token":2},"n":{"input_cost_per_token":3}}"#,
    )
    .unwrap();
    assert_eq!(catalogue.price_at("groq", "m"), catalogue.entry("groq/m"));
    assert_eq!(catalogue.price_at("groq", "n"), catalogue.entry("n"));
    assert_eq!(catalogue.price("m"), catalogue.entry("m"));
}

#[test]
fn the_built_in_catalogue_is_small_and_has_the_main_models() {
    let catalogue = Catalogue::built_in();
    assert!(BUILT_IN.len() < 72 * 1024, "{} bytes", BUILT_IN.len());
    for model in [
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "gpt-4.1",
        "gpt-5-mini",
        "o3",
        "o4-mini",
        "text-embedding-3-small",
        "gpt-3.5-turbo-instruct",
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-5",
        "claude-haiku-4-5",
        "gemini-2.5-pro",
        "models/gemini-2.5-flash",
        "gemini-embedding-001",
        "openai/gpt-oss-120b",
        "mistral-large-latest",
        "mistral-embed",
        "deepseek-chat",
    ] {
        let price = catalogue.price(model).unwrap_or_else(|| panic!("{model}"));
        assert!(price.reserve(1_000, 1_000, None) > NanoUsd::ZERO, "{model}");
        assert!(price.provider().is_some(), "{model}");
    }
}

#[test]
fn a_known_bill_comes_out_to_the_nano_dollar() {
    let usage = Usage {
        input_tokens: 2_006,
        output_tokens: 300,
        cached_input_tokens: 1_920,
        ..Usage::default()
    };
    // OpenAI, gpt-4o: $2.50, $1.25 and $10.00 a million.
    let expected = 86 * 2_500 + 1_920 * 1_250 + 300 * 10_000;
    assert_eq!(
        Catalogue::built_in().price("gpt-4o").unwrap().cost(&usage, None),
        NanoUsd(expected)
    );
}
