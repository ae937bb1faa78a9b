//! Every decision of Tollgate, pure: no host, no clock, no I/O, no unsafe.
//!
//! Data flows one way. The filter turns an Envoy callback into a value, [`exchange`] decides and returns
//! effects, the filter performs them. Time, randomness and storage are passed in.

#![forbid(unsafe_code)]

pub mod auth;
pub mod breaker;
pub mod budget;
pub mod cells;
mod codec;
pub mod config;
pub mod conversation;
mod decimal;
pub mod dialect;
pub mod edit;
pub mod event;
pub mod exchange;
pub mod glob;
pub mod headers;
pub mod journal;
pub mod key;
pub mod key_feed;
pub mod limit;
pub mod money;
pub mod policy;
pub mod price;
pub mod refusal;
#[cfg(feature = "schema")]
mod schema;
pub mod service_tier;
pub mod table;
pub mod time;
pub mod trace_context;
pub mod turn;
pub mod usage;
pub mod validation;
pub mod wire;
mod words;
