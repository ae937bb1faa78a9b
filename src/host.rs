//! The one door to Envoy: bytes in and out, every status checked, and no call that can panic.
//!
//! The SDK's wrappers decode headers as UTF-8 and panic on any status that they do not expect, and a panic
//! kills the worker's VM (proxy-wasm-rust-sdk #25, #217). So the imports are declared here once more and
//! return raw statuses; only the dispatch of HTTP calls goes through the SDK, which must know the token.

#![expect(unsafe_code, reason = "every call of the host is a call of a C function")]

mod abi;
mod header_map;

use std::time::Duration;

use proxy_wasm::types::{BufferType, MapType, MetricType, Status, StreamType};
use thiserror::Error;
use tollgate_core::cells::{Cell, CellError, Cells, Floor, Version};
use tollgate_core::time::UnixNanos;

pub(crate) use header_map::HeaderMap;

/// Why the host did not do what was asked: its raw status (2 means "not in this phase" or "no such thing").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Envoy answered with status {0}")]
pub(crate) struct HostError(u32);

/// Envoy's shared data, which all workers see.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    /// What is known of its versions. An exchange's writes go through one value, so that they are all counted; for a
    /// write now and then any will do.
    floor: Floor,
}

/// A metric's id in this VM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MetricId(u32);

/// An answer that Envoy sends instead of the provider's.
#[derive(Debug)]
pub(crate) struct LocalResponse<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a [(&'a [u8], &'a [u8])],
    pub(crate) body: &'a [u8],
    /// Shown in the access log as `%RESPONSE_CODE_DETAILS%`.
    pub(crate) details: &'a str,
}

// === impl SharedData ===

impl Cells for SharedData {
    fn get(&self, key: &str) -> Result<Cell, CellError> {
        let mut cas = 0;
        // SAFETY: the pointers are to live values of the size that the ABI asks for.
        let read = read_bytes(|data, size| unsafe {
            abi::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
        });
        match read {
            Ok(bytes) => Ok(Cell {
                bytes,
                version: Version(cas),
            }),
            Err(HostError(status)) if status == Status::NotFound as u32 => Ok(Cell {
                bytes: Vec::new(),
                version: Version::ABSENT,
            }),
            Err(_) => Err(CellError::Unavailable),
        }
    }

    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError> {
        // SAFETY: both slices are live for the call; the host copies them.
        let status = unsafe {
            abi::proxy_set_shared_data(key.as_ptr(), key.len(), bytes.as_ptr(), bytes.len(), version.0)
        };
        if status == Status::CasMismatch as u32 {
            return Err(CellError::Conflict);
        }
        check(status).map_err(|_| CellError::Unavailable)?;
        self.floor.wrote();
        Ok(())
    }

    fn floor(&self) -> Option<&Floor> {
        Some(&self.floor)
    }
}

/// The time now; the epoch where the host does not say (it always does).
pub(crate) fn now() -> UnixNanos {
    let mut nanos = 0;
    // SAFETY: the pointer is to a live u64.
    let status = unsafe { abi::proxy_get_current_time_nanoseconds(&raw mut nanos) };
    debug_assert_eq!(status, Status::Ok as u32);
    UnixNanos(nanos)
}

/// Asks for a tick at this interval.
pub(crate) fn set_tick_period(period: Duration) -> Result<(), HostError> {
    let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no pointers.
    let status = unsafe { abi::proxy_set_tick_period_milliseconds(millis) };
    check(status)
}

/// Up to `max` bytes of a buffer from `start` on.
pub(crate) fn buffer(kind: BufferType, start: usize, max: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: the pointers are to live values of the size that the ABI asks for.
    read_bytes(|data, size| unsafe { abi::proxy_get_buffer_bytes(kind as u32, start, max, data, size) })
}

/// Replaces a whole body. The caller sets `content-length`: a stale one is request smuggling.
pub(crate) fn replace_buffer(kind: BufferType, bytes: &[u8]) -> Result<(), HostError> {
    // SAFETY: the slice is live for the call; the host copies it. `usize::MAX` would overflow in hosts that
    // add it to the start, so the largest i32 stands for "to the end".
    let status = unsafe {
        abi::proxy_set_buffer_bytes(kind as u32, 0, i32::MAX as usize, bytes.as_ptr(), bytes.len())
    };
    check(status)
}

/// All headers of a map.
pub(crate) fn headers(kind: MapType) -> Result<HeaderMap, HostError> {
    // SAFETY: the pointers are to live values of the size that the ABI asks for.
    read_bytes(|data, size| unsafe { abi::proxy_get_header_map_pairs(kind as u32, data, size) })
        .map(HeaderMap::new)
}

/// Sets a header, replacing all its values.
pub(crate) fn set_header(kind: MapType, name: &str, value: &[u8]) -> Result<(), HostError> {
    // SAFETY: both slices are live for the call; the host copies them.
    let status = unsafe {
        abi::proxy_replace_header_map_value(
            kind as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    check(status)
}

/// Adds a value to a header.
pub(crate) fn add_header(kind: MapType, name: &str, value: &[u8]) -> Result<(), HostError> {
    // SAFETY: both slices are live for the call; the host copies them.
    let status = unsafe {
        abi::proxy_add_header_map_value(
            kind as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    check(status)
}

/// Removes every value of a header.
pub(crate) fn remove_header(kind: MapType, name: &str) -> Result<(), HostError> {
    // SAFETY: the slice is live for the call.
    let status = unsafe { abi::proxy_remove_header_map_value(kind as u32, name.as_ptr(), name.len()) };
    check(status)
}

/// A property by its path; `None` where there is none.
pub(crate) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    // SAFETY: the pointers are to live values of the size that the ABI asks for.
    read_bytes(|data, size| unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, size) }).ok()
}

/// Sets filter state, which the access log reads as `%FILTER_STATE(wasm.NAME:PLAIN)%`.
pub(crate) fn set_filter_state(name: &str, value: &[u8]) -> Result<(), HostError> {
    // SAFETY: both slices are live for the call; the host copies them.
    let status = unsafe { abi::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    check(status)
}

/// Lets a held request or response go on.
pub(crate) fn resume(kind: StreamType) -> Result<(), HostError> {
    // SAFETY: no pointers.
    let status = unsafe { abi::proxy_continue_stream(kind as u32) };
    check(status)
}

/// Answers the client in the provider's place. Takes effect when the current callback ends.
pub(crate) fn respond(response: &LocalResponse<'_>) -> Result<(), HostError> {
    let headers = header_map::serialise(response.headers);
    // SAFETY: all slices are live for the call; the host copies them.
    let status = unsafe {
        abi::proxy_send_local_response(
            u32::from(response.status),
            response.details.as_ptr(),
            response.details.len(),
            response.body.as_ptr(),
            response.body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
    check(status)
}

/// Sends a request to a cluster; the answer comes to the context that asked, with this token.
pub(crate) fn call(
    cluster: &str,
    headers: Vec<(&str, &str)>,
    body: &[u8],
    timeout: Duration,
) -> Result<u32, HostError> {
    proxy_wasm::hostcalls::dispatch_http_call(cluster, headers, Some(body), Vec::new(), timeout)
        .map_err(|status| HostError(status as u32))
}

/// Defines a metric, or finds it where another VM has.
pub(crate) fn define_metric(kind: MetricType, name: &str) -> Result<MetricId, HostError> {
    let mut id = 0;
    // SAFETY: the slice and the pointer are live for the call.
    let status = unsafe { abi::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    check(status).map(|()| MetricId(id))
}

/// Adds to a counter; adding nothing is left out, as the host refuses it.
pub(crate) fn increment(metric: MetricId, by: u64) {
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    if by == 0 {
        return;
    }
    // SAFETY: no pointers.
    let status = unsafe { abi::proxy_increment_metric(metric.0, by) };
    debug_assert_eq!(status, Status::Ok as u32);
}

/// Sets a gauge or adds a value to a histogram.
pub(crate) fn record(metric: MetricId, value: u64) {
    // SAFETY: no pointers.
    let status = unsafe { abi::proxy_record_metric(metric.0, value) };
    debug_assert_eq!(status, Status::Ok as u32);
}

fn check(status: u32) -> Result<(), HostError> {
    if status == Status::Ok as u32 {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Runs a call that hands out a buffer, and takes the buffer over.
fn read_bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size = 0;
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got the buffer from `proxy_on_memory_allocate`, which makes a boxed slice of exactly
    // this size from the global allocator, and gives up its claim on it.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}
