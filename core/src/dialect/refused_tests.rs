//! Bodies that are refused, and the place that is named.

use super::tests::{CHAT, endpoint, refused};
use super::*;

#[test]
fn wrong_shapes_are_refused_by_their_place() {
    let messages = r#""messages":[{"role":"user","content":"x"}]"#;
    for (body, param) in [
        ("", ""),
        ("[]", ""),
        ("null", ""),
        ("{", ""),
        ("{}", "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":null}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (r#"{"model":"m","messages":["x"]}"#, "messages[0]"),
        (r#"{"model":"m","messages":[["user","x"]]}"#, "messages[0]"),
        (
            r#"{"model":"m","messages":[{"role":"user"},{"content":"x"}]}"#,
            "messages[1].role",
        ),
        (r#"{"model":"m","messages":[{"role":1}]}"#, "messages[0].role"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":1}]}"#,
            "messages[0].content",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[1]}]}"#,
            "messages[0].content[0]",
        ),
        (&format!(r#"{{"model":1,{messages}}}"#), "model"),
        (&format!(r#"{{"model":"",{messages}}}"#), "model"),
        (&format!(r#"{{"model":null,{messages}}}"#), "model"),
        (&format!(r#"{{"model":"m","stream":"yes",{messages}}}"#), "stream"),
        (
            &format!(r#"{{"model":"m","max_tokens":1.5,{messages}}}"#),
            "max_tokens",
        ),
        (
            &format!(r#"{{"model":"m","max_tokens":"9",{messages}}}"#),
            "max_tokens",
        ),
        (&format!(r#"{{"model":"m","n":"9",{messages}}}"#), "n"),
        (
            &format!(r#"{{"model":"m","stream_options":1,{messages}}}"#),
            "stream_options",
        ),
        (
            &format!(r#"{{"model":"m","stream_options":{{"include_usage":1}},{messages}}}"#),
            "stream_options.include_usage",
        ),
    ] {
        assert_eq!(refused(CHAT, body), param, "{body}");
    }
}

#[test]
fn other_dialects_need_their_prompt_too() {
    for (path, body, param) in [
        ("/v1/responses", r#"{"model":"m"}"#, "input"),
        ("/v1/responses", r#"{"model":"m","input":[1]}"#, "input[0]"),
        ("/v1/embeddings", r#"{"model":"m"}"#, "input"),
        ("/v1/embeddings", r#"{"model":"m","input":1}"#, "input"),
        ("/v1/messages", r#"{"model":"m"}"#, "messages"),
        ("/v1/messages", r#"{"messages":[]}"#, "model"),
        ("/v1beta/models/a:generateContent", "{}", "contents"),
        (
            "/v1beta/models/a:generateContent",
            r#"{"contents":[1]}"#,
            "contents[0]",
        ),
        (
            "/v1beta/models/a:generateContent",
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":-1}}"#,
            "generationConfig.maxOutputTokens",
        ),
    ] {
        assert_eq!(refused(path, body), param, "{body}");
    }
}

#[test]
fn a_known_field_given_twice_is_refused() {
    let tail = r#""messages":[]"#;
    for (field, param) in [
        (r#""model":"a","model":"b""#, "model"),
        (r#""model":"a","mod\u0065l":"b""#, "model"),
        (r#""model":"a","max_tokens":1,"max_tokens":9"#, "max_tokens"),
        (r#""model":"a","messages":[]"#, "messages"),
        (r#""model":"a","stream":true,"stream":false"#, "stream"),
    ] {
        assert_eq!(refused(CHAT, &format!("{{{field},{tail}}}")), param, "{field}");
    }
    let gemini = r#"{"contents":[],"generationConfig":{},"generation_config":{}}"#;
    assert_eq!(
        refused("/v1beta/models/a:generateContent", gemini),
        "generationConfig"
    );
}

#[test]
fn a_known_field_in_another_case_is_refused() {
    for key in ["Model", "MAX_TOKENS", "me\u{17f}sages", "Stream"] {
        let body = format!(r#"{{"model":"m","messages":[],"{key}":1}}"#);
        assert!(!refused(CHAT, &body).is_empty(), "{key}");
    }
    let gemini = r#"{"contents":[],"GenerationConfig":{"maxOutputTokens":1}}"#;
    assert_eq!(
        refused("/v1beta/models/a:generateContent", gemini),
        "generationConfig"
    );
}

#[test]
fn a_body_that_is_not_one_json_text_in_utf8_is_refused() {
    let whole = br#"{"model":"m","messages":[]}"#;
    for tail in [&b"x"[..], b"{}", b"\0", b"\xff"] {
        let body = [&whole[..], tail].concat();
        assert!(parse(&endpoint(CHAT), &body).is_err(), "{tail:?}");
    }
    assert!(parse(&endpoint(CHAT), b"{\"model\":\"\xff\",\"messages\":[]}").is_err());
    assert!(parse(&endpoint(CHAT), b"{\"model\":\"m\",\"messages\":[],\"x\":[}").is_err());
}
