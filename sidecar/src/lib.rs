//! What must outlive the proxy: keys, ledger, moderation, admin API.
//!
//! One process with one embedded database (or several with one PostgreSQL). Gateways speak to `/v1`
//! ([`gateway`], the contract is `tollgate_core::wire`), operators to `/admin/v1` ([`admin`]), which is also what
//! the page at `/` asks ([`console`]); both stand on the [`ledger`].

#![forbid(unsafe_code)]

pub mod access;
pub mod admin;
pub mod budget_check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod conversation;
pub mod desk;
pub mod gateway;
pub mod health;
pub mod http;
mod https;
pub mod ledger;
pub mod metrics;
pub mod moderation;
pub mod otel;
pub mod password;
pub mod principal;
pub mod returns;
pub mod secret;
pub mod secret_key;
pub mod server;
pub mod session;
pub mod state;
pub mod telemetry;
pub mod upkeep;
pub mod verdict_log;
pub mod webhook;

pub use self::config::Config;
pub use self::server::{serve, serve_until};
