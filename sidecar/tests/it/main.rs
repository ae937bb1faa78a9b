//! The sidecar over real HTTP on a free port, with a real database of the test's own: one file a behaviour.
//!
//! The same tests run on either engine: SQLite in a temporary folder, or, where `TOLLGATE_TEST_POSTGRES` is
//! the URL of a server (`postgres://user@host:port`), a new database on it for each test.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; only functions marked as tests are exempt by configuration"
)]

mod auth;
mod cli;
mod config;
mod crash;
mod database;
mod events;
mod keys;
mod moderations;
mod problems;
mod several;
mod shutdown;
mod support;
