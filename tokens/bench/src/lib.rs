//! How fast tokens are counted: what is counted, how it is timed, and a filter that does it inside Envoy.
//!
//! `cargo bench -p tollgate-tokens-bench` runs natively, `cargo xtask bench-tokens` inside Envoy's V8.

pub mod corpora;
pub mod measure;

#[cfg(target_family = "wasm")]
mod filter;
