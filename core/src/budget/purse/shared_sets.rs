//! Which budgets apply to whom, as all workers of one Envoy know it.
//!
//! A worker remembers the sets that it uses by itself ([`BudgetSets`](super::BudgetSets)). Here it finds what others
//! have learned: a worker that sees a caller for the first time need not ask what its neighbour knows, and, while the
//! sidecar is away, pays from a lease that is in hand.

use sha2::{Digest as _, Sha256};

use crate::budget::subject::Facts;
use crate::cells::{CellError, Cells};
use crate::codec::{Reader, put};
use crate::table::{Change, Entry, Subject, Table};
use crate::time::UnixMillis;
use crate::wire::AppliedBudget;

/// For so many callers.
const MAX_SETS: u32 = 2_048;

/// Larger sets are each worker's own: no cell may grow with what operators write.
const MAX_SET_BYTES: usize = 4 * 1024;

/// A set is kept for so many milliseconds, for when the sidecar is away.
const KEPT_MS: u64 = 86_400_000;

/// What any worker has learned.
#[derive(Debug)]
pub struct SharedSets {
    table: Table<SharedSet>,
    /// For so long a set says enough, in milliseconds; then it is written anew.
    fresh_ms: u64,
}

/// The budgets that apply to some facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSet {
    /// SHA-256 of the facts: the table compares fewer bits.
    facts: [u8; 32],
    /// Of the budgets' definitions.
    pub version: u64,
    /// When it was learned.
    pub learned_at: UnixMillis,
    /// In the ledger's order, without leases.
    pub budgets: Vec<AppliedBudget>,
}

// === impl SharedSets ===

impl SharedSets {
    /// Sets in the cells `prefix/…`, that are learned anew after `fresh_ms` milliseconds.
    pub fn new(prefix: &str, fresh_ms: u64) -> Self {
        Self {
            table: Table::new(prefix, MAX_SETS),
            fresh_ms,
        }
    }

    /// What is known of some facts, however old.
    ///
    /// # Errors
    /// The host's.
    pub fn read<C>(&self, cells: &C, facts: &Facts, now: UnixMillis) -> Result<Option<SharedSet>, CellError>
    where
        C: Cells + ?Sized,
    {
        let hash = hash(facts);
        let found = self.table.read(cells, Subject::of_hash(&hash), now)?.entry;
        Ok(found.filter(|set| set.facts == hash))
    }

    /// Keeps what was learned, where it is not known yet.
    ///
    /// # Errors
    /// The host's.
    pub fn learn<C>(
        &self,
        cells: &C,
        facts: &Facts,
        version: u64,
        budgets: &[AppliedBudget],
        now: UnixMillis,
    ) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let set = SharedSet {
            facts: hash(facts),
            version,
            learned_at: now,
            budgets: budgets.to_vec(),
        };
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        if bytes.len() > MAX_SET_BYTES {
            return Ok(());
        }
        self.table
            .update(cells, Subject::of_hash(&set.facts), now, |old, _| {
                if old.is_some_and(|old| self.says_as_much(&old, &set)) {
                    return Change::Keep(());
                }
                Change::Store(Some(set.clone()), ())
            })
    }

    /// Whether what is there need not be written again.
    fn says_as_much(&self, old: &SharedSet, new: &SharedSet) -> bool {
        let is_newer = old.facts == new.facts && old.version > new.version;
        let age_ms = new.learned_at.0.checked_sub(old.learned_at.0);
        let is_fresh = age_ms.is_some_and(|age_ms| age_ms < self.fresh_ms / 2);
        is_newer || old.facts == new.facts && old.version == new.version && is_fresh
    }
}

// === impl SharedSet ===

#[cfg(test)]
impl SharedSet {
    pub(super) const fn learned(version: u64, learned_at: UnixMillis, budgets: Vec<AppliedBudget>) -> Self {
        Self {
            facts: [0; 32],
            version,
            learned_at,
            budgets,
        }
    }
}

impl Entry for SharedSet {
    const FORMAT: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.facts);
        put(out, self.version);
        put(out, self.learned_at.0);
        // It has no map with keys that are not text: this cannot fail, and empty bytes would not decode.
        out.extend(serde_json::to_vec(&self.budgets).unwrap_or_default());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self {
            facts: reader.array()?,
            version: reader.int()?,
            learned_at: UnixMillis(reader.int()?),
            budgets: serde_json::from_slice(reader.rest()).ok()?,
        })
    }

    fn absent_at(&self) -> UnixMillis {
        self.learned_at.plus(KEPT_MS)
    }
}

fn hash(facts: &Facts) -> [u8; 32] {
    // It has no map with keys that are not text: this cannot fail.
    Sha256::digest(serde_json::to_vec(facts).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::purse::set::tests::{budget, facts};
    use crate::budget::{Period, Unit};
    use crate::cells::MemoryCells;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const FRESH_MS: u64 = 10_000;

    fn sets() -> SharedSets {
        SharedSets::new("s", FRESH_MS)
    }

    fn of(amount: u64) -> Vec<AppliedBudget> {
        vec![budget("b", Unit::Usd, Period::Month, amount)]
    }

    fn amount(cells: &MemoryCells, user: &str, now: UnixMillis) -> Option<u64> {
        let found = sets().read(cells, &facts(user), now).unwrap();
        found.map(|set| set.budgets[0].amount)
    }

    #[test]
    fn what_one_worker_has_learned_another_one_knows() {
        let cells = MemoryCells::new();
        sets().learn(&cells, &facts("ann"), 1, &of(5), NOW).unwrap();
        assert_eq!(amount(&cells, "ann", NOW), Some(5));
        assert_eq!(amount(&cells, "bob", NOW), None);
    }

    #[test]
    fn a_newer_version_replaces_an_older_one_and_not_the_other_way_round() {
        let cells = MemoryCells::new();
        for (version, budget) in [(1, 5), (2, 6), (1, 7)] {
            sets()
                .learn(&cells, &facts("ann"), version, &of(budget), NOW)
                .unwrap();
        }
        assert_eq!(amount(&cells, "ann", NOW), Some(6));
    }

    #[test]
    fn the_same_again_is_written_only_when_it_has_grown_old() {
        let cells = MemoryCells::new();
        for (after_ms, budget, known) in [(0, 5, 5), (FRESH_MS / 2 - 1, 6, 5), (FRESH_MS / 2, 7, 7)] {
            let now = NOW.plus(after_ms);
            sets().learn(&cells, &facts("ann"), 1, &of(budget), now).unwrap();
            assert_eq!(amount(&cells, "ann", now), Some(known));
        }
    }

    #[test]
    fn a_set_that_is_too_large_is_each_workers_own() {
        let cells = MemoryCells::new();
        let many = vec![of(5)[0].clone(); 100];
        sets().learn(&cells, &facts("ann"), 1, &many, NOW).unwrap();
        assert_eq!(amount(&cells, "ann", NOW), None);
    }
}
