//! The sidecar over real HTTP on a free port, with a real database in a folder of the test's own: one file a
//! behaviour.

mod auth;
mod events;
mod keys;
mod problems;
mod support;
