//! Faults on request: the header `x-mock-fault` names what goes wrong, as a comma-separated list.
//!
//! | fault | effect |
//! |---|---|
//! | `slow=MS` | waits before the response headers |
//! | `delay_between=MS` | waits between the pieces of a streamed answer |
//! | `status=N` | answers with that status and the dialect's error envelope (204: no body) |
//! | `cut_after=N`, `cut_after=Nb` | closes the connection after N events, or N bytes of the body |
//! | `close`, `reset` | closes (FIN) or resets (RST) the connection before the answer; with `cut_after`, there |
//! | `stall` | sends the first piece (of a JSON answer: the first half) and then nothing more |
//! | `no_usage` | leaves the usage out |
//! | `bad_json` | cuts the last byte off every JSON document |
//! | `gzip` | compresses the body, whatever the request accepts |
//! | `chunk=N` | sends the body in pieces of N bytes |
//! | `trailers` | ends the body with the trailer `x-mock-trailer: end` |
//! | `big=N` | answers with a text of N bytes, in a stream as one event |
//! | `cached=N`, `cache_creation=N`, `reasoning=N` | reports that many tokens as parts of the usage |

use std::io::Write as _;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::answer::Usage;
use crate::plan::{End, Plan, Step};

/// The request header that names faults.
pub const FAULT_HEADER: &str = "x-mock-fault";

/// The largest text that `big` may ask for: 64 MiB.
const MAX_BIG: usize = 64 << 20;

/// What goes wrong with one answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    slow: Duration,
    delay_between: Duration,
    pub(crate) status: Option<StatusCode>,
    cut_after: Option<Cut>,
    close: bool,
    reset: bool,
    stall: bool,
    pub(crate) no_usage: bool,
    bad_json: bool,
    gzip: bool,
    chunk: Option<usize>,
    trailers: bool,
    pub(crate) big: Option<usize>,
    cached: u64,
    cache_creation: u64,
    reasoning: u64,
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    Events(usize),
    Bytes(usize),
}

// === impl Faults ===

impl Faults {
    /// Reads the header's value.
    ///
    /// # Errors
    ///
    /// A text that names the fault that is unknown or has no proper value.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            match name {
                "slow" => faults.slow = Duration::from_millis(number(name, value)?),
                "delay_between" => faults.delay_between = Duration::from_millis(number(name, value)?),
                "status" => faults.status = Some(status(value)?),
                "cut_after" => {
                    faults.cut_after = Some(match value.strip_suffix('b') {
                        Some(bytes) => Cut::Bytes(number(name, bytes)?),
                        None => Cut::Events(number(name, value)?),
                    });
                }
                "close" => faults.close = true,
                "reset" => faults.reset = true,
                "stall" => faults.stall = true,
                "no_usage" => faults.no_usage = true,
                "bad_json" => faults.bad_json = true,
                "gzip" => faults.gzip = true,
                "chunk" => faults.chunk = Some(number::<usize>(name, value)?.max(1)),
                "trailers" => faults.trailers = true,
                "big" => faults.big = Some(number::<usize>(name, value)?.min(MAX_BIG)),
                "cached" => faults.cached = number(name, value)?,
                "cache_creation" => faults.cache_creation = number(name, value)?,
                "reasoning" => faults.reasoning = number(name, value)?,
                _ => return Err(format!("{FAULT_HEADER}: unknown fault `{name}`")),
            }
        }
        Ok(faults)
    }

    /// Adds the asked-for parts to a usage, so that they stay parts of its totals.
    pub(crate) fn amend(&self, usage: &mut Usage) {
        usage.cached = self.cached;
        usage.cache_creation = self.cache_creation;
        usage.reasoning = self.reasoning;
        usage.input = usage
            .input
            .saturating_add(self.cached)
            .saturating_add(self.cache_creation);
        usage.output = usage.output.saturating_add(self.reasoning);
    }

    /// Does to an answer what was asked for.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        plan.before = self.slow;
        if self.bad_json {
            plan.steps.iter_mut().for_each(break_json);
        }
        if self.gzip {
            compress(plan);
        }
        // Faults below this line cut short what was promised here.
        plan.length = plan.length.map(|_| plan.size());
        if let Some(Cut::Events(events)) = self.cut_after {
            plan.steps.truncate(events);
        }
        for step in plan.steps.iter_mut().skip(1) {
            step.delay = self.delay_between;
        }
        if let Some(size) = self.chunk {
            split(plan, size);
        }
        if let Some(Cut::Bytes(bytes)) = self.cut_after {
            truncate(plan, bytes);
        }
        if self.trailers {
            let trailer = (
                HeaderName::from_static("x-mock-trailer"),
                HeaderValue::from_static("end"),
            );
            plan.trailers = Some(HeaderMap::from_iter([trailer]));
            plan.length = None;
        }
        if self.stall {
            stall(plan);
        }
        if let Some(end) = self.end() {
            plan.end = end;
        }
    }

    fn end(&self) -> Option<End> {
        match (self.cut_after.is_some(), self.reset, self.close, self.stall) {
            (true, true, _, _) => Some(End::Reset),
            (true, false, _, _) => Some(End::Close),
            (false, true, _, _) => Some(End::ResetAtOnce),
            (false, false, true, _) => Some(End::CloseAtOnce),
            (false, false, false, true) => Some(End::Stall),
            (false, false, false, false) => None,
        }
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{FAULT_HEADER}: `{name}` needs a whole number, not `{value}`"))
}

fn status(value: &str) -> Result<StatusCode, String> {
    let code: u16 = number("status", value)?;
    StatusCode::from_u16(code)
        .ok()
        .filter(|_| (200..600).contains(&code))
        .ok_or_else(|| format!("{FAULT_HEADER}: `status` needs 200 to 599, not `{value}`"))
}

/// Cuts off the last brace, and leaves the line ends of an event where they are.
fn break_json(step: &mut Step) {
    let Some(at) = step.bytes.iter().rposition(|byte| *byte == b'}') else {
        return;
    };
    let kept = step
        .bytes
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != at)
        .map(|(_, byte)| *byte);
    step.bytes = kept.collect();
}

/// Compresses step by step with a flush after each, as providers do with streams.
fn compress(plan: &mut Plan) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut steps = Vec::with_capacity(plan.steps.len() + 1);
    // Writing to a vector cannot fail.
    for step in &plan.steps {
        let _ = encoder.write_all(&step.bytes).and_then(|()| encoder.flush());
        let bytes = Bytes::from(std::mem::take(encoder.get_mut()));
        steps.push(Step {
            delay: step.delay,
            bytes,
        });
    }
    steps.extend(encoder.finish().ok().map(|rest| Step::now(Bytes::from(rest))));
    plan.steps = steps;
    plan.headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

fn split(plan: &mut Plan, size: usize) {
    let body = Bytes::from(plan.body());
    let starts = (0..body.len()).step_by(size);
    // The pause makes the pieces arrive one by one instead of in one read.
    let pause = Duration::from_millis(1);
    let pieces = starts.map(|at| Step {
        delay: pause,
        bytes: body.slice(at..body.len().min(at + size)),
    });
    plan.steps = pieces.collect();
}

fn truncate(plan: &mut Plan, bytes: usize) {
    let mut left = bytes;
    plan.steps.retain_mut(|step| {
        step.bytes.truncate(left);
        left -= step.bytes.len();
        !step.bytes.is_empty()
    });
}

fn stall(plan: &mut Plan) {
    if let [only] = plan.steps.as_mut_slice() {
        only.bytes.truncate(only.bytes.len() / 2);
    }
    plan.steps.truncate(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(faults: &str) -> Plan {
        let mut plan = Plan::stream(
            "text/event-stream",
            vec!["data: {}\n\n".into(), "data: {}\n\n".into()],
        );
        Faults::parse(faults).unwrap().apply(&mut plan);
        plan
    }

    #[test]
    fn a_fault_that_is_misspelt_is_refused() {
        for text in ["slwo=1", "slow", "slow=x", "status=99", "cut_after=b"] {
            assert!(Faults::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_cut_by_events_or_bytes_ends_in_a_closed_connection() {
        assert_eq!(applied("cut_after=1").body(), b"data: {}\n\n");
        assert_eq!(applied("cut_after=13b").body(), b"data: {}\n\ndat");
        assert_eq!(applied("cut_after=1").end, End::Close);
        assert_eq!(applied("cut_after=1, reset").end, End::Reset);
        assert_eq!(applied("reset").end, End::ResetAtOnce);
    }

    #[test]
    fn an_answer_that_is_cut_promises_its_whole_length() {
        let mut plan = Plan::json(StatusCode::OK, &serde_json::json!({"a": 1}));
        Faults::parse("cut_after=2b").unwrap().apply(&mut plan);
        assert_eq!((plan.length, plan.size()), (Some(7), 2));
    }

    #[test]
    fn chunks_have_the_asked_for_size() {
        let plan = applied("chunk=7");
        assert_eq!(
            plan.steps.iter().map(|step| step.bytes.len()).collect::<Vec<_>>(),
            [7, 7, 6]
        );
    }

    #[test]
    fn a_compressed_stream_is_the_stream() {
        use std::io::Read as _;
        let mut text = String::new();
        flate2::read::GzDecoder::new(applied("gzip").body().as_slice())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "data: {}\n\ndata: {}\n\n");
    }

    #[test]
    fn bad_json_keeps_the_ends_of_events() {
        assert_eq!(applied("bad_json").body(), b"data: {\n\ndata: {\n\n");
    }
}
