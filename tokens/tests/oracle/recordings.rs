//! The texts of real exchanges.
//!
//! The recordings are a folder beside the repository (`../shared/recordings`), or the one that `TOLLGATE_RECORDINGS`
//! names. Where there is none, the test says so and passes.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::agrees;

#[test]
fn recorded_texts_count_as_the_oracle_counts_them() {
    let folder = std::env::var_os("TOLLGATE_RECORDINGS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/recordings")),
        PathBuf::from,
    );
    let Ok(file) = File::open(folder.join("exchanges.jsonl.gz")) else {
        println!("skipped: no recorded exchanges in {}", folder.display());
        return;
    };
    let mut texts = 0;
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let exchange: Value = serde_json::from_str(&line.unwrap()).unwrap();
        texts += strings_agree(&exchange);
    }
    println!("counted {texts} texts");
    assert!(texts > 0);
}

/// Holds each string in a value against the oracle, and says how many there were.
fn strings_agree(value: &Value) -> usize {
    match value {
        Value::String(text) => {
            agrees(text);
            1
        }
        Value::Array(values) => values.iter().map(strings_agree).sum(),
        Value::Object(fields) => fields.values().map(strings_agree).sum(),
        _ => 0,
    }
}
