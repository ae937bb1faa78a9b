//! What the ledger adds to every gateway's configuration, and how it gets there without a restart.
//!
//! The feed of changed keys ([`crate::key_feed`]) also tells the version of the ledger's policy. The worker that
//! hears of another version than its Envoy has asks for the policy and leaves it in a cell for all workers. Each of
//! them looks at the version on its tick and, where it is another one, compiles its configuration anew, with the
//! configuration's own code: a policy that does not fit is refused as a bad configuration is, and the one before
//! goes on. Exchanges under way keep the configuration that they began with.
//!
//! Whom the policy holds is no part of that configuration: it applies even where the rest of the policy does not fit,
//! because an operator must be able to stop somebody whatever else is wrong.

mod paused;

use std::collections::BTreeMap;

pub use paused::Paused;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cells::{CellError, Cells, Version};
use crate::config::Fault;
use crate::limit::{LimitReset, LimitSpec, Limits};
use crate::price::{Catalogue, Price, WrittenPrice};

/// Where the policy's limits stand, in faults.
pub const LIMITS: &str = "policy.limits";

/// Where the policy's prices stand, in faults.
pub const PRICES: &str = "policy.prices";

/// The largest policy, in bytes of JSON. The sidecar stores none that is larger.
pub const MAX_BYTES: usize = 2 << 20;

const VERSION: &str = "tollgate/1/policy/version";
const DOCUMENT: &str = "tollgate/1/policy/document";

/// The ledger's policy. What a gateway does not know in it is for newer ones, and passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Another one after every change; 0 where there is no policy.
    pub version: u64,
    /// Limits, beside those of the configuration.
    #[serde(default)]
    pub limits: Vec<LimitSpec>,
    /// What operators have given back of limits, the configuration's included.
    #[serde(default)]
    pub resets: Vec<LimitReset>,
    /// Prices by model, before those of the configuration and those that come with Tollgate.
    #[serde(default)]
    pub prices: BTreeMap<String, WrittenPrice>,
    /// Whom operators hold.
    #[serde(default)]
    pub paused: Paused,
}

/// One worker's view of the policy.
#[derive(Debug, Default)]
pub struct Follower {
    /// The version that was looked at last, whether it was good or not.
    seen: u64,
}

/// Why a policy is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Longer than [`MAX_BYTES`].
    #[error("it has {0} bytes; at most {MAX_BYTES} are taken")]
    TooLarge(usize),
    /// It is not what it should be.
    #[error("{path}: {reason}")]
    Unreadable {
        /// Where.
        path: String,
        /// Why.
        reason: String,
    },
    /// The host's shared data.
    #[error(transparent)]
    Cell(#[from] CellError),
}

/// Whether the policy of this version is yet to be asked for.
///
/// # Errors
/// The host's.
pub fn is_news(cells: &dyn Cells, version: u64) -> Result<bool, CellError> {
    Ok(stored_version(cells)? != version)
}

/// Leaves a policy, as the sidecar sent it, for all workers.
///
/// # Errors
/// [`PolicyError`]; nothing is changed then.
pub fn store(cells: &dyn Cells, json: &[u8]) -> Result<(), PolicyError> {
    let policy = Policy::parse(json)?;
    // The version last: whoever sees it finds the policy. Two workers can get in each other's way here, which
    // `Follower::look` mends.
    cells.set(DOCUMENT, json, Version::ANY)?;
    cells.set(VERSION, &policy.version.to_le_bytes(), Version::ANY)?;
    Ok(())
}

/// The version that this Envoy has; 0 where it has none.
fn stored_version(cells: &dyn Cells) -> Result<u64, CellError> {
    let bytes = cells.get(VERSION)?.bytes;
    Ok(bytes.try_into().map_or(0, u64::from_le_bytes))
}

// === impl Policy ===

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(json: &[u8]) -> Result<Self, PolicyError> {
        if json.len() > MAX_BYTES {
            return Err(PolicyError::TooLarge(json.len()));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| PolicyError::Unreadable {
            path: error.path().to_string(),
            reason: error.inner().to_string(),
        })
    }

    /// Checks it by itself, as the sidecar does before it stores anything: with the code that gateways compile it
    /// with. What a gateway's own configuration adds (a name that is taken) only the gateway knows.
    ///
    /// # Errors
    /// Every fault, with its path.
    pub fn check(&self) -> Result<(), Vec<Fault>> {
        let mut faults = Limits::compile(&[(LIMITS, &self.limits)], b"")
            .err()
            .unwrap_or_default();
        faults.extend(self.catalogue().err().into_iter().flatten());
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Its prices.
    ///
    /// # Errors
    /// Every fault, with its path.
    pub fn catalogue(&self) -> Result<Catalogue, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut prices: Vec<(String, Price)> = Vec::with_capacity(self.prices.len());
        for (model, written) in &self.prices {
            match written.price() {
                Ok(price) => prices.push((model.clone(), price)),
                Err(error) => faults.push(Fault::at(
                    format!("{PRICES}.{model}.{}", error.path),
                    error.reason,
                )),
            }
        }
        if faults.is_empty() {
            Ok(prices.into_iter().collect())
        } else {
            Err(faults)
        }
    }
}

// === impl Follower ===

impl Follower {
    /// The policy, where there is another one than at the last look.
    ///
    /// # Errors
    /// Why it cannot be read; it is not looked at again.
    pub fn look(&mut self, cells: &dyn Cells) -> Result<Option<Policy>, PolicyError> {
        let version = stored_version(cells)?;
        if version == self.seen {
            return Ok(None);
        }
        let parsed = Policy::parse(&cells.get(DOCUMENT)?.bytes);
        if parsed.as_ref().is_ok_and(|policy| policy.version != version) {
            // Two workers stored different ones at the same moment: it is asked for again.
            cells.set(VERSION, &[], Version::ANY)?;
            return Ok(None);
        }
        self.seen = version;
        Ok(Some(parsed?))
    }
}

#[cfg(test)]
mod tests;
