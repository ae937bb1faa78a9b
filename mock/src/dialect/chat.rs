//! OpenAI chat completions (<https://platform.openai.com/docs/api-reference/chat>).

use serde_json::{Value, json};

use super::{Options, deltas, id, is_true, items, model, now, text_of, texts, whole, without_usage};
use crate::answer::{Answer, Ask, Demand, Tool, Usage};

/// The most choices that OpenAI gives.
const MAX_CHOICES: u64 = 128;

pub(super) fn read(body: &Value) -> Result<Ask, String> {
    let messages = items(body, "messages");
    if messages.is_empty() {
        return Err("missing required parameter: 'messages'".to_owned());
    }
    let prompt: Vec<String> = messages
        .iter()
        .map(|message| texts(message.get("content")))
        .collect();
    let tools = items(body, "tools")
        .iter()
        .filter_map(|tool| tool.get("function"));
    Ok(Ask {
        model: model(body)?,
        last: prompt.last().cloned().unwrap_or_default(),
        prompt,
        max_tokens: whole(body, "max_completion_tokens").or_else(|| whole(body, "max_tokens")),
        stream: is_true(body, "stream"),
        tools: tools
            .map(|tool| Tool {
                name: text_of(tool, "name"),
                schema: tool.get("parameters").cloned().unwrap_or_default(),
            })
            .collect(),
        demand: demand(body.get("tool_choice"), "/function/name"),
    })
}

pub(super) fn json(body: &Value, ask: &Ask, answer: &Answer, with_usage: bool) -> Value {
    let message = match &answer.call {
        None => json!({"role": "assistant", "content": answer.text, "refusal": null, "annotations": []}),
        Some(call) => json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [{
            "id": id("call_"), "type": "function",
            "function": {"name": call.name, "arguments": call.arguments.to_string()},
        }]}),
    };
    let choice = |index| json!({"index": index, "message": message, "logprobs": null, "finish_reason": finish(answer)});
    let whole_answer = json!({
        "id": id("chatcmpl-"), "object": "chat.completion", "created": now(), "model": ask.model,
        "choices": (0..choices(body)).map(choice).collect::<Vec<_>>(),
        "usage": usage(&answer.usage, choices(body)),
        "service_tier": service_tier(body), "system_fingerprint": "fp_mock",
    });
    without_usage(whole_answer, "usage", with_usage)
}

/// The tier that serves a request: the one that it asks for, if that is one.
fn service_tier(body: &Value) -> &str {
    match body.get("service_tier").and_then(Value::as_str) {
        Some(tier @ ("flex" | "priority")) => tier,
        _ => "default",
    }
}

pub(super) fn events(body: &Value, ask: &Ask, answer: &Answer, options: Options) -> Vec<String> {
    let wants_usage = body
        .pointer("/stream_options/include_usage")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let (chunk_id, created) = (id("chatcmpl-"), now());
    let event = |listed: Value, reported: Option<Value>| {
        let mut chunk = json!({
            "id": chunk_id, "object": "chat.completion.chunk", "created": created, "model": ask.model,
            "service_tier": service_tier(body), "system_fingerprint": "fp_mock", "choices": listed,
        });
        if let (true, Some(object)) = (wants_usage, chunk.as_object_mut()) {
            object.insert("usage".to_owned(), reported.unwrap_or(Value::Null));
        }
        format!("data: {chunk}\n\n")
    };
    let mut all = Vec::new();
    for index in 0..choices(body) {
        let choice = |delta: Value, reason: Option<&str>| json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": reason}]);
        match &answer.call {
            None => {
                all.push(event(
                    choice(json!({"role": "assistant", "content": "", "refusal": null}), None),
                    None,
                ));
                let parts = deltas(&answer.text, options).into_iter();
                all.extend(parts.map(|part| event(choice(json!({"content": part}), None), None)));
            }
            Some(call) => {
                let head = json!({"role": "assistant", "content": null, "tool_calls": [{
                    "index": 0, "id": id("call_"), "type": "function",
                    "function": {"name": call.name, "arguments": ""},
                }]});
                all.push(event(choice(head, None), None));
                let arguments = call.arguments.to_string();
                all.extend(deltas(&arguments, options).into_iter().map(|part| {
                    let delta = json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
                    event(choice(delta, None), None)
                }));
            }
        }
        all.push(event(choice(json!({}), Some(finish(answer))), None));
    }
    if wants_usage && options.usage {
        all.push(event(json!([]), Some(usage(&answer.usage, choices(body)))));
    }
    all.push("data: [DONE]\n\n".to_owned());
    all
}

/// OpenAI's usage; every choice adds its output.
pub(super) fn usage(counted: &Usage, choices: u64) -> Value {
    let output = counted.output.saturating_mul(choices);
    json!({
        "prompt_tokens": counted.input, "completion_tokens": output,
        "total_tokens": counted.input.saturating_add(output),
        "prompt_tokens_details": {"cached_tokens": counted.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": counted.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

/// Whether `tool_choice` demands a call; `name` points at a named tool.
pub(super) fn demand(tool_choice: Option<&Value>, name: &str) -> Demand {
    match tool_choice {
        Some(Value::String(choice)) if choice == "required" => Demand::Any,
        Some(choice) => choice
            .pointer(name)
            .and_then(Value::as_str)
            .map_or(Demand::No, |tool| Demand::Named(tool.to_owned())),
        None => Demand::No,
    }
}

fn choices(body: &Value) -> u64 {
    whole(body, "n").unwrap_or(1).clamp(1, MAX_CHOICES)
}

fn finish(answer: &Answer) -> &'static str {
    match (&answer.call, answer.cut) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}
