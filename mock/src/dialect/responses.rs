//! OpenAI Responses (<https://platform.openai.com/docs/api-reference/responses>).

use serde_json::{Value, json};

use super::{Options, chat, deltas, id, is_true, items, model, now, text_of, texts, whole, without_usage};
use crate::answer::{Answer, Ask, Call, Tool};

pub(super) fn read(body: &Value) -> Result<Ask, String> {
    let last = match body.get("input") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(turns)) => turns.last().map(turn).unwrap_or_default(),
        _ => return Err("missing required parameter: 'input'".to_owned()),
    };
    let mut prompt = vec![text_of(body, "instructions")];
    prompt.extend(items(body, "input").iter().map(turn));
    if body.get("input").is_some_and(Value::is_string) {
        prompt.push(last.clone());
    }
    let functions = items(body, "tools")
        .iter()
        .filter(|tool| text_of(tool, "type") == "function");
    Ok(Ask {
        model: model(body)?,
        last,
        prompt,
        max_tokens: whole(body, "max_output_tokens"),
        stream: is_true(body, "stream"),
        tools: functions
            .map(|tool| Tool {
                name: text_of(tool, "name"),
                schema: tool.get("parameters").cloned().unwrap_or_default(),
            })
            .collect(),
        demand: chat::demand(body.get("tool_choice"), "/name"),
    })
}

pub(super) fn json(ask: &Ask, answer: &Answer, with_usage: bool) -> Value {
    finished(&id("resp_"), ask, answer, &item(answer, &id("item_")), with_usage)
}

pub(super) fn events(ask: &Ask, answer: &Answer, options: Options) -> Vec<String> {
    let (response_id, item_id) = (id("resp_"), id("item_"));
    let started = response(&response_id, ask, "in_progress", &json!([]));
    let whole_item = item(answer, &item_id);
    let mut all = vec![
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.in_progress", "response": started}),
    ];
    let mut head = whole_item.clone();
    if let Some(object) = head.as_object_mut() {
        object.insert("status".to_owned(), json!("in_progress"));
        let hollow = if answer.call.is_some() {
            ("arguments", json!(""))
        } else {
            ("content", json!([]))
        };
        object.insert(hollow.0.to_owned(), hollow.1);
    }
    all.push(json!({"type": "response.output_item.added", "output_index": 0, "item": head}));
    match &answer.call {
        Some(call) => all.extend(call_events(&item_id, call, options)),
        None => all.extend(text_events(&item_id, &answer.text, options)),
    }
    all.push(json!({"type": "response.output_item.done", "output_index": 0, "item": whole_item}));
    let kind = if answer.cut {
        "response.incomplete"
    } else {
        "response.completed"
    };
    let complete = finished(&response_id, ask, answer, &whole_item, options.usage);
    all.push(json!({"type": kind, "response": complete}));
    all.into_iter()
        .enumerate()
        .map(|(number, event)| numbered(number, event))
        .collect()
}

fn text_events(item_id: &str, text: &str, options: Options) -> Vec<Value> {
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let event = |kind: &str| json!({"type": kind, "item_id": item_id, "output_index": 0, "content_index": 0});
    let mut all = vec![with(event("response.content_part.added"), "part", part(""))];
    for delta in deltas(text, options) {
        let piece = with(event("response.output_text.delta"), "delta", json!(delta));
        all.push(with(piece, "logprobs", json!([])));
    }
    let done = with(event("response.output_text.done"), "text", json!(text));
    all.push(with(done, "logprobs", json!([])));
    all.push(with(event("response.content_part.done"), "part", part(text)));
    all
}

fn call_events(item_id: &str, call: &Call, options: Options) -> Vec<Value> {
    let arguments = call.arguments.to_string();
    let event = |kind: &str| json!({"type": kind, "item_id": item_id, "output_index": 0});
    let mut all: Vec<Value> = deltas(&arguments, options)
        .into_iter()
        .map(|delta| {
            with(
                event("response.function_call_arguments.delta"),
                "delta",
                json!(delta),
            )
        })
        .collect();
    let done = with(
        event("response.function_call_arguments.done"),
        "arguments",
        json!(arguments),
    );
    all.push(with(done, "name", json!(call.name)));
    all
}

fn item(answer: &Answer, item_id: &str) -> Value {
    match &answer.call {
        Some(call) => json!({
            "id": item_id, "type": "function_call", "status": "completed", "call_id": id("call_"),
            "name": call.name, "arguments": call.arguments.to_string(),
        }),
        None => json!({
            "id": item_id, "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}],
        }),
    }
}

fn response(response_id: &str, ask: &Ask, status: &str, output: &Value) -> Value {
    json!({
        "id": response_id, "object": "response", "created_at": now(), "status": status, "background": false,
        "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": ask.max_tokens,
        "metadata": {}, "model": ask.model, "output": output, "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null}, "store": true,
        "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "truncation": "disabled", "usage": null, "user": null,
    })
}

fn finished(response_id: &str, ask: &Ask, answer: &Answer, output: &Value, with_usage: bool) -> Value {
    let status = if answer.cut { "incomplete" } else { "completed" };
    let mut whole_answer = response(response_id, ask, status, &json!([output]));
    if answer.cut {
        whole_answer = with(
            whole_answer,
            "incomplete_details",
            json!({"reason": "max_output_tokens"}),
        );
    }
    let counted = &answer.usage;
    let usage = json!({
        "input_tokens": counted.input, "input_tokens_details": {"cached_tokens": counted.cached},
        "output_tokens": counted.output, "output_tokens_details": {"reasoning_tokens": counted.reasoning},
        "total_tokens": counted.input.saturating_add(counted.output),
    });
    without_usage(with(whole_answer, "usage", usage), "usage", with_usage)
}

/// The text of one turn: a message, or what a function answered.
fn turn(turn: &Value) -> String {
    let said = texts(turn.get("content"));
    if said.is_empty() {
        texts(turn.get("output"))
    } else {
        said
    }
}

fn with(mut value: Value, field: &str, of: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert(field.to_owned(), of);
    }
    value
}

fn numbered(number: usize, event: Value) -> String {
    let kind = text_of(&event, "type");
    format!(
        "event: {kind}\ndata: {}\n\n",
        with(event, "sequence_number", json!(number))
    )
}
