//! The stream parser: no bytes panic, any chunks give the same outcome, and withholding gives the same bytes.
//!
//! The first byte of the input chooses the dialect, the second the size of the chunks.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate_core::dialect::Dialect;
use tollgate_core::usage::{Coding, End, Outcome, Passed, Reader, Withhold};

const DIALECTS: [Dialect; 4] = [
    Dialect::ChatCompletions,
    Dialect::Responses,
    Dialect::Messages,
    Dialect::GenerateContent,
];

fuzz_target!(|input: &[u8]| {
    let [dialect, size, body @ ..] = input else {
        return;
    };
    let dialect = DIALECTS[usize::from(*dialect) % DIALECTS.len()];
    let size = usize::from(*size).max(1);
    assert_eq!(read(dialect, body, size), read(dialect, body, body.len().max(1)));
    let passed = pass(body, size);
    assert_eq!(passed, pass(body, body.len().max(1)));
    assert!(passed.len() <= body.len());
});

fn read(dialect: Dialect, body: &[u8], size: usize) -> Outcome {
    let mut reader = Reader::new(dialect, Coding::Identity);
    for chunk in body.chunks(size) {
        reader.push(chunk);
    }
    reader.finish(End::Cut)
}

fn pass(body: &[u8], size: usize) -> Vec<u8> {
    let mut withhold = Withhold::new();
    let mut passed = Vec::new();
    for chunk in body.chunks(size) {
        match withhold.push(chunk) {
            Passed::AsIs => passed.extend_from_slice(chunk),
            Passed::Replaced(bytes) => passed.extend(bytes),
        }
    }
    passed.extend(withhold.finish());
    passed
}
