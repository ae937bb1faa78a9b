//! Every recorded answer of a real provider: usage is what a plain reading of the whole body gives, whatever the
//! chunks, and withholding the usage event takes nothing else away.
//!
//! The recordings are a folder beside the repository (`../shared/recordings`), or the one that
//! `TOLLGATE_RECORDINGS` names. Where there is none, the tests say so and pass.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::{Coding, End, Outcome, Passed, Reader, UsageStatus, Withhold};
use crate::dialect::Dialect;
use crate::service_tier::ServiceTier;

#[derive(Deserialize)]
pub(crate) struct Recording {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Input, output, cached input, cache creation, reasoning.
type Counts = (u64, u64, u64, u64, u64);

/// Sizes of chunks from a linear congruential generator: small and large, and the same in every run.
struct Sizes(u64);

// === impl Sizes ===

impl Iterator for Sizes {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = usize::try_from(self.0 >> 40).unwrap();
        Some(1 + bits % [3, 17, 300, 5000][bits >> 8 & 3])
    }
}

pub(crate) fn recordings() -> Vec<Recording> {
    let folder = std::env::var_os("TOLLGATE_RECORDINGS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings"),
        PathBuf::from,
    );
    let path = folder.join("exchanges.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: no recordings at {}", path.display());
        return Vec::new();
    };
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

pub(crate) fn dialect(path: &str) -> Dialect {
    let path = path.split('?').next().unwrap();
    for (ending, dialect) in [
        ("/chat/completions", Dialect::ChatCompletions),
        ("/responses", Dialect::Responses),
        ("/embeddings", Dialect::Embeddings),
        ("/completions", Dialect::Completions),
        ("/messages", Dialect::Messages),
        ("enerateContent", Dialect::GenerateContent),
        ("/count_tokens", Dialect::CountTokens),
        (":countTokens", Dialect::CountTokens),
        ("/models", Dialect::Models),
    ] {
        if path.ends_with(ending) {
            return dialect;
        }
    }
    panic!("no dialect has the path {path}");
}

fn read<'a>(dialect: Dialect, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = Reader::new(dialect, Coding::Identity);
    for chunk in chunks {
        reader.push(chunk);
    }
    reader.finish(End::Clean)
}

pub(crate) fn chunks(body: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut rest = body;
    let mut chunks = Vec::new();
    for size in Sizes(seed) {
        if rest.is_empty() {
            break;
        }
        let (chunk, tail) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}

/// The documents of a body, read as a whole.
pub(crate) fn documents(body: &str) -> Vec<Value> {
    if let Ok(value) = serde_json::from_str(body) {
        return match value {
            Value::Array(items) => items,
            one => vec![one],
        };
    }
    body.lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
        .collect()
}

/// What a body reports, the plain way.
fn expected(dialect: Dialect, body: &str) -> Option<Counts> {
    let documents = documents(body);
    let number = |usage: &Value, path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let last = |pointers: &[&str]| {
        let mut found = documents
            .iter()
            .flat_map(|document| pointers.iter().filter_map(|path| document.pointer(path)));
        found.rfind(|usage| usage.is_object()).cloned()
    };
    match dialect {
        Dialect::Messages => {
            let mut merged = serde_json::Map::new();
            for usage in documents
                .iter()
                .flat_map(|document| [document.pointer("/message/usage"), document.get("usage")])
            {
                merged.extend(usage.and_then(Value::as_object).cloned().unwrap_or_default());
            }
            if merged.is_empty() {
                return None;
            }
            let top = Value::Object(merged);
            let mut counts = (0, 0, 0, 0, number(&top, "/output_tokens_details/thinking_tokens"));
            let compactions = top
                .get("iterations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let compactions = compactions.filter(|step| step["type"] == "compaction");
            for usage in std::iter::once(&top).chain(compactions) {
                let (cached, created) = (
                    number(usage, "/cache_read_input_tokens"),
                    number(usage, "/cache_creation_input_tokens"),
                );
                counts.0 += number(usage, "/input_tokens") + cached + created;
                counts.1 += number(usage, "/output_tokens");
                counts.2 += cached;
                counts.3 += created;
            }
            Some(counts)
        }
        Dialect::GenerateContent => {
            let usage = last(&["/usageMetadata"])?;
            let thoughts = number(&usage, "/thoughtsTokenCount");
            Some((
                number(&usage, "/promptTokenCount") + number(&usage, "/toolUsePromptTokenCount"),
                number(&usage, "/candidatesTokenCount") + thoughts,
                number(&usage, "/cachedContentTokenCount"),
                0,
                thoughts,
            ))
        }
        Dialect::Responses => {
            let usage = last(&["/usage", "/response/usage"])?;
            Some((
                number(&usage, "/input_tokens"),
                number(&usage, "/output_tokens"),
                number(&usage, "/input_tokens_details/cached_tokens"),
                number(&usage, "/input_tokens_details/cache_write_tokens"),
                number(&usage, "/output_tokens_details/reasoning_tokens"),
            ))
        }
        _ => {
            let usage = last(&["/usage", "/x_groq/usage"])?;
            let (prompt, completion) = (
                number(&usage, "/prompt_tokens"),
                number(&usage, "/completion_tokens"),
            );
            let named = number(&usage, "/completion_tokens_details/reasoning_tokens");
            let excess = number(&usage, "/total_tokens").saturating_sub(prompt + completion);
            let hidden = if named == 0 || named == excess { excess } else { 0 };
            let cached = [
                "/prompt_tokens_details/cached_tokens",
                "/cached_tokens",
                "/num_cached_tokens",
                "/prompt_cache_hit_tokens",
            ];
            Some((
                prompt,
                completion + hidden,
                cached.iter().map(|path| number(&usage, path)).max().unwrap(),
                number(&usage, "/prompt_tokens_details/cache_write_tokens"),
                named.max(hidden),
            ))
        }
    }
}

#[test]
fn usage_is_what_a_plain_reading_of_the_whole_body_gives() {
    let mut with_usage = 0;
    for recording in recordings() {
        let dialect = dialect(&recording.path);
        let outcome = read(dialect, [recording.body.as_bytes()]);
        let found = outcome.usage.map(|usage| {
            assert_eq!(usage.status, UsageStatus::Complete, "{}", recording.id);
            (
                usage.input_tokens,
                usage.output_tokens,
                usage.cached_input_tokens,
                usage.cache_creation_input_tokens,
                usage.reasoning_output_tokens,
            )
        });
        assert_eq!(found, expected(dialect, &recording.body), "{}", recording.id);
        assert!(
            outcome.error.is_some() || recording.status < 400,
            "{}",
            recording.id
        );
        with_usage += usize::from(found.is_some());
    }
    println!("{with_usage} recordings with usage");
}

#[test]
fn the_service_tier_is_the_last_that_the_body_tells() {
    let mut told = 0;
    for recording in recordings() {
        let documents = documents(&recording.body);
        let places = [
            "/service_tier",
            "/response/service_tier",
            "/usage/service_tier",
            "/message/usage/service_tier",
            "/usageMetadata/serviceTier",
            "/usageMetadata/trafficType",
        ];
        let mut all = documents.iter().flat_map(|document| {
            places
                .iter()
                .filter_map(|place| document.pointer(place)?.as_str())
        });
        let expected = all.rfind(|name| !["", "auto"].contains(name));
        let outcome = read(dialect(&recording.path), [recording.body.as_bytes()]);
        let found = outcome.service_tier.filter(|tier| *tier != ServiceTier::Auto);
        assert_eq!(found, expected.and_then(ServiceTier::named), "{}", recording.id);
        told += usize::from(found.is_some());
    }
    println!("{told} recordings with a service tier");
}

#[test]
fn any_chunks_give_the_same_outcome() {
    for (seed, recording) in (1..).zip(recordings()) {
        let dialect = dialect(&recording.path);
        let body = recording.body.as_bytes();
        let whole = read(dialect, [body]);
        for turn in 0..3 {
            assert_eq!(
                read(dialect, chunks(body, seed * 1000 + turn)),
                whole,
                "{}",
                recording.id
            );
        }
    }
}

#[test]
fn text_that_was_seen_is_near_what_the_provider_counted() {
    let (mut estimated, mut reported) = (0, 0);
    for recording in recordings() {
        let outcome = read(dialect(&recording.path), [recording.body.as_bytes()]);
        // Reasoning is mostly not sent, and cannot be seen.
        let Some(usage) = outcome.usage.filter(|usage| usage.reasoning_output_tokens == 0) else {
            continue;
        };
        estimated += outcome.seen.tokens_by_size();
        reported += usage.output_tokens;
    }
    println!("{estimated} tokens by size, {reported} reported");
    assert!(estimated * 2 >= reported && reported * 2 >= estimated);
}

#[test]
fn withholding_takes_the_usage_event_and_nothing_else() {
    let streams = recordings()
        .into_iter()
        .filter(|recording| recording.body.contains("data:"));
    for (seed, recording) in (1..).zip(streams) {
        let expected: String = recording
            .body
            .split_inclusive("\n\n")
            .filter(|event| !(event.contains("\"choices\":[]") && event.contains("\"usage\":{")))
            .collect();
        for turn in 0..3 {
            let mut withhold = Withhold::new();
            let mut sent = Vec::new();
            for chunk in chunks(recording.body.as_bytes(), seed * 1000 + turn) {
                match withhold.push(chunk) {
                    Passed::AsIs => sent.extend_from_slice(chunk),
                    Passed::Replaced(bytes) => sent.extend(bytes),
                }
            }
            sent.extend(withhold.finish());
            assert_eq!(String::from_utf8(sent).unwrap(), expected, "{}", recording.id);
        }
    }
}
