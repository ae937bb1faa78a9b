use serde_json::{Value, json};

use super::*;
use crate::dialect::{classify, encode, parse};

fn read<T>(path: &str, body: &Value, act: impl FnOnce(&Request<'_>, &str) -> T) -> T {
    let body = body.to_string();
    let endpoint = classify(b"POST", path.as_bytes()).unwrap();
    act(&parse(&endpoint, body.as_bytes()).unwrap(), &body)
}

fn shown((parts, is_cut): (Vec<TextPart>, bool)) -> Vec<String> {
    let mut lines: Vec<String> = parts
        .iter()
        .map(|part| {
            let index = part.index.map_or("-".to_owned(), |index| index.to_string());
            let (role, kind) = (json!(part.role), json!(part.kind));
            let (role, kind) = (role.as_str().unwrap(), kind.as_str().unwrap());
            let cut = if part.cut { " (cut)" } else { "" };
            format!("{index} {role} {kind}: {}{cut}", part.text)
        })
        .collect();
    if is_cut {
        lines.insert(0, "(cut)".to_owned());
    }
    lines
}

fn said(path: &str, body: &Value, max_bytes: usize) -> Vec<String> {
    read(path, body, |request, _| {
        shown(PromptText::of(request, max_bytes).into_parts())
    })
}

fn chat() -> Value {
    json!({"model": "m", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Grün?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ]})
}

#[test]
fn roles_and_order_survive() {
    assert_eq!(
        said("/v1/chat/completions", &chat(), 10_000),
        [
            "0 system text: Be brief.",
            "1 user text: Grün?",
            "2 assistant name: f",
            "2 assistant arguments: {\"a\":1}",
            "3 tool text: 42",
        ]
    );
}

#[test]
fn every_dialect_is_read() {
    let messages = json!({"model": "m", "max_tokens": 9, "system": "S", "messages": [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": "b"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "R"}]},
    ]});
    assert_eq!(
        said("/v1/messages", &messages, 10_000),
        [
            "- system text: S",
            "0 user text: Q",
            "1 assistant name: f",
            "1 assistant arguments: {\"a\":\"b\"}",
            "2 tool text: R",
        ]
    );
    let responses = json!({"model": "m", "instructions": "S", "input": [{"role": "user", "content": "Q"}]});
    assert_eq!(
        said("/v1/responses", &responses, 10_000),
        ["- system text: S", "0 user text: Q"]
    );
    let gemini = json!({"systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [{"role": "user", "parts": [{"text": "Q"}]}, {"role": "model", "parts": [{"text": "A"}]}]});
    assert_eq!(
        said("/v1beta/models/m:generateContent", &gemini, 10_000),
        ["- system text: S", "0 user text: Q", "1 assistant text: A"]
    );
}

#[test]
fn where_there_is_no_room_the_newest_are_kept() {
    let room = PART_COST + 2 + PART_COST + 3;
    assert_eq!(
        said("/v1/chat/completions", &chat(), room),
        ["(cut)", "2 assistant arguments: {\"a (cut)", "3 tool text: 42"]
    );
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "日本日本"}]});
    assert_eq!(
        said("/v1/chat/completions", &body, PART_COST + 8),
        ["0 user text: 日本 (cut)"],
        "no character is split"
    );
}

#[test]
fn what_moderation_takes_out_is_not_kept() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "mine is a@b.example"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f",
            "input": {"x": "keep", "y": "c@d.example"}}]},
    ], "max_tokens": 9});
    let redacted = read("/v1/messages", &body, |request, _| {
        let edits: Vec<Edit> = request
            .texts()
            .filter(|text| text.text.contains('@'))
            .map(|text| Edit {
                span: text.span,
                with: encode("[EMAIL] \"x\""),
            })
            .collect();
        assert_eq!(edits.len(), 2);
        let mut prompt = PromptText::of(request, 10_000);
        prompt.redact(&edits);
        let mut short = PromptText::of(request, 2 * PART_COST + 18 + 30);
        short.redact(&edits);
        (shown(prompt.into_parts()), format!("{:?}", short.into_parts()))
    });
    assert_eq!(
        redacted.0,
        [
            "0 user text: [EMAIL] \"x\"",
            "1 assistant name: f",
            "1 assistant arguments: {\"x\":\"keep\",\"y\":\"[EMAIL] \\\"x\\\"\"}",
        ]
    );
    assert!(!redacted.1.contains("c@d"), "{}", redacted.1);
}
