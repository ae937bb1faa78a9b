//! The sidecar over real HTTP on a free port, with a real database of the test's own: one file a behaviour.
//!
//! Every test that needs a database is there twice, as `sqlite::…` and as `postgres::…`: see `on_each_engine.rs`.
//! PostgreSQL is a server of the tests' own, from a wheel (`stack/src/postgres.rs`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails; only functions marked as tests are exempt by configuration"
)]
#![expect(
    clippy::duplicate_mod,
    reason = "the same tests for each engine, which tell by their own path which one that is"
)]

mod config;
mod database;

#[path = "on_each_engine.rs"]
mod postgres;
#[path = "on_each_engine.rs"]
mod sqlite;
