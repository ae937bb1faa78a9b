//! The real filter in a fake Envoy: orders of events, faults and races that no real proxy shows on demand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code; clippy.toml allows it in test functions, not in what they share"
)]

mod breaker;
mod budgets;
mod callouts;
mod conflicts;
mod conversations;
mod crash;
mod faults;
mod gateway;
mod growth;
mod hang_up;
mod host_calls;
mod policy;
mod rules;
mod sidecar;
mod trace_context;
