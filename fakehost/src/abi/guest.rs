//! What the filter exports: the SDK's dispatcher.

#![expect(unsafe_code, reason = "the SDK exports its callbacks as C functions only")]

// Links the crate that defines them.
use proxy_wasm as _;

// SAFETY: the signatures are those of proxy-wasm 0.2.5, `src/dispatcher.rs` and `src/allocator.rs` (`Action` is
// `repr(u32)`). All of them are safe functions there; they are called on the thread that is the VM.
unsafe extern "C" {
    pub(crate) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    pub(crate) safe fn proxy_on_context_create(context: u32, root: u32);
    pub(crate) safe fn proxy_on_vm_start(root: u32, configuration_size: usize) -> bool;
    pub(crate) safe fn proxy_on_configure(root: u32, configuration_size: usize) -> bool;
    pub(crate) safe fn proxy_on_tick(root: u32);
    pub(crate) safe fn proxy_on_request_headers(context: u32, count: usize, end_of_stream: bool) -> u32;
    pub(crate) safe fn proxy_on_request_body(context: u32, size: usize, end_of_stream: bool) -> u32;
    pub(crate) safe fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    pub(crate) safe fn proxy_on_response_headers(context: u32, count: usize, end_of_stream: bool) -> u32;
    pub(crate) safe fn proxy_on_response_body(context: u32, size: usize, end_of_stream: bool) -> u32;
    pub(crate) safe fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
    pub(crate) safe fn proxy_on_http_call_response(
        root: u32,
        token: u32,
        headers: usize,
        body_size: usize,
        trailers: usize,
    );
    pub(crate) safe fn proxy_on_log(context: u32);
    pub(crate) safe fn proxy_on_done(context: u32) -> bool;
    pub(crate) safe fn proxy_on_delete(context: u32);
}
