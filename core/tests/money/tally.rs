//! What the schedules have seen: a simulation in which nothing happens would find nothing.

use std::collections::BTreeMap;

/// How often things happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    counts: BTreeMap<&'static str, u64>,
}

// === impl Tally ===

impl Tally {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// How often something happened.
    pub(crate) fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }
}
