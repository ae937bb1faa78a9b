//! The proxy-wasm ABI 0.2.1 as native symbols: the imports that a filter links against, and its exports.
//!
//! The only unsafe code of this crate: imports take raw pointers into the filter's memory, as they would from
//! a wasm module.

mod context;
pub(crate) mod guest;
mod memory;
mod process;
mod stream;
