//! Where the filter chain ends: the provider on one side, the client on the other.

use crate::half::Side;
use crate::lifecycle;
use crate::seen::Framing;
use crate::vm::{with, with_stream};

pub(crate) fn send_headers(id: u32, side: Side, end: bool) {
    let over = with_stream(id, |stream| {
        let map = stream.half(side).headers.clone();
        stream.answer_sent |= side == Side::Response;
        stream.see(|seen| match side {
            Side::Request => {
                seen.upstream.headers = map;
                seen.upstream.ended |= end;
            }
            Side::Response => {
                seen.client.headers = map;
                seen.client.ended |= end;
            }
        });
        side == Side::Response && end
    });
    if over == Some(true) {
        lifecycle::finish(id);
    }
}

pub(crate) fn send_data(id: u32, side: Side, bytes: Vec<u8>, end: bool) {
    let over = with_stream(id, |stream| {
        stream.see(|seen| match side {
            // A repeated resume finds the router done with the request.
            Side::Request if seen.upstream.ended => {}
            Side::Request => {
                seen.upstream.body.extend_from_slice(&bytes);
                seen.upstream.ended |= end;
            }
            Side::Response => {
                if !bytes.is_empty() {
                    seen.client.chunks.push(bytes);
                }
                seen.client.ended |= end;
            }
        });
        side == Side::Response && end
    });
    check_framing(id, side, end);
    if over == Some(true) {
        lifecycle::finish(id);
    }
}

pub(crate) fn send_trailers(id: u32, side: Side) {
    let over = with_stream(id, |stream| {
        let map = stream.half(side).trailers.clone();
        stream.see(|seen| match side {
            Side::Request => {
                seen.upstream.trailers = map;
                seen.upstream.ended = true;
            }
            Side::Response => {
                seen.client.trailers = map;
                seen.client.ended = true;
            }
        });
        side == Side::Response
    });
    check_framing(id, side, true);
    if over == Some(true) {
        lifecycle::finish(id);
    }
}

/// A body that does not fit its `content-length` is noted: it would smuggle or hang.
fn check_framing(id: u32, side: Side, end: bool) {
    let framing = with_stream(id, |stream| {
        stream.see(|seen| match side {
            Side::Request => seen.upstream.framing(),
            Side::Response => seen.client.framing(),
        })
    });
    let wrong = match framing {
        Some(Framing::Overrun { .. }) => true,
        Some(Framing::Short { .. }) => end,
        _ => false,
    };
    if wrong {
        with(|vm| {
            vm.process
                .violation(format!("stale content-length on the {side:?}: {framing:?}"));
        });
    }
}
