//! Host calls with their raw statuses: the SDK's own panic on half of them.

#![expect(unsafe_code, reason = "the proxy-wasm ABI is a set of C functions")]

use std::time::Duration;

pub(crate) const REQUEST: u32 = 0;
pub(crate) const REQUEST_TRAILERS: u32 = 1;
pub(crate) const RESPONSE: u32 = 2;
pub(crate) const CALLOUT: u32 = 6;

unsafe extern "C" {
    fn proxy_get_header_map_pairs(kind: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        kind: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        kind: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, data_size: usize)
    -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, data: *const u8, size: usize, cas: u32) -> u32;
    safe fn proxy_continue_stream(kind: u32) -> u32;
}

/// The size of a serialised map, or the status.
pub(crate) fn pairs(kind: u32) -> Result<usize, u32> {
    // SAFETY: the pointers are to live values.
    taken(|data, size| unsafe { proxy_get_header_map_pairs(kind, data, size) }).map(|bytes| bytes.len())
}

pub(crate) fn header(kind: u32, name: &str) -> Result<String, u32> {
    // SAFETY: the pointers are to live values.
    taken(|data, size| unsafe { proxy_get_header_map_value(kind, name.as_ptr(), name.len(), data, size) })
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn set_header(kind: u32, name: &str, value: &str) -> u32 {
    // SAFETY: both strings live as long as the call.
    unsafe { proxy_replace_header_map_value(kind, name.as_ptr(), name.len(), value.as_ptr(), value.len()) }
}

/// A buffer as text, or the status: 0 is the request's body, 1 the response's, 4 the callout's.
pub(crate) fn body(kind: u32) -> Result<String, u32> {
    // SAFETY: the pointers are to live values.
    taken(|data, size| unsafe { proxy_get_buffer_bytes(kind, 0, 1 << 20, data, size) })
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn replace_body(kind: u32, with: &str) -> u32 {
    // SAFETY: the string lives as long as the call.
    unsafe { proxy_set_buffer_bytes(kind, 0, 1 << 20, with.as_ptr(), with.len()) }
}

pub(crate) fn set_shared(key: &str, value: &str, cas: u32) -> u32 {
    // SAFETY: both strings live as long as the call.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}

pub(crate) fn resume(kind: u32) -> u32 {
    proxy_continue_stream(kind)
}

pub(crate) fn deny(status: u32, body: &str) {
    proxy_wasm::hostcalls::send_http_response(status, vec![("x-denied", "1")], Some(body.as_bytes()))
        .unwrap();
}

/// Asks a cluster; the status where that fails.
pub(crate) fn ask(cluster: &str) -> Result<u32, u32> {
    let headers = vec![(":method", "POST"), (":path", "/ask"), (":authority", "sidecar")];
    let timeout = Duration::from_secs(1);
    proxy_wasm::hostcalls::dispatch_http_call(cluster, headers, Some(b"{\"q\":1}"), Vec::new(), timeout)
        .map_err(|status| status as u32)
}

fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, u32> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    match call(&raw mut data, &raw mut size) {
        0 if data.is_null() => Ok(Vec::new()),
        // SAFETY: the host took the buffer from the SDK's allocator, with exactly this size.
        0 => Ok(unsafe { Vec::from_raw_parts(data, size, size) }),
        status => Err(status),
    }
}
