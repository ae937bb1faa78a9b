//! What a body reports, read the plain way: the whole of it, as JSON values, with none of the filter's code.

use serde_json::Value;

/// Token counts: the last three are parts of the first two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reported {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cached: u64,
    pub(super) cache_creation: u64,
    pub(super) reasoning: u64,
}

// === impl Reported ===

impl Reported {
    /// The usage in a body, if it has one.
    pub(super) fn read(path: &str, body: &str) -> Option<Self> {
        let documents = documents(body);
        let route = path.split('?').next().unwrap_or_default();
        if route.ends_with("enerateContent") {
            last(&documents, &["/usageMetadata"]).map(|usage| Self::gemini(&usage))
        } else if route.ends_with("/messages") || route.ends_with("awPredict") {
            merged(&documents).map(|usage| Self::anthropic(&usage))
        } else if route.ends_with("/embeddings") {
            last(&documents, &["/usage"]).map(|usage| Self::embeddings(&usage))
        } else if route.contains("/responses") {
            last(&documents, &["/usage", "/response/usage"]).map(|usage| Self::responses(&usage))
        } else {
            last(&documents, &["/usage", "/x_groq/usage"]).map(|usage| Self::chat(&usage))
        }
    }

    fn gemini(usage: &Value) -> Self {
        let thoughts = count(usage, "/thoughtsTokenCount");
        Self {
            input: count(usage, "/promptTokenCount") + count(usage, "/toolUsePromptTokenCount"),
            output: count(usage, "/candidatesTokenCount") + thoughts,
            cached: count(usage, "/cachedContentTokenCount"),
            cache_creation: 0,
            reasoning: thoughts,
        }
    }

    /// Anthropic counts what is cached apart from the input, and what a compaction used apart from the whole.
    fn anthropic(usage: &Value) -> Self {
        let iterations = usage["iterations"].as_array().map_or(&[][..], Vec::as_slice);
        let compactions = iterations.iter().filter(|step| step["type"] == "compaction");
        let mut sum = Self {
            reasoning: count(usage, "/output_tokens_details/thinking_tokens"),
            ..Self::default()
        };
        for part in std::iter::once(usage).chain(compactions) {
            let cached = count(part, "/cache_read_input_tokens");
            let created = count(part, "/cache_creation_input_tokens");
            sum.input += count(part, "/input_tokens") + cached + created;
            sum.output += count(part, "/output_tokens");
            sum.cached += cached;
            sum.cache_creation += created;
        }
        sum
    }

    fn responses(usage: &Value) -> Self {
        Self {
            input: count(usage, "/input_tokens"),
            output: count(usage, "/output_tokens"),
            cached: count(usage, "/input_tokens_details/cached_tokens"),
            cache_creation: count(usage, "/input_tokens_details/cache_write_tokens"),
            reasoning: count(usage, "/output_tokens_details/reasoning_tokens"),
        }
    }

    /// Some hosts report nothing but the total.
    fn embeddings(usage: &Value) -> Self {
        Self {
            input: count(usage, "/prompt_tokens").max(count(usage, "/total_tokens")),
            ..Self::default()
        }
    }

    /// Some hosts leave reasoning out of the completion, where only the total tells of it.
    fn chat(usage: &Value) -> Self {
        let input = count(usage, "/prompt_tokens");
        let completion = count(usage, "/completion_tokens");
        let named = count(usage, "/completion_tokens_details/reasoning_tokens");
        let unaccounted = count(usage, "/total_tokens").saturating_sub(input + completion);
        let hidden = if named == 0 || named == unaccounted {
            unaccounted
        } else {
            0
        };
        let cached = [
            "/prompt_tokens_details/cached_tokens",
            "/cached_tokens",
            "/num_cached_tokens",
            "/prompt_cache_hit_tokens",
        ];
        Self {
            input,
            output: completion + hidden,
            cached: cached
                .iter()
                .map(|path| count(usage, path))
                .max()
                .unwrap_or_default(),
            cache_creation: count(usage, "/prompt_tokens_details/cache_write_tokens"),
            reasoning: named.max(hidden),
        }
    }
}

/// The JSON documents of a body: one, the items of an array, or the `data` of each event.
fn documents(body: &str) -> Vec<Value> {
    match serde_json::from_str(body) {
        Ok(Value::Array(items)) => items,
        Ok(document) => vec![document],
        Err(_) => body
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
            .collect(),
    }
}

/// The last object at any of these places.
fn last(documents: &[Value], places: &[&str]) -> Option<Value> {
    let mut found = documents
        .iter()
        .flat_map(|document| places.iter().filter_map(|place| document.pointer(place)));
    found.rfind(|usage| usage.is_object()).cloned()
}

/// Anthropic's events each tell a part: later ones replace what earlier ones said of the same field.
fn merged(documents: &[Value]) -> Option<Value> {
    let mut usage = serde_json::Map::new();
    for document in documents {
        let parts = [document.pointer("/message/usage"), document.get("usage")];
        for fields in parts.into_iter().flatten().filter_map(Value::as_object) {
            usage.extend(fields.clone());
        }
    }
    (!usage.is_empty()).then_some(Value::Object(usage))
}

fn count(usage: &Value, place: &str) -> u64 {
    usage.pointer(place).and_then(Value::as_u64).unwrap_or(0)
}
