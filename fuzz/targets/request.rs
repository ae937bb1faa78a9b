//! The request parser: no bytes panic, and what is rewritten is still JSON that reads the same way.
//!
//! The first byte of the input chooses the path.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_core::dialect::{classify, parse};
use tollgate_core::edit;

const PATHS: [&[u8]; 7] = [
    b"/v1/chat/completions",
    b"/v1/responses",
    b"/v1/embeddings",
    b"/v1/completions",
    b"/v1/messages",
    b"/v1beta/models/gemini-2.5-pro:generateContent",
    b"/v1/messages/count_tokens",
];

fuzz_target!(|input: &[u8]| {
    let [which, body @ ..] = input else {
        return;
    };
    let path = PATHS[usize::from(*which) % PATHS.len()];
    let endpoint = classify(b"POST", path).expect("a known path");
    let Ok(request) = parse(&endpoint, body) else {
        return;
    };
    let texts = request.texts().count();
    let mut caps = request.output_caps();
    caps.clamp(10);
    let mut edits: Vec<_> = caps.edits().collect();
    edits.extend(request.force_include_usage());
    edits.extend(request.replace_model("other"));
    let rewritten = edit::apply(body, &mut edits);
    if serde_json::from_slice::<serde_json::Value>(body).is_ok() {
        let again = parse(&endpoint, &rewritten).expect("a rewritten body reads like the first");
        assert_eq!(again.texts().count(), texts);
        assert!(again.output_caps().max().is_none_or(|tokens| tokens <= 10));
    }
});
