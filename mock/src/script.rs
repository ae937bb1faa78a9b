//! Scripts: exact answers, chunk by chunk, for tests that replay recordings.
//!
//! `POST /__mock/script` takes
//! `{"id"?, "path"?, "status"?, "headers"?, "chunks": [{"text" | "base64", "delay_ms"?}], "trailers"?, "end"?, "times"?}`
//! and answers `{"id"}`. A request is answered by the script that its header `x-mock-script` names; without
//! that header, by the first script whose `path` ends the request's path. `headers` and `trailers` are lists
//! of pairs. `end` is `whole` (default), `close`, `reset` or `stall`.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use crate::plan::{End, Plan, Step};

/// The request header that names a script.
pub const SCRIPT_HEADER: &str = "x-mock-script";

/// How many scripts are kept: older ones make room.
const MAX_SCRIPTS: usize = 10_000;

/// All scripts, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    all: Mutex<VecDeque<Script>>,
}

/// A script as it is sent to the mock.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptSpec {
    id: Option<String>,
    path: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    chunks: Vec<Chunk>,
    trailers: Option<Vec<(String, String)>>,
    #[serde(default)]
    end: EndSpec,
    /// After so many answers the script is gone; absent: never.
    times: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chunk {
    text: Option<String>,
    base64: Option<String>,
    #[serde(default)]
    delay_ms: u64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndSpec {
    #[default]
    Whole,
    Close,
    Reset,
    Stall,
}

#[derive(Debug)]
struct Script {
    id: String,
    path: Option<String>,
    plan: Plan,
    left: Option<u64>,
}

// === impl Scripts ===

impl Scripts {
    /// Takes a script in, in the place of one with the same id; returns its id.
    pub(crate) fn add(&self, spec: ScriptSpec, fresh_id: u64) -> Result<String, String> {
        let id = spec.id.clone().unwrap_or_else(|| format!("script-{fresh_id}"));
        let script = Script {
            id: id.clone(),
            path: spec.path.clone(),
            left: spec.times,
            plan: spec.plan()?,
        };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.id != id);
        all.push_back(script);
        if all.len() > MAX_SCRIPTS {
            all.pop_front();
        }
        Ok(id)
    }

    /// The answer to a request, where a script has one.
    pub(crate) fn find(&self, id: Option<&str>, path: &str) -> Option<Plan> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|script| match id {
            Some(named) => script.id == named,
            None => script
                .path
                .as_deref()
                .is_some_and(|suffix| path.ends_with(suffix)),
        })?;
        let script = all.get_mut(at)?;
        let plan = script.plan.clone();
        script.left = script.left.map(|left| left.saturating_sub(1));
        if script.left == Some(0) {
            all.remove(at);
        }
        Some(plan)
    }

    pub(crate) fn clear(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

// === impl ScriptSpec ===

impl ScriptSpec {
    fn plan(self) -> Result<Plan, String> {
        let status = StatusCode::from_u16(self.status).map_err(|error| format!("status: {error}"))?;
        let end = match self.end {
            EndSpec::Whole => End::Whole,
            EndSpec::Close => End::Close,
            EndSpec::Reset => End::Reset,
            EndSpec::Stall => End::Stall,
        };
        Ok(Plan {
            status,
            headers: header_map(&self.headers)?,
            before: Duration::ZERO,
            steps: self
                .chunks
                .into_iter()
                .map(Chunk::step)
                .collect::<Result<_, _>>()?,
            end,
            trailers: self.trailers.as_deref().map(header_map).transpose()?,
            length: None,
        })
    }
}

// === impl Chunk ===

impl Chunk {
    fn step(self) -> Result<Step, String> {
        let bytes = match (self.text, self.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(encoded)) => STANDARD
                .decode(encoded)
                .map_err(|error| format!("chunks: base64: {error}"))?,
            _ => return Err("chunks: each needs one of `text` and `base64`".to_owned()),
        };
        Ok(Step {
            delay: Duration::from_millis(self.delay_ms),
            bytes: Bytes::from(bytes),
        })
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let parsed_name: HeaderName = name.parse().map_err(|_| format!("headers: bad name `{name}`"))?;
        let parsed_value = HeaderValue::from_bytes(value.as_bytes());
        map.append(
            parsed_name,
            parsed_value.map_err(|_| format!("headers: bad value of `{name}`"))?,
        );
    }
    Ok(map)
}

fn ok() -> u16 {
    200
}
