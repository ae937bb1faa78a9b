//! OpenAI's legacy completions (<https://platform.openai.com/docs/api-reference/completions>).

use serde_json::{Value, json};

use super::{Options, chat, deltas, id, is_true, model, now, whole, without_usage};
use crate::answer::{Answer, Ask};

/// What OpenAI takes where `max_tokens` is absent.
const DEFAULT_MAX_TOKENS: u64 = 16;

pub(super) fn read(body: &Value) -> Result<Ask, String> {
    let prompt: Vec<String> = match body.get("prompt") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect(),
        _ => return Err("missing required parameter: 'prompt'".to_owned()),
    };
    Ok(Ask {
        model: model(body)?,
        last: prompt.last().cloned().unwrap_or_default(),
        prompt,
        max_tokens: Some(whole(body, "max_tokens").unwrap_or(DEFAULT_MAX_TOKENS)),
        stream: is_true(body, "stream"),
        ..Ask::default()
    })
}

pub(super) fn json(ask: &Ask, answer: &Answer, with_usage: bool) -> Value {
    let whole_answer = json!({
        "id": id("cmpl-"), "object": "text_completion", "created": now(), "model": ask.model,
        "choices": [{"text": answer.text, "index": 0, "logprobs": null, "finish_reason": finish(answer)}],
        "usage": chat::usage(&answer.usage, 1),
    });
    without_usage(whole_answer, "usage", with_usage)
}

pub(super) fn events(body: &Value, ask: &Ask, answer: &Answer, options: Options) -> Vec<String> {
    let wants_usage = body
        .pointer("/stream_options/include_usage")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let (chunk_id, created) = (id("cmpl-"), now());
    let event = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({
            "id": chunk_id, "object": "text_completion", "created": created, "model": ask.model, "choices": choices,
        });
        if let (true, Some(object)) = (wants_usage, chunk.as_object_mut()) {
            object.insert("usage".to_owned(), usage.unwrap_or(Value::Null));
        }
        format!("data: {chunk}\n\n")
    };
    let choice = |text: &str, reason: Option<&str>| json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}]);
    let parts = deltas(&answer.text, options).into_iter();
    let mut all: Vec<String> = parts.map(|part| event(choice(part, None), None)).collect();
    all.push(event(choice("", Some(finish(answer))), None));
    if wants_usage && options.usage {
        all.push(event(json!([]), Some(chat::usage(&answer.usage, 1))));
    }
    all.push("data: [DONE]\n\n".to_owned());
    all
}

fn finish(answer: &Answer) -> &'static str {
    if answer.cut { "length" } else { "stop" }
}
