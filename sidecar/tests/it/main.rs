//! The sidecar over real HTTP on a free port, with a real database in a folder of the test's own: one file a
//! behaviour.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; only functions marked as tests are exempt by configuration"
)]

mod auth;
mod cli;
mod config;
mod crash;
mod events;
mod keys;
mod moderations;
mod problems;
mod shutdown;
mod support;
