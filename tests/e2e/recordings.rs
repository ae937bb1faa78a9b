//! Recorded exchanges, replayed: the request is not refused, the client gets the provider's bytes, and the ledger
//! says what the body says, wherever the answer was cut.
//!
//! `tests/recordings` holds a small set of our own making. A large one of real traffic is looked for in the folder
//! `../shared/recordings` beside the repository, or where `TOLLGATE_RECORDINGS` says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate_stack::{Repository, Stack};
use tollgate_tests::{number, received_header, send, settled};

use self::oracle::Reported;

mod oracle;

/// Cuts of one answer: enough for several in one event, few enough for a short test.
const MAX_CUTS: u64 = 12;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    id: String,
    #[serde(rename = "host")]
    _host: String,
    path: String,
    request: Value,
    status: u16,
    content_type: String,
    body: String,
}

/// A linear congruential generator: the same cuts in every run.
struct Random(u64);

/// What became of one recording.
struct Replayed<'a> {
    recording: &'a Recording,
    request_id: String,
    faults: Vec<String>,
}

// === impl Random ===

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

// === impl Recording ===

impl Recording {
    /// The mock's script: the body in pieces that are sent one after the other, often in the middle of a character.
    fn script(&self, id: &str, random: &mut Random) -> Value {
        let body = self.body.as_bytes();
        let mut cuts: Vec<usize> = Vec::new();
        for _ in 0..random.below(MAX_CUTS) {
            let at = usize::try_from(random.below(body.len() as u64)).unwrap();
            // Now and then two cuts leave a piece of a few bytes between them.
            let near = at + usize::try_from(random.below(4)).unwrap();
            cuts.extend([at, near.min(body.len())]);
        }
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let pieces = cuts.windows(2).map(|ends| &body[ends[0]..ends[1]]);
        let chunks: Vec<Value> = pieces
            .map(|piece| json!({"base64": STANDARD.encode(piece), "delay_ms": 1}))
            .collect();
        json!({
            "id": id, "status": self.status, "headers": [["content-type", self.content_type]],
            "chunks": chunks, "times": 1,
        })
    }

    /// The request as the provider should get it: as it was sent, but for the usage that is asked for.
    fn is_expected(&self, received: &Value) -> bool {
        let mut expected = self.request.clone();
        if received.pointer("/stream_options/include_usage") == Some(&json!(true)) {
            expected["stream_options"]["include_usage"] = json!(true);
        }
        expected == *received
    }
}

fn real() -> Vec<Recording> {
    let folder = std::env::var_os("TOLLGATE_RECORDINGS").map_or_else(
        || Repository::here().root().join("../shared/recordings"),
        PathBuf::from,
    );
    let path = folder.join("exchanges.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!(
            "skipped: there are no recordings of real traffic at {}",
            path.display()
        );
        return Vec::new();
    };
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

fn own() -> Vec<Recording> {
    let folder = Repository::here().root().join("tests/recordings");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            serde_json::from_str::<Vec<Recording>>(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect()
}

/// Replays all, and returns what was not as it should be.
async fn replay(recordings: &[Recording]) -> Vec<String> {
    let stack = Stack::builder().start().await.unwrap();
    let mut replayed = Vec::new();
    for (seed, recording) in (1..).zip(recordings) {
        replayed.push(exchange(&stack, recording, seed).await);
    }
    let ids: Vec<String> = replayed.iter().map(|one| one.request_id.clone()).collect();
    let events = settled(&stack, &ids).await.unwrap();
    let mut received: BTreeMap<String, Value> = BTreeMap::new();
    for request in stack.mock.requests().await.unwrap() {
        let script = received_header(&request, "x-mock-script").unwrap().remove(0);
        let body = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            received.insert(script.clone(), body),
            None,
            "{script} was sent twice"
        );
    }
    for (seed, one) in (1..).zip(&mut replayed) {
        match received.get(&script_id(seed)) {
            Some(body) if one.recording.is_expected(body) => {}
            Some(_) => one
                .faults
                .push("the provider got another request than was sent".to_owned()),
            None => one
                .faults
                .push("the provider got nothing: the request was refused".to_owned()),
        }
        one.faults
            .extend(usage_faults(one.recording, &events[&one.request_id]));
    }
    let failed = replayed.iter().filter(|one| !one.faults.is_empty());
    failed
        .map(|one| format!("{}: {}", one.recording.id, one.faults.join("; ")))
        .collect()
}

async fn exchange<'a>(stack: &Stack, recording: &'a Recording, seed: u64) -> Replayed<'a> {
    let script = recording.script(&script_id(seed), &mut Random(seed));
    let id = stack.mock.script(&script).await.unwrap();
    let url = format!("{}{}", stack.gateway, recording.path);
    let request = stack.http.post(url).bearer_auth(stack.key("unlimited"));
    let answer = send(request.header("x-mock-script", id).json(&recording.request))
        .await
        .unwrap();
    let mut faults = Vec::new();
    if answer.status != recording.status {
        let text: String = answer.text().chars().take(300).collect();
        faults.push(format!(
            "status {} instead of {}: {text}",
            answer.status, recording.status
        ));
    } else if answer.body != recording.body.as_bytes() {
        faults.push("the client got other bytes than the provider sent".to_owned());
    }
    Replayed {
        recording,
        request_id: answer.header("x-tollgate-request-id").to_owned(),
        faults,
    }
}

fn script_id(seed: u64) -> String {
    format!("recording-{seed}")
}

fn usage_faults(recording: &Recording, event: &Value) -> Option<String> {
    let status = event["usage_status"].as_str().unwrap_or_default();
    let Some(reported) = Reported::read(&recording.path, &recording.body) else {
        let is_marked = matches!(status, "none" | "estimated");
        return (!is_marked).then(|| format!("no usage in the body, but the event says {status}"));
    };
    let metered = Reported {
        input: number(event, "input_tokens"),
        output: number(event, "output_tokens"),
        cached: number(event, "cached_input_tokens"),
        cache_creation: number(event, "cache_creation_input_tokens"),
        reasoning: number(event, "reasoning_output_tokens"),
    };
    (metered != reported || status != "complete")
        .then(|| format!("the ledger has {status} {metered:?}, the body {reported:?}"))
}

#[tokio::test]
async fn exchanges_of_our_own_making_pass_unchanged_and_are_metered_exactly() {
    let recordings = own();
    assert!(recordings.len() >= 20, "only {} recordings", recordings.len());
    let faults = replay(&recordings).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn real_exchanges_pass_unchanged_and_are_metered_exactly() {
    let recordings = real();
    if recordings.is_empty() {
        return;
    }
    let faults = replay(&recordings).await;
    let all = recordings.len();
    assert!(
        faults.is_empty(),
        "{} of {all}:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
