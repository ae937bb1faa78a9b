//! OpenAI embeddings (<https://platform.openai.com/docs/api-reference/embeddings>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{model, whole, without_usage};
use crate::answer::{Answer, Ask};

/// The length of a vector where the request does not say.
const DIMENSIONS: u64 = 8;

pub(super) fn read(body: &Value) -> Result<Ask, String> {
    let inputs = inputs(body);
    if inputs.is_empty() {
        return Err("missing required parameter: 'input'".to_owned());
    }
    // An embedding has no output: the answer's text stays empty.
    Ok(Ask {
        model: model(body)?,
        prompt: inputs,
        max_tokens: Some(0),
        ..Ask::default()
    })
}

pub(super) fn json(body: &Value, ask: &Ask, answer: &Answer, with_usage: bool) -> Value {
    let dimensions =
        usize::try_from(whole(body, "dimensions").unwrap_or(DIMENSIONS).min(4096)).unwrap_or_default();
    let in_base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let vector = vec![0.5_f32; dimensions];
    let embedding = if in_base64 {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(STANDARD.encode(bytes))
    } else {
        json!(vector)
    };
    let items = (0..ask.prompt.len())
        .map(|index| json!({"object": "embedding", "index": index, "embedding": embedding}));
    let whole_answer = json!({
        "object": "list", "data": items.collect::<Vec<_>>(), "model": ask.model,
        "usage": {"prompt_tokens": answer.usage.input, "total_tokens": answer.usage.input},
    });
    without_usage(whole_answer, "usage", with_usage)
}

/// A text, several texts, one list of token ids or several lists.
fn inputs(body: &Value) -> Vec<String> {
    match body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(parts)) if parts.iter().all(Value::is_number) => {
            vec![Value::from(parts.clone()).to_string()]
        }
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}
