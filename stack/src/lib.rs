//! Tollgate as a running system: builds it, fetches Envoy, starts and stops the processes.
//!
//! `cargo xtask up` and the end-to-end tests both run what [`Stack::builder`] makes, so that what is tested is
//! what a developer gets.

pub mod admin;
pub mod debian;
pub mod envoy;
pub mod envoy_config;
pub mod mock;
pub mod ports;
pub mod postgres;
pub mod proc;
pub mod process;
pub mod progress;
pub mod python;
pub mod repository;
pub mod stack;
pub mod up_file;
pub mod wait;

mod system;

pub use self::repository::{Filter, Repository};
pub use self::stack::{Part, Stack, StackBuilder};

/// A client that keeps no connection, uses no proxy and follows no redirect: one value can serve tests that run
/// on different runtimes.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
    Ok(builder.redirect(reqwest::redirect::Policy::none()).build()?)
}
