//! OpenAI models (<https://platform.openai.com/docs/api-reference/models>).

use serde_json::{Value, json};

/// What the mock says it serves. It answers for any other name too.
const NAMES: [&str; 5] = [
    "gpt-4o",
    "gpt-4o-mini",
    "text-embedding-3-small",
    "claude-sonnet-4-5",
    "gemini-2.5-flash",
];

pub(super) fn answer(model: Option<&str>) -> Value {
    let one =
        |name: &str| json!({"id": name, "object": "model", "created": 1_715_367_049, "owned_by": "mock"});
    match model {
        Some(name) => one(name),
        None => json!({"object": "list", "data": NAMES.map(one)}),
    }
}
