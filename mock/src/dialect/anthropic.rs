//! Anthropic messages (<https://docs.anthropic.com/en/api/messages>).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Options, deltas, id, is_true, items, model, text_of, texts, whole};
use crate::answer::{Answer, Ask, Demand, Tool, Usage};
use crate::tokens;

/// Reads a request; only a call for an answer (not for a count) must bound it.
pub(super) fn read(body: &Value, bounded: bool) -> Result<Ask, String> {
    let messages = items(body, "messages");
    if messages.is_empty() {
        return Err("messages: Field required".to_owned());
    }
    let max_tokens = whole(body, "max_tokens");
    if bounded && max_tokens.is_none() {
        return Err("max_tokens: Field required".to_owned());
    }
    let mut prompt = vec![texts(body.get("system"))];
    prompt.extend(messages.iter().map(|message| texts(message.get("content"))));
    let demand = match body.pointer("/tool_choice/type").and_then(Value::as_str) {
        Some("any") => Demand::Any,
        Some("tool") => Demand::Named(text_of(body.get("tool_choice").unwrap_or(&Value::Null), "name")),
        _ => Demand::No,
    };
    let tools = items(body, "tools").iter();
    Ok(Ask {
        model: model(body)?,
        last: prompt.last().cloned().unwrap_or_default(),
        prompt,
        max_tokens,
        stream: is_true(body, "stream"),
        tools: tools
            .map(|tool| Tool {
                name: text_of(tool, "name"),
                schema: tool.get("input_schema").cloned().unwrap_or_default(),
            })
            .collect(),
        demand,
    })
}

pub(super) fn count(body: &Value) -> Result<Value, String> {
    let ask = read(body, false)?;
    Ok(json!({"input_tokens": tokens::count_prompt(&ask.model, &ask.prompt)}))
}

pub(super) fn json(ask: &Ask, answer: &Answer, with_usage: bool) -> Value {
    let content = match &answer.call {
        Some(call) => {
            json!([{"type": "tool_use", "id": id("toolu_"), "name": call.name, "input": call.arguments}])
        }
        None => json!([{"type": "text", "text": answer.text}]),
    };
    let reported = usage(&answer.usage, answer.usage.output);
    let message = message(ask, &content, Some(stop_reason(answer)), &reported);
    super::without_usage(message, "usage", with_usage)
}

pub(super) fn events(ask: &Ask, answer: &Answer, options: Options) -> Vec<String> {
    let event = |data: Value| format!("event: {}\ndata: {data}\n\n", text_of(&data, "type"));
    let start = message(ask, &json!([]), None, &usage(&answer.usage, 1));
    let start = super::without_usage(start, "usage", options.usage);
    let (block, kind, field, text) = match &answer.call {
        Some(call) => (
            json!({"type": "tool_use", "id": id("toolu_"), "name": call.name, "input": {}}),
            "input_json_delta",
            "partial_json",
            call.arguments.to_string(),
        ),
        None => (
            json!({"type": "text", "text": ""}),
            "text_delta",
            "text",
            answer.text.clone(),
        ),
    };
    let mut all = vec![
        event(json!({"type": "message_start", "message": start})),
        event(json!({"type": "content_block_start", "index": 0, "content_block": block})),
        event(json!({"type": "ping"})),
    ];
    all.extend(deltas(&text, options).into_iter().map(|part| {
        event(json!({"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: part}}))
    }));
    all.push(event(json!({"type": "content_block_stop", "index": 0})));
    let end = json!({
        "type": "message_delta", "delta": {"stop_reason": stop_reason(answer), "stop_sequence": null},
        "usage": usage(&answer.usage, answer.usage.output),
    });
    all.push(event(super::without_usage(end, "usage", options.usage)));
    all.push(event(json!({"type": "message_stop"})));
    all
}

pub(super) fn error(status: StatusCode, message: &str) -> Value {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": id("req_")})
}

/// Anthropic's input leaves out what the cache served or took
/// (<https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>).
fn usage(counted: &Usage, output: u64) -> Value {
    json!({
        "input_tokens": counted.input.saturating_sub(counted.cached).saturating_sub(counted.cache_creation),
        "cache_creation_input_tokens": counted.cache_creation,
        "cache_read_input_tokens": counted.cached,
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn message(ask: &Ask, content: &Value, stop: Option<&str>, usage: &Value) -> Value {
    json!({
        "id": id("msg_"), "type": "message", "role": "assistant", "model": ask.model, "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage,
    })
}

fn stop_reason(answer: &Answer) -> &'static str {
    match (&answer.call, answer.cut) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}
