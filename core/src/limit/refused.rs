//! A limit's refusal.

use std::fmt;
use std::sync::Arc;

use super::group::{Group, Limit};
use super::meter::{Denied, Level};
use super::spec::Count;
use super::take::Standing;
use crate::refusal::{Code, Exceeded, Refusal};

/// A limit refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The limit's name.
    pub limit: Arc<str>,
    /// What it is counted per: `global`, `key`, `workspace,model` …
    pub scope: String,
    /// What it counts.
    pub count: Count,
    /// How much there is at most.
    pub quota: u64,
    /// How much is gone; more than `quota` where an answer used more than was reserved.
    pub used: u64,
    /// How much is left: less than what was requested.
    pub remaining: u64,
    /// How much the request needs.
    pub requested: u64,
    /// Whole seconds until there is enough, at least 1; `None` where the request needs more than there ever is.
    pub retry_after_secs: Option<u64>,
    /// Seconds until all of it is back, rounded up, if nothing more is taken.
    pub reset_secs: u64,
    /// Every limit that the request is under, without it, in the configuration's order.
    pub standings: Vec<Standing>,
    /// Limits in shadow mode that would have refused too.
    pub would_refuse: Vec<Arc<str>>,
}

// === impl Refused ===

impl Refused {
    /// The refusal of a limit that stands at `level`.
    pub(super) fn new(group: &Group, limit: &Limit, level: Level, requested: u64, denied: Denied) -> Self {
        // Nobody knows when a slot will be given back; its expiry is only the worst case.
        let retry_ms = match limit.count {
            Count::Concurrent => denied.retry_ms.map(|_| 0),
            Count::Requests | Count::Tokens | Count::InputTokens | Count::OutputTokens => denied.retry_ms,
        };
        Self {
            limit: Arc::clone(&limit.name),
            scope: group.scope.clone(),
            count: limit.count,
            quota: limit.quota,
            used: level.used,
            remaining: level.remaining,
            requested,
            retry_after_secs: retry_ms.map(|ms| ms.div_ceil(1000).max(1)),
            reset_secs: level.reset_secs(),
            standings: Vec::new(),
            would_refuse: Vec::new(),
        }
    }

    /// The refusal as clients are told it.
    pub fn refusal(&self) -> Refusal {
        Refusal::new(Code::RateLimitExceeded, self.to_string()).exceeding(Exceeded {
            name: self.limit.to_string(),
            scope: self.scope.clone(),
            unit: self.count.as_str().to_owned(),
            used: self.used.to_string(),
            limit: self.quota.to_string(),
            reset_seconds: self.retry_after_secs,
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            scope,
            quota,
            used,
            requested,
            ..
        } = self;
        let unit = self.count.as_str();
        write!(
            f,
            "limit `{limit}` per {scope} reached: {used} of {quota} {unit} used, {requested} requested; "
        )?;
        match self.retry_after_secs {
            Some(secs) => write!(f, "try again in {secs} s"),
            None => f.write_str("the request needs more than the limit ever allows, make it smaller"),
        }
    }
}
