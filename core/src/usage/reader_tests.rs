use proptest::prelude::*;

use super::*;
use crate::usage::UsageStatus;

pub(super) fn read(dialect: Dialect, body: &str, end: End) -> Outcome {
    let mut reader = Reader::new(dialect, Coding::Identity);
    reader.push(body.as_bytes());
    let outcome = reader.finish(end);
    for size in [1, 2, 3, 5, 8, 13, 100] {
        assert_eq!(
            in_pieces(dialect, body.as_bytes(), size, end),
            outcome,
            "in chunks of {size}"
        );
    }
    outcome
}

pub(super) fn in_pieces(dialect: Dialect, body: &[u8], size: usize, end: End) -> Outcome {
    let mut reader = Reader::new(dialect, Coding::Identity);
    for chunk in body.chunks(size) {
        reader.push(chunk);
    }
    reader.finish(end)
}

pub(super) fn counts(outcome: &Outcome) -> (u64, u64, UsageStatus) {
    let usage = outcome.usage.unwrap();
    (usage.input_tokens, usage.output_tokens, usage.status)
}

pub(super) const CHAT_STREAM: &str = concat!(
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"Hi \"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{\"content\":\"you\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n",
    "data: [DONE]\n\n",
);

pub(super) const MESSAGE_STREAM: &str = concat!(
    "event: message_start\r\n",
    "data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"output_tokens\":1}}}\r\n\r\n",
    "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n",
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"12345678\"}}\r\n\r\n",
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":30}}\r\n\r\n",
    "data: {\"type\":\"message_stop\"}\r\n\r\n",
);

#[test]
fn a_chat_stream_reports_in_its_last_event() {
    let outcome = read(Dialect::ChatCompletions, CHAT_STREAM, End::Clean);
    assert_eq!(counts(&outcome), (9, 2, UsageStatus::Complete));
    assert_eq!(outcome.response_model.as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!((outcome.seen.text_bytes, outcome.seen.deltas), (6, 2));
    assert!(outcome.finished);
}

#[test]
fn a_chat_stream_that_is_cut_after_its_usage_is_complete() {
    let (before_done, _) = CHAT_STREAM.split_once("data: [DONE]").unwrap();
    let outcome = read(Dialect::ChatCompletions, before_done, End::Cut);
    assert_eq!(counts(&outcome), (9, 2, UsageStatus::Complete));
}

#[test]
fn a_chat_stream_that_is_cut_before_its_usage_has_none() {
    let (start, _) = CHAT_STREAM.split_once("data: {\"choices\":[],").unwrap();
    let outcome = read(
        Dialect::ChatCompletions,
        start.trim_end_matches("\"stop\"}],\"usage\":null}\n\n"),
        End::Cut,
    );
    assert_eq!(outcome.usage, None);
    assert!(!outcome.finished);
    assert_eq!(outcome.seen.text_bytes, 3 + 3);
}

#[test]
fn a_running_count_that_is_cut_is_partial() {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n";
    let outcome = read(Dialect::ChatCompletions, event, End::Cut);
    assert_eq!(counts(&outcome), (5, 1, UsageStatus::Partial));
}

#[test]
fn groq_reports_in_a_field_of_its_own() {
    let stream = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":3},\"usage_breakdown\":{\"models\":[{\"usage\":{\"prompt_tokens\":99}}]}}}\n\ndata: [DONE]\n\n";
    assert_eq!(
        counts(&read(Dialect::ChatCompletions, stream, End::Clean)),
        (4, 3, UsageStatus::Complete)
    );
}

#[test]
fn a_message_stream_is_merged_from_its_start_and_its_delta() {
    let outcome = read(Dialect::Messages, MESSAGE_STREAM, End::Clean);
    assert_eq!(counts(&outcome), (15, 30, UsageStatus::Complete));
    assert_eq!(outcome.response_model.as_deref(), Some("claude-x"));
    assert_eq!(outcome.seen.text_bytes, 8);
}

#[test]
fn a_message_stream_that_ends_early_is_partial_even_if_cleanly() {
    let (start, _) = MESSAGE_STREAM
        .split_once("data: {\"type\":\"message_delta\"")
        .unwrap();
    let outcome = read(Dialect::Messages, start, End::Clean);
    assert_eq!(counts(&outcome), (15, 1, UsageStatus::Partial));
    let settled = crate::usage::estimate(&outcome, 99, Seen::tokens_by_size);
    assert_eq!((settled.input_tokens, settled.output_tokens), (15, 2));
}

#[test]
fn an_error_event_is_told_by_its_code() {
    let stream = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"secret prompt\"}}\n\n";
    let outcome = read(Dialect::Messages, stream, End::Clean);
    assert_eq!(outcome.error.as_deref(), Some("overloaded_error"));
}

#[test]
fn error_codes_are_read_in_every_dialect_and_prose_is_not_kept() {
    for (dialect, body, code) in [
        (
            Dialect::ChatCompletions,
            r#"{"error":{"message":"m","type":"invalid_request_error","code":null}}"#,
            "invalid_request_error",
        ),
        (
            Dialect::ChatCompletions,
            r#"{"error":{"message":"m","type":"t","code":"context_length_exceeded"}}"#,
            "context_length_exceeded",
        ),
        (
            Dialect::ChatCompletions,
            r#"{"error":{"message":"m","code":502}}"#,
            "502",
        ),
        (
            Dialect::ChatCompletions,
            r#"{"error":"your prompt was bad"}"#,
            "error",
        ),
        (
            Dialect::ChatCompletions,
            r#"{"error":{"code":"your prompt was bad"}}"#,
            "error",
        ),
        (
            Dialect::GenerateContent,
            r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#,
            "RESOURCE_EXHAUSTED",
        ),
        (
            Dialect::Responses,
            "data: {\"type\":\"error\",\"code\":\"x\",\"message\":\"m\"}\n\n",
            "error",
        ),
    ] {
        assert_eq!(
            read(dialect, body, End::Clean).error.as_deref(),
            Some(code),
            "{body}"
        );
    }
    assert_eq!(
        read(Dialect::Responses, r#"{"error":null}"#, End::Clean).error,
        None
    );
}

#[test]
fn a_responses_stream_reports_in_its_last_event_whatever_the_order_of_keys() {
    for last in [
        r#"{"type":"response.completed","response":{"model":"o3","usage":{"input_tokens":7,"output_tokens":4}}}"#,
        r#"{"response":{"usage":{"input_tokens":7,"output_tokens":4},"model":"o3"},"type":"response.incomplete"}"#,
    ] {
        let stream = format!(
            "data: {{\"type\":\"response.created\",\"response\":{{\"usage\":null}}}}\n\ndata: {{\"delta\":\"abc\",\"type\":\"response.output_text.delta\"}}\n\ndata: {{\"delta\":\"QUJD\",\"type\":\"response.audio.delta\"}}\n\ndata: {last}\nevent: x\n\n"
        );
        let outcome = read(Dialect::Responses, &stream, End::Cut);
        assert_eq!(counts(&outcome), (7, 4, UsageStatus::Complete));
        assert_eq!((outcome.seen.text_bytes, outcome.seen.deltas), (3, 1));
        assert_eq!(outcome.response_model.as_deref(), Some("o3"));
    }
}

#[test]
fn the_last_of_geminis_reports_holds_in_both_kinds_of_stream() {
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}]}}],"usageMetadata":{"promptTokenCount":5},"modelVersion":"gemini-2.5-pro"}"#;
    let last = r#"{"candidates":[{"content":{"parts":[{"text":"!"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":9}}"#;
    for body in [
        format!("[{first}\n,\r\n{last}]"),
        format!("data: {first}\r\n\r\ndata: {last}\r\n\r\n"),
    ] {
        let outcome = read(Dialect::GenerateContent, &body, End::Clean);
        assert_eq!(counts(&outcome), (5, 11, UsageStatus::Complete));
        assert_eq!(outcome.seen.text_bytes, 6);
        assert_eq!(outcome.response_model.as_deref(), Some("gemini-2.5-pro"));
    }
    assert_eq!(
        counts(&read(Dialect::GenerateContent, &format!("[{first}"), End::Cut)),
        (5, 0, UsageStatus::Partial)
    );
}

#[test]
fn a_usage_within_content_or_tool_arguments_is_not_taken_for_it() {
    let body = r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1}","tool_calls":[{"function":{"arguments":"{\"usage\":{\"prompt_tokens\":1}}"},"usage":{"prompt_tokens":1}}],"usage":{"prompt_tokens":1}}}]}"#;
    assert_eq!(read(Dialect::ChatCompletions, body, End::Clean).usage, None);
    let block = r#"{"type":"message","content":[{"type":"tool_use","input":{"usage":{"input_tokens":1}}}],"usage":{"input_tokens":3,"output_tokens":4}}"#;
    assert_eq!(
        counts(&read(Dialect::Messages, block, End::Clean)),
        (3, 4, UsageStatus::Complete)
    );
}

#[test]
fn a_repeated_usage_counts_once_and_the_last_valid_holds() {
    let body = r#"{"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":2,"completion_tokens":2},"usage":null,"usage":"x","usage":{"prompt_tokens":-3}}"#;
    assert_eq!(
        counts(&read(Dialect::ChatCompletions, body, End::Clean)),
        (2, 2, UsageStatus::Complete)
    );
}

#[test]
fn the_first_byte_tells_the_format_not_the_content_type() {
    let body = r#" {"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    assert_eq!(
        counts(&read(Dialect::Embeddings, body, End::Clean)),
        (3, 0, UsageStatus::Complete)
    );
}

#[test]
fn a_json_body_that_is_cut_after_its_usage_is_partial() {
    let body = r#"{"usage":{"input_tokens":3,"output_tokens":2},"content":[{"text":"half"#;
    let outcome = read(Dialect::Messages, body, End::Cut);
    assert_eq!(counts(&outcome), (3, 2, UsageStatus::Partial));
    assert_eq!(outcome.seen.text_bytes, 4);
}

#[test]
fn an_encoded_body_is_counted_but_not_read() {
    let mut reader = Reader::new(Dialect::ChatCompletions, Coding::of(Some(b"gzip")));
    reader.push(CHAT_STREAM.as_bytes());
    let outcome = reader.finish(End::Clean);
    assert_eq!(outcome.usage, None);
    assert_eq!(outcome.seen.body_bytes, CHAT_STREAM.len() as u64);
    assert!(!outcome.seen.readable);
}

#[test]
fn identity_is_no_encoding() {
    for (header, coding) in [
        (None, Coding::Identity),
        (Some(b"".as_slice()), Coding::Identity),
        (Some(b" Identity "), Coding::Identity),
        (Some(b"br"), Coding::Encoded),
        (Some(b"identity, gzip"), Coding::Encoded),
    ] {
        assert_eq!(Coding::of(header), coding, "{header:?}");
    }
}

#[test]
fn a_body_of_many_megabytes_is_read_in_bounded_memory() {
    let mut reader = Reader::new(Dialect::ChatCompletions, Coding::Identity);
    reader.push(b"{\"choices\":[{\"message\":{\"content\":\"");
    for _ in 0..1024 {
        reader.push(&[b'x'; 16 * 1024]);
    }
    reader.push(b"\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":4000000}}");
    let outcome = reader.finish(End::Clean);
    assert_eq!(counts(&outcome), (1, 4_000_000, UsageStatus::Complete));
    assert_eq!(outcome.seen.text_bytes, 16 * 1024 * 1024);
}

#[test]
fn an_event_of_a_megabyte_is_read_like_any_other() {
    let image = "A".repeat(1024 * 1024);
    let stream = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"inlineData\":{{\"data\":\"{image}\"}}}}]}},\"finishReason\":\"STOP\"}}],\"usageMetadata\":{{\"promptTokenCount\":5,\"candidatesTokenCount\":1290}}}}\r\n\r\n"
    );
    let outcome = in_pieces(Dialect::GenerateContent, stream.as_bytes(), 4096, End::Clean);
    assert_eq!(counts(&outcome), (5, 1290, UsageStatus::Complete));
    assert_eq!(outcome.seen.text_bytes, 0);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_any_cut_is_the_same(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        which in 0usize..8,
        size in 1usize..20,
        prefix in prop_oneof![Just("data: "), Just("{"), Just("[{"), Just("")],
    ) {
        let body = [prefix.as_bytes(), &bytes].concat();
        let dialect = Dialect::ALL[which];
        prop_assert_eq!(
            in_pieces(dialect, &body, size, End::Cut),
            in_pieces(dialect, &body, body.len().max(1), End::Cut)
        );
    }

    #[test]
    fn a_stream_with_a_damaged_byte_does_not_panic(at in 0usize..CHAT_STREAM.len(), byte: u8, size in 1usize..50) {
        for (dialect, stream) in [(Dialect::ChatCompletions, CHAT_STREAM), (Dialect::Messages, MESSAGE_STREAM)] {
            let mut bytes = stream.as_bytes().to_vec();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            prop_assert_eq!(
                in_pieces(dialect, &bytes, size, End::Clean),
                in_pieces(dialect, &bytes, bytes.len(), End::Clean)
            );
        }
    }
}
