//! Usage as the hosts of each dialect spell it, from their own documentation: one answer a habit.

use super::{Coding, End, Reader, UsageStatus};
use crate::dialect::Dialect;

/// Input, output, cached input, cache creation, reasoning; the answer must be complete.
fn counts(dialect: Dialect, body: &str) -> Option<(u64, u64, u64, u64, u64)> {
    let mut reader = Reader::new(dialect, Coding::Identity);
    for chunk in body.as_bytes().chunks(7) {
        reader.push(chunk);
    }
    let usage = reader.finish(End::Clean).usage?;
    assert_eq!(usage.status, UsageStatus::Complete, "{body}");
    Some((
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_creation_input_tokens,
        usage.reasoning_output_tokens,
    ))
}

#[test]
fn chat_completions_are_read_as_each_host_reports_them() {
    for (host, body, expected) in [
        (
            "DeepSeek",
            r#"{"choices":[{"message":{"content":"a","reasoning_content":"b"}}],"usage":{"prompt_tokens":30,
                "completion_tokens":20,"total_tokens":50,"prompt_tokens_details":{"cached_tokens":10},
                "completion_tokens_details":{"reasoning_tokens":12},"prompt_cache_hit_tokens":10,
                "prompt_cache_miss_tokens":20}}"#,
            (30, 20, 10, 0, 12),
        ),
        (
            "Groq",
            r#"{"choices":[],"usage":{"queue_time":0.05,"prompt_tokens":40,"prompt_time":0.001,"completion_tokens":9,
                "completion_time":0.02,"total_tokens":49,"total_time":0.03,
                "prompt_tokens_details":{"cached_tokens":32}},"usage_breakdown":null,"x_groq":{"id":"req_1"}}"#,
            (40, 9, 32, 0, 0),
        ),
        (
            "OpenRouter",
            "\n         \n{\"choices\":[],\"usage\":{\"prompt_tokens\":17,\"completion_tokens\":5,\"total_tokens\":22,\
             \"cost\":0.00014,\"is_byok\":false,\"prompt_tokens_details\":{\"cached_tokens\":4,\"audio_tokens\":0,\
             \"cache_write_tokens\":3},\"cost_details\":{\"upstream_inference_cost\":null},\
             \"completion_tokens_details\":{\"reasoning_tokens\":2,\"image_tokens\":0}}}",
            (17, 5, 4, 3, 2),
        ),
        (
            "Together and Fireworks",
            r#"{"choices":[],"usage":{"prompt_tokens":8,"total_tokens":11,"completion_tokens":3,"cached_tokens":0,
                "prompt_tokens_details":null}}"#,
            (8, 3, 0, 0, 0),
        ),
        (
            "xAI",
            r#"{"choices":[],"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
                "prompt_tokens_details":{"text_tokens":32,"audio_tokens":0,"image_tokens":0,"cached_tokens":6},
                "completion_tokens_details":{"reasoning_tokens":94,"audio_tokens":0},"num_sources_used":0}}"#,
            (32, 103, 6, 0, 94),
        ),
        (
            "Gemini's OpenAI endpoint, thoughts only",
            r#"{"choices":[{"finish_reason":"length"}],"usage":{"prompt_tokens":12,"completion_tokens":0,
                "total_tokens":112}}"#,
            (12, 100, 0, 0, 100),
        ),
        (
            "a host that leaves the completion out",
            r#"{"choices":[],"usage":{"prompt_tokens":12,"total_tokens":20}}"#,
            (12, 8, 0, 0, 0),
        ),
        (
            "Perplexity",
            r#"{"choices":[],"usage":{"prompt_tokens":33,"completion_tokens":500,"total_tokens":533,
                "citation_tokens":900,"num_search_queries":3,"reasoning_tokens":120,
                "cost":{"total_cost":0.01}}}"#,
            (33, 500, 0, 0, 120),
        ),
        (
            "Mistral",
            r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":6,"total_tokens":26,
                "num_cached_tokens":16,"prompt_audio_seconds":{}}}"#,
            (20, 6, 16, 0, 0),
        ),
        (
            "Azure",
            r#"{"choices":[{"content_filter_results":{"hate":{"filtered":false}},"message":{"content":"a"}}],
                "prompt_filter_results":[{"prompt_index":0}],"usage":{"completion_tokens":1,
                "completion_tokens_details":{"accepted_prediction_tokens":0,"audio_tokens":0,"reasoning_tokens":0},
                "prompt_tokens":9,"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":0},"total_tokens":10}}"#,
            (9, 1, 0, 0, 0),
        ),
        (
            "Anthropic's OpenAI endpoint, and LiteLLM",
            r#"{"choices":[],"usage":{"completion_tokens":4,"prompt_tokens":110,"total_tokens":114,
                "prompt_tokens_details":{"cached_tokens":60,"cache_creation_tokens":40},
                "cache_creation_input_tokens":40,"cache_read_input_tokens":60}}"#,
            (110, 4, 60, 40, 0),
        ),
        (
            "counts as floats",
            r#"{"usage":{"prompt_tokens":9.0,"completion_tokens":2.0,"total_tokens":11.0}}"#,
            (9, 2, 0, 0, 0),
        ),
    ] {
        assert_eq!(counts(Dialect::ChatCompletions, body), Some(expected), "{host}");
    }
}

#[test]
fn chat_streams_are_read_wherever_the_host_puts_the_usage() {
    for (host, body, expected) in [
        (
            "with the last choice (Mistral, Cerebras, OpenRouter)",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n\
             data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],\
             \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\ndata: [DONE]\n\n",
            (9, 2, 0, 0, 0),
        ),
        (
            "in every chunk, growing (xAI, Gemini, vLLM's continuous usage)",
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":9,\
             \"completion_tokens\":1,\"total_tokens\":10}}\n\n\
             data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":\
             {\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\ndata: [DONE]\n\n",
            (9, 2, 0, 0, 0),
        ),
        (
            "after a chunk of filters without choices (Azure)",
            "data: {\"choices\":[],\"prompt_filter_results\":[{}],\"usage\":null}\n\n\
             data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n\
             data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n",
            (9, 1, 0, 0, 0),
        ),
        (
            "after comments, in a chunk with a choice (OpenRouter)",
            ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n\
             data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n\
             data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\
             \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"cost\":0}}\n\ndata: [DONE]\n\n",
            (9, 1, 0, 0, 0),
        ),
        (
            "in x_groq (Groq)",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"r\",\"usage\":\
             {\"queue_time\":0.1,\"prompt_tokens\":9,\"completion_tokens\":1,\
             \"prompt_tokens_details\":{\"cached_tokens\":8}}}}\n\ndata: [DONE]\n\n",
            (9, 1, 8, 0, 0),
        ),
        (
            "in both, the same (Groq with include_usage)",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"x_groq\":{\"usage\":\
             {\"prompt_tokens\":9,\"completion_tokens\":1}}}\n\ndata: {\"choices\":[],\"usage\":\
             {\"prompt_tokens\":9,\"completion_tokens\":1},\"x_groq\":{\"id\":\"r\"}}\n\ndata: [DONE]\n\n",
            (9, 1, 0, 0, 0),
        ),
        (
            "without [DONE]",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\
             \"completion_tokens\":1}}\n\n",
            (9, 1, 0, 0, 0),
        ),
        (
            "a null after it",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n\
             data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\ndata: [DONE]\n\n",
            (9, 1, 0, 0, 0),
        ),
    ] {
        assert_eq!(counts(Dialect::ChatCompletions, body), Some(expected), "{host}");
    }
}

#[test]
fn embeddings_have_input_only() {
    for (host, usage, input) in [
        ("OpenAI", r#"{"prompt_tokens":8,"total_tokens":8}"#, 8),
        (
            "Mistral",
            r#"{"prompt_tokens":8,"completion_tokens":0,"total_tokens":8,"prompt_audio_seconds":null}"#,
            8,
        ),
        ("Voyage", r#"{"total_tokens":8}"#, 8),
        ("Jina", r#"{"total_tokens":8,"prompt_tokens":8}"#, 8),
        (
            "Voyage, multimodal",
            r#"{"text_tokens":5,"image_pixels":2000000,"total_tokens":3576}"#,
            3576,
        ),
    ] {
        let body =
            format!(r#"{{"object":"list","data":[{{"embedding":"AAAA"}}],"model":"m","usage":{usage}}}"#);
        assert_eq!(
            counts(Dialect::Embeddings, &body),
            Some((input, 0, 0, 0, 0)),
            "{host}"
        );
    }
}

#[test]
fn messages_are_read_with_caches_tools_of_the_server_and_on_other_hosts() {
    for (what, body, expected) in [
        (
            "a server's tools and both caches",
            r#"{"type":"message","content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":100,
                "cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":100,
                "ephemeral_1h_input_tokens":0},"output_tokens":50,"server_tool_use":{"web_search_requests":2,
                "web_fetch_requests":0},"service_tier":"standard","inference_geo":"global"}}"#,
            (1110, 50, 1000, 100, 0),
        ),
        (
            "a stream whose delta repeats all counts",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":10,\
             \"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":4}}}\n\n\
             event: ping\ndata: {\"type\": \"ping\"}\n\n\
             event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":\
             {\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\n\
             event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\
             \"stop_sequence\":null},\"usage\":{\"input_tokens\":2510,\"cache_creation_input_tokens\":0,\
             \"cache_read_input_tokens\":300,\"output_tokens\":77,\"server_tool_use\":{\"web_search_requests\":1}}}\n\n\
             event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            (2810, 77, 300, 0, 0),
        ),
        (
            "a host whose start has nothing (DeepSeek, Moonshot and z.ai in Anthropic's format)",
            "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}\n\n\
             data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":12,\
             \"output_tokens\":3,\"cache_read_input_tokens\":8}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
            (20, 3, 8, 0, 0),
        ),
        (
            "Bedrock's metrics after the end",
            "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":12,\"output_tokens\":1}}}\n\n\
             data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n\
             data: {\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":12,\
             \"outputTokenCount\":3}}\n\n",
            (12, 3, 0, 0, 0),
        ),
    ] {
        assert_eq!(counts(Dialect::Messages, body), Some(expected), "{what}");
    }
}

#[test]
fn responses_are_read_with_tools_images_and_reasoning() {
    for (what, body, expected) in [
        (
            "built-in tools and an image",
            r#"{"id":"resp_1","object":"response","status":"completed","error":null,"output":[
                {"type":"reasoning","summary":[],"encrypted_content":"gAAA"},
                {"type":"web_search_call","action":{"type":"search","query":"usage"},"status":"completed"},
                {"type":"image_generation_call","result":"iVBORw0KGgo="},
                {"type":"message","content":[{"type":"output_text","text":"a","annotations":[]}]}],
                "usage":{"input_tokens":900,"input_tokens_details":{"cached_tokens":256},"output_tokens":120,
                "output_tokens_details":{"reasoning_tokens":64},"total_tokens":1020},
                "tool_usage":{"image_gen":{"input_tokens":0,"output_tokens":0}}}"#,
            (900, 120, 256, 0, 64),
        ),
        (
            "a stream that failed after it used something",
            "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\
             \"error\":{\"code\":\"server_error\",\"message\":\"m\"},\"usage\":{\"input_tokens\":5,\
             \"output_tokens\":2}}}\n\n",
            (5, 2, 0, 0, 0),
        ),
        (
            "a compaction",
            r#"{"id":"resp_2","object":"response.compaction","output":[{"type":"compaction","encrypted_content":"g"}],
                "usage":{"input_tokens":700,"input_tokens_details":{"cached_tokens":0},"output_tokens":90,
                "output_tokens_details":{"reasoning_tokens":0},"total_tokens":790}}"#,
            (700, 90, 0, 0, 0),
        ),
    ] {
        assert_eq!(counts(Dialect::Responses, body), Some(expected), "{what}");
    }
}

#[test]
fn gemini_is_read_with_thoughts_tools_and_caches() {
    for (what, body, expected) in [
        (
            "everything at once",
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{
                "promptTokenCount":1000,"cachedContentTokenCount":800,"candidatesTokenCount":20,
                "toolUsePromptTokenCount":300,"thoughtsTokenCount":50,"totalTokenCount":1370,
                "trafficType":"ON_DEMAND","cacheTokensDetails":[{"modality":"TEXT","tokenCount":800}]}}"#,
            (1300, 70, 800, 0, 50),
        ),
        (
            "thoughts only",
            r#"{"candidates":[{"content":{},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":9,
                "thoughtsTokenCount":60,"totalTokenCount":69}}"#,
            (9, 60, 0, 0, 60),
        ),
        (
            "a blocked prompt",
            r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}"#,
            (9, 0, 0, 0, 0),
        ),
        (
            "a stream whose last event has no counts of its own",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":\
             {\"promptTokenCount\":9,\"candidatesTokenCount\":1}}\r\n\r\n\
             data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
            (9, 1, 0, 0, 0),
        ),
    ] {
        assert_eq!(counts(Dialect::GenerateContent, body), Some(expected), "{what}");
    }
}

#[test]
fn what_is_no_answer_has_no_usage() {
    for body in [
        "",
        " \n",
        "<html><body>502 Bad Gateway</body></html>",
        "upstream connect error or disconnect/reset before headers",
        "null",
        "\"usage\"",
        "{\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}",
        "{\"detail\":\"Unauthorized\"}",
        "[{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\"}}]",
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"},\"request_id\":\"r\"}",
        "{\"usage\":null}",
        "{\"usage\":{}}",
        "{\"usageMetadata\":{}}",
    ] {
        for dialect in [
            Dialect::ChatCompletions,
            Dialect::Responses,
            Dialect::Embeddings,
            Dialect::Messages,
            Dialect::GenerateContent,
        ] {
            assert_eq!(counts(dialect, body), None, "{dialect:?}: {body}");
        }
    }
}
