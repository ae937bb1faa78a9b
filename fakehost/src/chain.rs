//! Envoy's filter chain as a single filter meets it: what it is called with, what it holds, what leaves.
//!
//! Follows `filter_manager.cc` and the wasm extension's `context.cc`, one function for both directions.

use crate::abi::guest;
use crate::half::{Flow, Side};
use crate::headers::HeaderMap;
use crate::lifecycle;
use crate::outlet::{send_data, send_headers, send_trailers};
use crate::seen::Callback;
use crate::stream::LocalReply;
use crate::vm::{enter, with, with_stream};

/// What the chain makes of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Continue,
    Pause,
    /// A local reply was sent from the callback.
    Stopped,
}

/// Headers arrive: from the client, from the provider or of a local reply.
pub(crate) fn headers(id: u32, side: Side, map: HeaderMap, end: bool) {
    let count = map.len();
    let begun = with_stream(id, |stream| {
        stream.local_complete |= end && side == Side::Response;
        let half = stream.half_mut(side);
        half.headers = Some(map);
        half.complete |= end;
        half.access.headers = true;
    });
    if begun.is_none() {
        return;
    }
    let name = match side {
        Side::Request => "request_headers",
        Side::Response => "response_headers",
    };
    let verdict = call(id, side, name, count, end, || match side {
        Side::Request => guest::proxy_on_request_headers(id, count, end),
        Side::Response => guest::proxy_on_response_headers(id, count, end),
    });
    let hold_headers = with(|vm| vm.process.hold_headers);
    let leaves = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        match verdict {
            Verdict::Continue => {
                half.access.headers = false;
                half.headers_sent = true;
                true
            }
            Verdict::Pause if hold_headers => {
                half.flow = Flow::Held;
                false
            }
            Verdict::Pause | Verdict::Stopped => {
                half.flow = Flow::Stopped;
                false
            }
        }
    });
    if leaves == Some(true) {
        send_headers(id, side, end);
    }
}

/// A piece of a body arrives.
pub(crate) fn data(id: u32, side: Side, bytes: Vec<u8>, end: bool) {
    let stopped = with_stream(id, |stream| {
        if side == Side::Request && stream.answered_itself() {
            return true;
        }
        stream.local_complete |= end && side == Side::Response;
        let half = stream.half_mut(side);
        half.complete |= end;
        if half.flow == Flow::Stopped {
            half.hold(&bytes);
            return true;
        }
        false
    });
    if stopped == Some(false) {
        offer_data(id, side, bytes, end);
    }
}

/// Trailers arrive. They end the stream, and no body callback says so.
pub(crate) fn trailers(id: u32, side: Side, map: HeaderMap) {
    let stopped = with_stream(id, |stream| {
        if side == Side::Request && stream.answered_itself() {
            return true;
        }
        stream.local_complete |= side == Side::Response;
        let half = stream.half_mut(side);
        half.trailers = Some(map);
        half.complete = true;
        half.flow == Flow::Stopped
    });
    if stopped == Some(false) {
        offer_trailers(id, side);
    }
}

/// Lets what is held go on (`commonContinue`): by a resume, or by one `Continue` after a `Pause`.
pub(crate) fn resume(id: u32, side: Side) {
    let Some((may, from_filter)) = with_stream(id, |stream| {
        let may = side == Side::Response || !stream.answered_itself();
        let half = stream.half_mut(side);
        let from_filter = half.flow == Flow::Stopped;
        if may {
            half.flow = Flow::Going;
        }
        (may, from_filter)
    }) else {
        return;
    };
    if !may {
        return;
    }
    let begun = with_stream(id, |stream| stream.half(side).headers.is_some());
    if begun == Some(false) {
        with(|vm| {
            vm.process
                .violation(format!("the filter resumed a {side:?} that has not begun"));
        });
        return;
    }
    let header_only = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        if std::mem::replace(&mut half.headers_sent, true) {
            return None;
        }
        Some(half.complete && half.buffered.is_none() && half.trailers.is_none())
    });
    if let Some(Some(end)) = header_only {
        send_headers(id, side, end);
    }
    let Some((held, had_trailers, complete)) = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        (
            half.buffered.as_mut().map(std::mem::take),
            half.trailers.is_some(),
            half.complete,
        )
    }) else {
        return;
    };
    if let Some(held) = held {
        let end = complete && !had_trailers;
        if from_filter {
            offer_data(id, side, held, end);
        } else {
            send_data(id, side, held, end);
        }
    }
    if had_trailers {
        if from_filter {
            offer_trailers(id, side);
        } else {
            send_trailers(id, side);
        }
    }
}

/// Shows a piece of a body to the filter.
fn offer_data(id: u32, side: Side, bytes: Vec<u8>, end: bool) {
    let limit = with(|vm| vm.process.buffer_limit);
    let Some(size) = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        if half.access.buffering {
            half.hold(&bytes);
            half.frame = Vec::new();
        } else {
            half.frame = bytes;
        }
        half.access.frame = true;
        half.body().map_or(0, Vec::len)
    }) else {
        return;
    };
    if too_much_held(id, side, limit) {
        return;
    }
    let name = match side {
        Side::Request => "request_body",
        Side::Response => "response_body",
    };
    let verdict = call(id, side, name, size, end, || match side {
        Side::Request => guest::proxy_on_request_body(id, size, end),
        Side::Response => guest::proxy_on_response_body(id, size, end),
    });
    let next = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        half.access.buffering = verdict == Verdict::Pause;
        half.access.frame = false;
        let frame = std::mem::take(&mut half.frame);
        if half.aborted {
            return Next::Nothing;
        }
        match (verdict, half.flow) {
            (Verdict::Continue, Flow::Going) => Next::Send(frame),
            (Verdict::Continue, _) => {
                half.hold(&frame);
                Next::Resume
            }
            (Verdict::Pause, _) => {
                half.flow = Flow::Held;
                half.hold(&frame);
                Next::Nothing
            }
            (Verdict::Stopped, _) => {
                half.flow = Flow::Held;
                Next::Nothing
            }
        }
    });
    match next {
        Some(Next::Send(frame)) => send_data(id, side, frame, end),
        Some(Next::Resume) => resume(id, side),
        Some(Next::Nothing) => {
            too_much_held(id, side, limit);
        }
        None => {}
    }
}

enum Next {
    Send(Vec<u8>),
    Resume,
    Nothing,
}

fn offer_trailers(id: u32, side: Side) {
    let Some(count) = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        half.access.trailers = true;
        half.trailers.as_ref().map_or(0, HeaderMap::len)
    }) else {
        return;
    };
    let name = match side {
        Side::Request => "request_trailers",
        Side::Response => "response_trailers",
    };
    let verdict = call(id, side, name, count, true, || match side {
        Side::Request => guest::proxy_on_request_trailers(id, count),
        Side::Response => guest::proxy_on_response_trailers(id, count),
    });
    let next = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        if verdict == Verdict::Continue {
            half.access.trailers = false;
            return half.flow;
        }
        if half.flow == Flow::Going {
            half.flow = Flow::Held;
        }
        Flow::Stopped
    });
    match next {
        Some(Flow::Going) => send_trailers(id, side),
        Some(Flow::Held) => resume(id, side),
        Some(Flow::Stopped) | None => {}
    }
}

/// Calls the filter and notes it.
fn call(
    id: u32,
    side: Side,
    name: &'static str,
    size: usize,
    end: bool,
    guest: impl FnOnce() -> u32,
) -> Verdict {
    with_stream(id, |stream| stream.half_mut(side).in_callback = true);
    let noting = with_stream(id, |stream| stream.seen.clone());
    let noting = noting.expect("the stream was there a moment ago");
    let note_at = {
        let mut seen = noting.lock().unwrap();
        seen.callbacks.push(Callback {
            name,
            size,
            end_of_stream: end,
            paused: false,
        });
        seen.callbacks.len() - 1
    };
    let note = noting.clone();
    let (action, stopped) = enter(id, move || {
        let action = guest();
        note.lock().unwrap().callbacks[note_at].paused = action != 0;
        action
    });
    let aborted = with_stream(id, |stream| {
        let half = stream.half_mut(side);
        half.in_callback = false;
        half.aborted
    });
    match action {
        _ if stopped || aborted == Some(true) => Verdict::Stopped,
        0 => Verdict::Continue,
        _ => Verdict::Pause,
    }
}

/// Holding more than the limit: 413 for a request; for an answer 500, or a reset once its headers are out.
fn too_much_held(id: u32, side: Side, limit: usize) -> bool {
    let held = with_stream(id, |stream| {
        stream.half(side).buffered.as_ref().map_or(0, Vec::len)
    });
    if held.is_none_or(|held| held <= limit) {
        return false;
    }
    let reply = match side {
        Side::Request => LocalReply::plain(413, "Payload Too Large", "request_payload_too_large"),
        Side::Response => LocalReply::plain(500, "Internal Server Error", "response_payload_too_large"),
    };
    lifecycle::reply(id, &reply);
    true
}
