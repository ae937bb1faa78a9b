use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::usage::recordings_tests::{chunks, dialect, documents, recordings};

const ROOM: usize = 10_000;

/// What was said, as `kind: text`, whatever the chunks.
fn said(dialect: Dialect, body: &str) -> Vec<String> {
    let whole = parts(dialect, body.as_bytes().chunks(usize::MAX), ROOM);
    for size in [1, 2, 3, 5, 8, 13, 100] {
        let pieces = parts(dialect, body.as_bytes().chunks(size), ROOM);
        assert_eq!(pieces, whole, "in chunks of {size}");
    }
    whole.iter().map(shown).collect()
}

fn parts<'a>(dialect: Dialect, chunks: impl IntoIterator<Item = &'a [u8]>, room: usize) -> Vec<TextPart> {
    let mut answer = AnswerText::new(dialect, room).unwrap();
    for chunk in chunks {
        answer.push(chunk);
    }
    answer.finish()
}

fn shown(part: &TextPart) -> String {
    let kind = match part.kind {
        TextKind::Text => "text",
        TextKind::Thinking => "thinking",
        TextKind::Name => "name",
        TextKind::Arguments => "arguments",
    };
    let cut = if part.cut { " (cut)" } else { "" };
    format!("{} {kind}: {}{cut}", part.index.unwrap(), part.text)
}

fn stream(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn a_chat_completion_is_read() {
    let body = r#"{"choices":[
        {"message":{"role":"assistant","reasoning_content":"Hm.","content":"Gr\u00fcn \ud83d\ude00 \"q\"\n",
            "tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]},"index":0},
        {"index":1,"message":{"content":null,"refusal":"No."}}
    ],"usage":{"prompt_tokens":1}}"#;
    assert_eq!(
        said(Dialect::ChatCompletions, body),
        [
            "0 thinking: Hm.",
            "0 text: Grün \u{1f600} \"q\"\n",
            "0 name: f",
            "0 arguments: {\"a\":1}",
            "1 text: No.",
        ]
    );
}

#[test]
fn the_deltas_of_a_stream_are_put_together_for_each_choice() {
    let delta =
        |index: u32, delta: Value| json!({"choices": [{"delta": delta, "index": index}], "usage": null});
    let call = |function: Value| json!({"tool_calls": [{"index": 0, "function": function}]});
    let body = stream(&[
        delta(0, json!({"role": "assistant", "content": ""})),
        delta(0, json!({"reasoning": "Let "})),
        delta(0, json!({"reasoning": "me."})),
        delta(1, json!({"content": "日"})),
        delta(0, json!({"content": "Hel"})),
        delta(1, json!({"content": "本"})),
        delta(0, json!({"content": "lo"})),
        delta(0, call(json!({"name": "f", "arguments": ""}))),
        delta(0, call(json!({"arguments": "{\"a\""}))),
        delta(0, call(json!({"arguments": ":1}"}))),
        delta(0, call(json!({"name": "g"}))),
        delta(0, call(json!({"arguments": "{}"}))),
        json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
    ]) + "data: [DONE]\n\n";
    assert_eq!(
        said(Dialect::ChatCompletions, &body),
        [
            "0 thinking: Let me.",
            "0 text: Hello",
            "0 name: f",
            "0 arguments: {\"a\":1}",
            "0 name: g",
            "0 arguments: {}",
            "1 text: 日本",
        ]
    );
}

#[test]
fn a_message_and_its_stream_say_the_same() {
    let whole = json!({"type": "message", "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "Hi"},
    ]});
    let events = stream(&[
        json!({"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "H"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "i"}}),
        json!({"type": "message_stop"}),
    ]);
    let expected = ["0 thinking: Hm.", "0 text: Hi"];
    assert_eq!(said(Dialect::Messages, &whole.to_string()), expected);
    assert_eq!(said(Dialect::Messages, &events), expected);
}

#[test]
fn a_tool_call_of_a_message_is_its_name_and_its_input() {
    let whole = r#"{"content":[{"type":"tool_use","id":"t","name":"f","input":{"a":[1,"}"]}}]}"#;
    let events = stream(&[
        json!({"content_block": {"type": "tool_use", "name": "f", "input": {}}, "type": "content_block_start"}),
        json!({"delta": {"type": "input_json_delta", "partial_json": ""}}),
        json!({"delta": {"type": "input_json_delta", "partial_json": "{\"a\":[1"}}),
        json!({"delta": {"type": "input_json_delta", "partial_json": ",\"}\"]}"}}),
    ]);
    let expected = ["0 name: f", "0 arguments: {\"a\":[1,\"}\"]}"];
    assert_eq!(said(Dialect::Messages, whole), expected);
    assert_eq!(said(Dialect::Messages, &events), expected);
}

#[test]
fn a_response_and_its_stream_say_the_same_once() {
    let output = json!([
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
    ]);
    let whole = json!({"id": "resp_1", "output": output});
    let done = json!({"type": "response.completed", "response": {"output": output, "usage": {}}});
    let deltas = stream(&[
        json!({"type": "response.created", "response": {"output": []}}),
        json!({"type": "response.reasoning_summary_text.delta", "delta": "Hm."}),
        json!({"delta": "H", "type": "response.output_text.delta"}),
        json!({"type": "response.audio.delta", "delta": "AAAA"}),
        json!({"type": "response.output_text.delta", "delta": "i"}),
        json!({"type": "response.output_text.done", "text": "Hi"}),
        done.clone(),
    ]);
    let expected = ["0 thinking: Hm.", "0 text: Hi"];
    assert_eq!(said(Dialect::Responses, &whole.to_string()), expected);
    assert_eq!(said(Dialect::Responses, &deltas), expected);
    assert_eq!(
        said(Dialect::Responses, &stream(&[done])),
        expected,
        "the whole alone will do"
    );
}

#[test]
fn a_tool_call_of_a_response_is_named_where_it_begins() {
    let item = json!({"type": "function_call", "name": "f", "arguments": ""});
    let events = stream(&[
        json!({"type": "response.output_item.added", "item": item}),
        json!({"type": "response.function_call_arguments.delta", "delta": "{}"}),
        json!({"type": "response.output_item.done", "item": item}),
    ]);
    assert_eq!(
        said(Dialect::Responses, &events),
        ["0 name: f", "0 arguments: {}"]
    );
}

#[test]
fn gemini_says_it_in_json_in_an_array_and_in_events() {
    let first =
        r#"{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true},{"text":"H"}]},"index":0}]}"#;
    let second = r#"{"candidates":[{"content":{"parts":[{"text":"i"},{"functionCall":{"name":"f","args":{"a":1}}}]}}]}"#;
    let expected = [
        "0 thinking: Hm.",
        "0 text: Hi",
        "0 name: f",
        "0 arguments: {\"a\":1}",
    ];
    assert_eq!(
        said(Dialect::GenerateContent, &format!("[{first},\n{second}]")),
        expected
    );
    let events = format!("data: {first}\r\n\r\ndata: {second}\r\n\r\n");
    assert_eq!(said(Dialect::GenerateContent, &events), expected);
}

#[test]
fn a_legacy_completion_is_its_text() {
    assert_eq!(
        said(
            Dialect::Completions,
            r#"{"choices":[{"text":"a"},{"text":"b","index":1}]}"#
        ),
        ["0 text: a", "1 text: b"]
    );
}

#[test]
fn what_is_cut_short_is_kept_as_far_as_it_came() {
    assert_eq!(
        said(
            Dialect::ChatCompletions,
            r#"{"choices":[{"message":{"content":"Hel"#
        ),
        ["0 text: Hel"]
    );
    assert_eq!(
        said(
            Dialect::Messages,
            "data: {\"delta\":{\"text\":\"H\"}}\n\ndata: {\"delta\":{\"text\":\"el"
        ),
        ["0 text: Hel"]
    );
}

#[test]
fn other_bodies_say_nothing() {
    assert!(AnswerText::new(Dialect::Embeddings, ROOM).is_none());
    assert!(AnswerText::new(Dialect::Models, ROOM).is_none());
    for body in [
        "",
        "  ",
        "<html>",
        r#"{"error":{"message":"secret"}}"#,
        "[]",
        "{\"choices\":[1,null]}",
    ] {
        assert_eq!(
            said(Dialect::ChatCompletions, body),
            Vec::<String>::new(),
            "{body}"
        );
    }
}

#[test]
fn a_long_answer_loses_its_end_and_says_so() {
    let body = json!({"choices": [{"message": {"content": "é".repeat(100)}}]}).to_string();
    let found = parts(Dialect::ChatCompletions, [body.as_bytes()], PART_COST + 5);
    assert_eq!((found[0].text.as_str(), found[0].cut), ("éé", true));
    let delta = |text: &str| json!({"delta": {"text": text}});
    let body = stream(&[delta("abc"), delta("def"), delta("ghi"), delta("jkl")]);
    let found = parts(Dialect::Messages, body.as_bytes().chunks(7), 2 * PART_COST + 3);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].cut && "abcdefghi".starts_with(&found[0].text),
        "{found:?}"
    );
}

proptest! {
    /// Whatever comes, what is kept of it is bounded, and the chunks do not matter.
    #[test]
    fn memory_is_bounded_and_no_chunk_boundary_matters(
        texts in proptest::collection::vec("[a-zé日😀\"\\\\\n]{0,40}", 0..40),
        room in PART_COST..2_000,
        size in 1_usize..40,
    ) {
        let events: Vec<Value> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| json!({"choices": [{"delta": {"content": text}, "index": at % 3}]}))
            .collect();
        let body = stream(&events);
        let whole = parts(Dialect::ChatCompletions, [body.as_bytes()], room);
        let pieces = parts(Dialect::ChatCompletions, body.as_bytes().chunks(size), room);
        prop_assert_eq!(&pieces, &whole);
        let kept: usize = whole.iter().map(|part| part.text.len() + PART_COST).sum();
        prop_assert!(kept <= room, "{kept} of {room}");
        for index in 0..3_u32 {
            let all: String = texts.iter().skip(index as usize).step_by(3).map(String::as_str).collect();
            let found: String = whole.iter().filter(|part| part.index == Some(index)).map(|part| part.text.as_str()).collect();
            prop_assert!(all.starts_with(&found), "{all:?}: {found:?}");
            prop_assert!(room < 2_000 || all == found);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1_usize..20) {
        for dialect in [Dialect::ChatCompletions, Dialect::Responses, Dialect::Messages, Dialect::GenerateContent] {
            parts(dialect, bytes.chunks(size), 100);
        }
    }
}

/// The visible text of a recorded answer, the plain way.
fn expected(dialect: Dialect, body: &str) -> String {
    let documents = documents(body);
    let pointers: &[&str] = match dialect {
        Dialect::ChatCompletions => &["/choices/0/delta/content", "/choices/0/message/content"],
        Dialect::Completions => &["/choices/0/text"],
        Dialect::Messages => &["/content_block/text", "/delta/text"],
        _ => &[],
    };
    let mut text = String::new();
    for document in &documents {
        for found in pointers.iter().filter_map(|pointer| document.pointer(pointer)) {
            match found {
                Value::Array(parts) => text.extend(parts.iter().filter_map(|part| part["text"].as_str())),
                other => text.push_str(other.as_str().unwrap_or_default()),
            }
        }
        if let Some(blocks) = document["content"]
            .as_array()
            .filter(|_| dialect == Dialect::Messages)
        {
            text.extend(blocks.iter().filter_map(|block| block["text"].as_str()));
        }
        if dialect == Dialect::GenerateContent {
            let parts = document.pointer("/candidates/0/content/parts");
            let parts = parts.and_then(Value::as_array).into_iter().flatten();
            for part in parts.filter(|part| part["thought"] != true) {
                text.push_str(part["text"].as_str().unwrap_or_default());
                text.push_str(
                    part.pointer("/codeExecutionResult/output")
                        .and_then(Value::as_str)
                        .unwrap_or_default(),
                );
            }
        }
        if dialect == Dialect::Responses {
            let kind = document["type"].as_str().unwrap_or_default();
            if matches!(kind, "response.output_text.delta" | "response.refusal.delta") {
                text.push_str(document["delta"].as_str().unwrap_or_default());
            }
            let items = document["output"].as_array().into_iter().flatten();
            for part in items
                .filter(|item| item["type"] == "message")
                .flat_map(|item| item["content"].as_array().into_iter().flatten())
            {
                text.push_str(
                    part["text"]
                        .as_str()
                        .or(part["refusal"].as_str())
                        .unwrap_or_default(),
                );
            }
        }
    }
    text
}

#[test]
fn every_recorded_answer_says_what_a_plain_reading_finds() {
    let mut with_text = 0;
    for recording in recordings().iter().filter(|recording| recording.status == 200) {
        let dialect = dialect(&recording.path);
        let Some(mut answer) = AnswerText::new(dialect, 1 << 20) else {
            continue;
        };
        for chunk in chunks(recording.body.as_bytes(), 7) {
            answer.push(chunk);
        }
        let found: String = answer
            .finish()
            .into_iter()
            .filter(|part| part.index == Some(0) && part.kind == TextKind::Text)
            .map(|part| part.text)
            .collect();
        let expected = expected(dialect, &recording.body);
        with_text += usize::from(!expected.is_empty());
        assert_eq!(found, expected, "{} {}", recording.id, recording.path);
    }
    println!("{with_text} recorded answers have text");
}
