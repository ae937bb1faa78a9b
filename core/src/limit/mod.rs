//! Limits: token buckets, sliding windows and concurrency, taken together or not at all.
//!
//! [`LimitSpec`]s from the configuration are compiled into [`Limits`]. A request is matched against them once
//! ([`Limits::select`]), takes from all that apply ([`Limits::take`]) and settles exactly once
//! ([`Limits::settle`] or [`Limits::cancel`]).
//!
//! All limits with the same `per` are kept in one entry of one [`Table`](crate::table::Table), so that they are
//! taken by one compare-and-swap. Groups of different `per` are all read before any is written; where another
//! worker comes in between and a later group then refuses, the earlier ones are given back. So a refusal burns
//! nothing, and an admitted request costs two host calls a group, or one where the worker still knows what it wrote
//! to it last (`cells/recall.rs`), or none where it has a share of what the group's limits have for the subject
//! (`share.rs`).
//!
//! Limits come from two places: the configuration's, and the ledger's ([`crate::policy`]); compiled together, they
//! are one set.

mod bucket;
mod compile;
mod group;
pub mod headers;
mod meter;
mod receipt;
mod records;
mod refused;
mod reset;
mod rewriting;
mod select;
mod settle;
mod share;
mod shares;
mod slices;
mod spec;
mod subjects;
mod take;
mod taking;
mod weigh;
mod window;

pub use compile::{Limits, MAX_LIMITS, MAX_NAME};
pub use receipt::Receipt;
pub use refused::Refused;
pub use reset::{LimitReset, LimitSubject};
pub use select::{Facts, Plan};
pub use spec::{Algorithm, Count, LimitSpec, MatchSpec, Mode, Per};
pub use take::{Demand, Standing, TakeError, Taken};

#[cfg(test)]
mod tests;
