//! The JSON usage reader: whatever stands under `usage`, subsets are at most their whole, and the cost is at most
//! what would have been reserved.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tollgate_core::dialect::Dialect;
use tollgate_core::price::Catalogue;
use tollgate_core::usage::{Coding, End, Reader, Seen, estimate};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

fuzz_target!(|input: &[u8]| {
    for (dialect, key) in [
        (Dialect::ChatCompletions, "usage"),
        (Dialect::Responses, "usage"),
        (Dialect::Messages, "usage"),
        (Dialect::GenerateContent, "usageMetadata"),
    ] {
        let mut reader = Reader::new(dialect, Coding::Identity);
        reader.push(format!("{{\"{key}\":").as_bytes());
        reader.push(input);
        reader.push(b"}");
        let outcome = reader.finish(End::Clean);
        let usage = estimate(&outcome, 1_000, Seen::tokens_by_size);
        assert!(usage.cached_input_tokens <= usage.input_tokens);
        assert!(usage.cache_creation_input_tokens <= usage.input_tokens);
        assert!(usage.reasoning_output_tokens <= usage.output_tokens);
        let overlap = usage.cached_input_tokens + usage.cache_creation_input_tokens > usage.input_tokens;
        for model in ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash"] {
            let price = CATALOGUE.price(model).expect("a built-in model");
            let reserved = price.reserve(usage.input_tokens, usage.output_tokens, None);
            assert!(overlap || price.cost(&usage, None) <= reserved, "{model} {usage:?}");
        }
    }
});
