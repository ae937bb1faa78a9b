//! The service tier that an answer tells.

use super::tests::{CHAT_STREAM, MESSAGE_STREAM, counts, read};
use super::*;
use crate::usage::UsageStatus;

#[test]
fn the_service_tier_of_an_answer_is_read_wherever_it_stands() {
    use crate::service_tier::ServiceTier::{self, Default, Flex, Priority, Standard};
    let chat_stream = CHAT_STREAM.replace("{\"choices\":[],", "{\"choices\":[],\"service_tier\":\"flex\",");
    let message_stream = MESSAGE_STREAM.replace(
        "\"output_tokens\":1}",
        "\"output_tokens\":1,\"service_tier\":\"priority\"}",
    );
    let response_stream = concat!(
        "data: {\"type\":\"response.created\",\"response\":{\"service_tier\":\"auto\",\"usage\":null}}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"service_tier\":\"default\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
    );
    let cases: [(Dialect, &str, Option<ServiceTier>); 12] = [
        (
            Dialect::ChatCompletions,
            r#"{"service_tier":"priority","usage":{"prompt_tokens":1}}"#,
            Some(Priority),
        ),
        (
            Dialect::ChatCompletions,
            r#"{"usage":{"prompt_tokens":1},"service_tier":"prior\u0069ty"}"#,
            Some(Priority),
        ),
        (Dialect::ChatCompletions, &chat_stream, Some(Flex)),
        (Dialect::ChatCompletions, CHAT_STREAM, None),
        (
            Dialect::ChatCompletions,
            r#"{"service_tier":null,"usage":{"prompt_tokens":1}}"#,
            None,
        ),
        (
            Dialect::ChatCompletions,
            r#"{"service_tier":"","usage":{"prompt_tokens":1}}"#,
            None,
        ),
        // What the model writes is nothing that the provider says.
        (
            Dialect::ChatCompletions,
            r#"{"choices":[{"message":{"content":"","service_tier":"flex"}}]}"#,
            None,
        ),
        (
            Dialect::Responses,
            r#"{"service_tier":"flex","usage":{"input_tokens":1}}"#,
            Some(Flex),
        ),
        (Dialect::Responses, response_stream, Some(Default)),
        (Dialect::Messages, &message_stream, Some(Priority)),
        (
            Dialect::Messages,
            r#"{"usage":{"input_tokens":1,"service_tier":"standard"}}"#,
            Some(Standard),
        ),
        (
            Dialect::GenerateContent,
            r#"{"usageMetadata":{"promptTokenCount":1,"serviceTier":"flex"}}"#,
            Some(Flex),
        ),
    ];
    for (dialect, body, tier) in cases {
        assert_eq!(read(dialect, body, End::Clean).service_tier, tier, "{body}");
    }
}

#[test]
fn a_service_tier_of_another_shape_hides_no_usage() {
    for (dialect, body) in [
        (
            Dialect::ChatCompletions,
            r#"{"service_tier":{"a":[1]},"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        ),
        (
            Dialect::Messages,
            r#"{"usage":{"input_tokens":1,"output_tokens":2,"service_tier":{"a":1}}}"#,
        ),
        (
            Dialect::GenerateContent,
            r#"{"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"serviceTier":[],"trafficType":3}}"#,
        ),
    ] {
        let outcome = read(dialect, body, End::Clean);
        assert_eq!(counts(&outcome), (1, 2, UsageStatus::Complete), "{body}");
        assert_eq!(outcome.service_tier, None, "{body}");
    }
}
