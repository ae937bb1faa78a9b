//! Real requests of real clients: each is read, and what is read is what stands in the body.
//!
//! The recordings are a folder beside the repository (`../shared/recordings`), or the one that
//! `TOLLGATE_RECORDINGS` names. Where there is none, the tests say so and pass.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::prompt_tokens::count_prompt;
use super::{Dialect, Request, classify, parse};
use crate::edit::apply;
use crate::usage::{Coding, End, Reader};

/// One exchange.
#[derive(Deserialize)]
struct Recording {
    id: String,
    path: String,
    body: String,
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

        let mut caps = request.output_caps();
        caps.set(77);
        let mut edits: Vec<_> = caps.edits().chain(request.force_include_usage()).collect();
        let capped = apply(body.as_bytes(), &mut edits);
        let reread = parse(&endpoint, &capped).unwrap();
        assert_eq!(
            reread.output_caps().max(),
            caps.param().map(|_| 77),
            "{}",
            recording.id
        );
        assert_eq!(reread.force_include_usage(), None, "{}", recording.id);
    }
}

/// Whether the provider reads nothing but what the body shows as text: no media, nothing that it stored or
/// sealed, none of its own tools.
fn is_text_only(request: &Request<'_>) -> bool {
    let own_tools = request.tools.iter().any(|tool| {
        let tool: Value = serde_json::from_str(tool).unwrap();
        tool.get("function").or(tool.get("name")).is_none()
            || tool["type"].as_str().is_some_and(|kind| kind.contains('_'))
    });
    let searches = request.parameter("mcp_servers").unwrap().is_some()
        || request.model_names().any(|model| model.starts_with("compound"));
    request.media.is_empty()
        && !request.hidden_context
        && request.sealed_bytes == 0
        && !own_tools
        && !searches
}

#[test]
fn counted_prompts_are_within_a_tenth_of_what_providers_report() {
    let Some(recordings) = recordings() else { return };
    let mut by_dialect: BTreeMap<Dialect, Vec<(u64, u64)>> = BTreeMap::new();
    for recording in &recordings {
        let endpoint = classify(b"POST", recording.path.as_bytes()).unwrap();
        let request = parse(&endpoint, recording.request.get().as_bytes()).unwrap();
        let mut reader = Reader::new(endpoint.dialect(), Coding::Identity);
        reader.push(recording.body.as_bytes());
        let reported = reader
            .finish(End::Clean)
            .usage
            .map_or(0, |usage| usage.input_tokens);
        if reported == 0 || !is_text_only(&request) {
            continue;
        }
        let model = request.model_names().next().unwrap();
        let counted = count_prompt(&request, model, &|text| {
            tollgate_tokens::estimate_for(model, text)
        });
        by_dialect
            .entry(endpoint.dialect())
            .or_default()
            .push((counted, reported));
    }
    for (dialect, pairs) in by_dialect {
        let counted: u64 = pairs.iter().map(|(counted, _)| counted).sum();
        let reported: u64 = pairs.iter().map(|(_, reported)| reported).sum();
        let mut per_mille: Vec<u64> = pairs
            .iter()
            .map(|(counted, reported)| counted.abs_diff(*reported) * 1000 / reported)
            .collect();
        per_mille.sort_unstable();
        let median = per_mille[per_mille.len() / 2];
        println!(
            "{}: {} prompts, {counted} tokens counted, {reported} reported, median error {median} ‰",
            dialect.as_str(),
            pairs.len(),
        );
        assert!(counted.abs_diff(reported) * 10 <= reported, "{dialect:?}");
        assert!(median <= 100, "{dialect:?}");
    }
}
