//! Real requests of real clients: each is read, and what is read is what stands in the body.
//!
//! The recordings are a folder beside the repository (`../shared/recordings`), or the one that
//! `TOLLGATE_RECORDINGS` names. Where there is none, the tests say so and pass.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{classify, parse};
use crate::edit::apply;

/// One exchange.
#[derive(Deserialize)]
struct Recording {
    id: String,
    path: String,
    request: Box<RawValue>,
}

/// All recordings; `None`, and a printed line, where there are none.
fn recordings() -> Option<Vec<Recording>> {
    let folder = std::env::var_os("TOLLGATE_RECORDINGS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/recordings")),
        PathBuf::from,
    );
    let Ok(file) = File::open(folder.join("exchanges.jsonl.gz")) else {
        println!("skipped: no recorded exchanges in {}", folder.display());
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect(),
    )
}

#[test]
fn every_recorded_request_is_read() {
    let Some(recordings) = recordings() else {
        return;
    };
    for recording in &recordings {
        let path = recording.path.as_bytes();
        let endpoint = classify(b"POST", path).unwrap_or_else(|_| panic!("{}", recording.path));
        let request = parse(&endpoint, recording.request.get().as_bytes())
            .unwrap_or_else(|invalid| panic!("{}: {}: {invalid}", recording.id, invalid.param));
        assert!(
            endpoint.is_metered() && request.model.is_some(),
            "{}",
            recording.id
        );
    }
    println!("read {} requests", recordings.len());
}

#[test]
fn edits_of_recorded_requests_change_nothing_else() {
    let Some(recordings) = recordings() else {
        return;
    };
    for recording in &recordings {
        let endpoint = classify(b"POST", recording.path.as_bytes()).unwrap();
        let body = recording.request.get();
        let request = parse(&endpoint, body.as_bytes()).unwrap();

        let mut edits: Vec<_> = request.texts().map(|text| text.replace(&text.text)).collect();
        edits.extend(
            request
                .model
                .as_ref()
                .and_then(|model| request.replace_model(&model.name)),
        );
        let same = apply(body.as_bytes(), &mut edits);
        let before: Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&same).unwrap(),
            before,
            "{}",
            recording.id
        );

        let mut caps = request.set_max_output_tokens(77);
        caps.extend(request.force_include_usage());
        let capped = apply(body.as_bytes(), &mut caps);
        let reread = parse(&endpoint, &capped).unwrap();
        assert_eq!(
            reread.max_output_tokens(),
            request.takes_output_cap().then_some(77),
            "{}",
            recording.id
        );
        assert_eq!(reread.force_include_usage(), None, "{}", recording.id);
    }
}
