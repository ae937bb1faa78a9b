use serde_json::{Value, json};
use tollgate_tokens::estimate_for;

use super::count_prompt;
use crate::dialect::{classify, parse};

fn count(path: &str, model: &str, body: &Value) -> u64 {
    let json = body.to_string();
    let endpoint = classify(b"POST", path.as_bytes()).unwrap();
    let request = parse(&endpoint, json.as_bytes()).unwrap();
    count_prompt(&request, model, &|text| estimate_for(model, text))
}

fn chat(model: &str, messages: &Value) -> u64 {
    let body = json!({"model": model, "messages": messages});
    count("/v1/chat/completions", model, &body)
}

#[test]
fn a_plain_chat_is_counted_as_openai_publishes_it() {
    let question = json!([{"role": "user", "content": "What is the capital of France?"}]);
    assert_eq!(chat("gpt-4o", &question), 14);
    assert_eq!(chat("o3-mini", &question), 13);
}

#[test]
fn every_message_and_every_name_counts() {
    let one = chat("gpt-4o", &json!([{"role": "user", "content": "hi"}]));
    let two = chat(
        "gpt-4o",
        &json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": ""}]),
    );
    let named = chat(
        "gpt-4o",
        &json!([{"role": "user", "name": "ann", "content": "hi"}]),
    );
    assert_eq!((two - one, named - one), (4, 1 + estimate_for("gpt-4o", "ann")));
}

#[test]
fn embeddings_are_their_texts_and_their_token_numbers() {
    let model = "text-embedding-3-small";
    let embed = |input: Value| count("/v1/embeddings", model, &json!({"model": model, "input": input}));
    assert_eq!(embed(json!("Hello, world!")), 4);
    assert_eq!(embed(json!([[1, 2, 3], [4]])), 4);
}

#[test]
fn tools_count_and_more_where_one_must_be_called() {
    let tools = json!([{"name": "f", "description": "d", "input_schema": {"type": "object"}}]);
    let claude = |extra: Value| {
        let mut body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        count("/v1/messages", "claude-sonnet-4-5", &body)
    };
    let (without, with) = (claude(json!({})), claude(json!({"tools": tools})));
    let forced = claude(json!({"tools": tools, "tool_choice": {"type": "any"}}));
    assert!(with > without + 496, "{with}");
    assert_eq!(forced - with, 92);
}

#[test]
fn an_image_counts_by_its_detail() {
    let image = |detail: &str| {
        let part = json!({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": detail}});
        chat("gpt-4o", &json!([{"role": "user", "content": [part]}]))
    };
    assert_eq!(image("high") - image("low"), 765 - 85);
}

#[test]
fn reasoning_of_earlier_turns_is_dropped_by_most() {
    let turn = |thinking: &str| {
        let block = json!({"type": "thinking", "thinking": thinking, "signature": "x"});
        let body =
            json!({"model": "claude-opus-4-5", "messages": [{"role": "assistant", "content": [block]}]});
        count("/v1/messages", "claude-opus-4-5", &body)
    };
    assert_eq!(turn("a"), turn("a much longer thought than the other one"));
}
