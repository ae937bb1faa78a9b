//! The texts of a JSON answer, for moderation.

use std::ops::Range;

use super::json_string::{Strings, decode};

/// Keys under which the dialects' answers hold what a person or a tool reads.
const READ: [&str; 10] = [
    "\"arguments\"",
    "\"code\"",
    "\"content\"",
    "\"partial_json\"",
    "\"reasoning\"",
    "\"reasoning_content\"",
    "\"refusal\"",
    "\"text\"",
    "\"thinking\"",
    "\"transcript\"",
];

/// The texts of a JSON answer and where they stand, quotes included. `body` that is no JSON has none.
pub fn answer_texts(body: &[u8]) -> Vec<(String, Range<usize>)> {
    let Ok(json) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return Vec::new();
    }
    Strings::of(json)
        .filter(|(key, raw)| key.is_some_and(|key| READ.contains(&key)) && *raw != "\"\"")
        .map(|(_, raw)| {
            let start = raw.as_ptr() as usize - json.as_ptr() as usize;
            (decode(raw).into_owned(), start..start + raw.len())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_every_dialect_are_found_and_names_are_not() {
        let bodies = [
            r#"{"id":"c","choices":[{"message":{"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#,
            r#"{"type":"message","content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"{}","signature":"x"}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"a"},{"text":"{}"}],"role":"model"}}]}"#,
            r#"{"output":[{"content":[{"type":"output_text","text":"a"}]},{"type":"function_call","name":"f","arguments":"{}"}]}"#,
        ];
        for body in bodies {
            let texts: Vec<String> = answer_texts(body.as_bytes())
                .into_iter()
                .map(|(text, _)| text)
                .collect();
            assert_eq!(texts, ["a", "{}"], "{body}");
        }
    }

    #[test]
    fn what_is_no_json_has_no_texts() {
        for body in [&b""[..], b"{\"text\":\"a\"", b"\xff{}", b"{\"text\":\"a\"}}"] {
            assert!(answer_texts(body).is_empty());
        }
    }

    #[test]
    fn the_span_is_that_of_the_string() {
        let body = br#"{"text":"a\"b"}"#;
        let (text, span) = answer_texts(body).remove(0);
        assert_eq!((text.as_str(), &body[span]), ("a\"b", &br#""a\"b""#[..]));
    }
}
