//! Gemini generateContent and streamGenerateContent (<https://ai.google.dev/api/generate-content>).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Form, Options, deltas, id, items, text_of, texts, without_usage};
use crate::answer::{Answer, Ask, Demand, Tool, Usage};
use crate::tokens;

pub(super) fn read(model: &str, form: Form, body: &Value) -> Result<Ask, String> {
    let contents = items(body, "contents");
    if contents.is_empty() {
        return Err("* GenerateContentRequest.contents: contents is not specified".to_owned());
    }
    let mut prompt = vec![texts(body.pointer("/systemInstruction/parts"))];
    prompt.extend(contents.iter().map(|content| texts(content.get("parts"))));
    let declared = items(body, "tools")
        .iter()
        .flat_map(|tool| items(tool, "functionDeclarations"));
    let calling = body
        .pointer("/toolConfig/functionCallingConfig")
        .unwrap_or(&Value::Null);
    let allowed = items(calling, "allowedFunctionNames")
        .first()
        .and_then(Value::as_str);
    Ok(Ask {
        model: model.to_owned(),
        last: prompt.last().cloned().unwrap_or_default(),
        prompt,
        max_tokens: body
            .pointer("/generationConfig/maxOutputTokens")
            .and_then(Value::as_u64),
        stream: form != Form::One,
        tools: declared
            .map(|tool| Tool {
                name: text_of(tool, "name"),
                schema: tool.get("parameters").cloned().unwrap_or_default(),
            })
            .collect(),
        demand: match (text_of(calling, "mode").as_str(), allowed) {
            ("ANY", Some(name)) => Demand::Named(name.to_owned()),
            ("ANY", None) => Demand::Any,
            _ => Demand::No,
        },
    })
}

pub(super) fn count(model: &str, body: &Value) -> Result<Value, String> {
    let nested = body.get("generateContentRequest").unwrap_or(body);
    let ask = read(model, Form::One, nested)?;
    Ok(json!({"totalTokens": tokens::count_prompt(model, &ask.prompt)}))
}

pub(super) fn json(ask: &Ask, answer: &Answer, with_usage: bool) -> Value {
    let part = match &answer.call {
        Some(call) => json!({"functionCall": {"name": call.name, "args": call.arguments}}),
        None => json!({"text": answer.text}),
    };
    without_usage(
        chunk(ask, &part, Some(answer), &id("")),
        "usageMetadata",
        with_usage,
    )
}

pub(super) fn events(ask: &Ask, answer: &Answer, options: Options) -> Vec<String> {
    chunks(ask, answer, options)
        .into_iter()
        .map(|chunk| format!("data: {chunk}\r\n\r\n"))
        .collect()
}

pub(super) fn array(ask: &Ask, answer: &Answer, options: Options) -> Vec<String> {
    let mut all: Vec<String> = chunks(ask, answer, options)
        .into_iter()
        .enumerate()
        .map(|(index, chunk)| format!("{}{chunk}\n", if index == 0 { "[" } else { ",\r\n" }))
        .collect();
    all.push("]".to_owned());
    all
}

pub(super) fn error(status: StatusCode, message: &str) -> Value {
    let name = match status.as_u16() {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    json!({"error": {"code": status.as_u16(), "message": message, "status": name}})
}

fn chunks(ask: &Ask, answer: &Answer, options: Options) -> Vec<Value> {
    let response_id = id("");
    if answer.call.is_some() {
        return vec![json(ask, answer, options.usage)];
    }
    let parts = deltas(&answer.text, options);
    let last = parts.len().saturating_sub(1);
    let each = parts.into_iter().enumerate().map(|(index, text)| {
        let ends = (index == last).then_some(answer);
        without_usage(
            chunk(ask, &json!({"text": text}), ends, &response_id),
            "usageMetadata",
            options.usage,
        )
    });
    each.collect()
}

/// One element; only the last has the whole usage and a reason to stop.
fn chunk(ask: &Ask, part: &Value, ends: Option<&Answer>, response_id: &str) -> Value {
    let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": 0});
    if let (Some(answer), Some(object)) = (ends, candidate.as_object_mut()) {
        object.insert(
            "finishReason".to_owned(),
            json!(if answer.cut { "MAX_TOKENS" } else { "STOP" }),
        );
    }
    let prompt = tokens::count_prompt(&ask.model, &ask.prompt);
    let so_far = ends.map_or(
        Usage {
            input: prompt,
            ..Usage::default()
        },
        |answer| answer.usage,
    );
    json!({
        "candidates": [candidate], "usageMetadata": usage(&so_far), "modelVersion": ask.model,
        "responseId": response_id,
    })
}

/// Gemini counts thoughts beside the candidates, not in them
/// (<https://ai.google.dev/api/generate-content#UsageMetadata>).
fn usage(counted: &Usage) -> Value {
    let mut reported = json!({
        "promptTokenCount": counted.input,
        "candidatesTokenCount": counted.output.saturating_sub(counted.reasoning),
        "totalTokenCount": counted.input.saturating_add(counted.output),
    });
    if let Some(object) = reported.as_object_mut() {
        if counted.cached > 0 {
            object.insert("cachedContentTokenCount".to_owned(), json!(counted.cached));
        }
        if counted.reasoning > 0 {
            object.insert("thoughtsTokenCount".to_owned(), json!(counted.reasoning));
        }
    }
    reported
}
