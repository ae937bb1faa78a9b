//! Limits with the same `per`: they share a table, an entry and a compare-and-swap.

use std::sync::Arc;

use super::meter::{Clock, Denied, Meter, Rule};
use super::receipt::Item;
use super::records::{Record, Records};
use super::reset::Resets;
use super::select::Facts;
use super::spec::{Count, MatchSpec, Mode, Per};
use super::subjects::Subjects;
use super::take::{Demand, LimitState, Refused};
use crate::table::{Stamps, Subject, Table};
use crate::time::UnixMillis;

/// A set of [`Per`]s, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PerSet(pub(super) u8);

/// One limit, ready for use.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) name: Arc<str>,
    /// Its place in the configuration.
    pub(super) order: usize,
    pub(super) id: u32,
    pub(super) count: Count,
    pub(super) rule: Rule,
    pub(super) mode: Mode,
    pub(super) applies_to: MatchSpec,
    /// How much there is at most.
    pub(super) quota: u64,
    /// In which time all of it comes back, in milliseconds; `None` for slots.
    pub(super) window_ms: Option<u64>,
    /// What operators have given back of it.
    pub(super) resets: Resets,
}

/// A limit's record, read: its meter brought up to now.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) meter: Meter<'a>,
    pub(super) clock: Clock,
    /// The record's birth, if reservations from before still count.
    pub(super) birth: Option<u32>,
    /// Of the record that is written back.
    pub(super) generation: u64,
}

/// Limits with the same `per`.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) per: PerSet,
    pub(super) limits: Vec<Limit>,
    pub(super) table: Table<Records>,
    scope: String,
    subjects: Subjects,
}

/// What a request would take from a group's limits.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    /// The subject's entry with all of it taken.
    pub(super) records: Records,
    pub(super) items: Vec<Item>,
    pub(super) standings: Vec<Standing>,
    pub(super) refused: Vec<Refused>,
    pub(super) would_refuse: Vec<Arc<str>>,
    /// The clock had jumped back: this holds only once [`Group::rewound`] is stored.
    pub(super) is_rewound: bool,
}

/// How full a limit is without and with the request.
#[derive(Debug)]
pub(super) struct Standing {
    /// The limit's place in the configuration.
    pub(super) order: usize,
    pub(super) before: LimitState,
    pub(super) after: LimitState,
}

// === impl PerSet ===

impl PerSet {
    const NAMES: [(Per, &'static str); 6] = [
        (Per::Workspace, "workspace"),
        (Per::User, "user"),
        (Per::Session, "session"),
        (Per::Key, "key"),
        (Per::Ip, "ip"),
        (Per::Model, "model"),
    ];

    /// The set of a list; `None` where it says something twice, or `global` with something else.
    pub(super) fn of(list: &[Per]) -> Option<Self> {
        if list == [Per::Global] {
            return Some(Self(0));
        }
        list.iter().try_fold(Self(0), |set, per| {
            let bit = Self::bit(*per)?;
            (set.0 & bit == 0).then_some(Self(set.0 | bit))
        })
    }

    /// The set of those for which something holds.
    pub(super) fn where_each(holds: impl Fn(Per) -> bool) -> Self {
        let bits = Self::NAMES.iter().enumerate();
        let held = bits.filter(|(_, (per, _))| holds(*per));
        Self(held.fold(0, |set, (at, _)| set | (1 << at)))
    }

    /// Whether it is in the set.
    pub(super) fn has(self, per: Per) -> bool {
        Self::bit(per).is_some_and(|bit| self.0 & bit != 0)
    }

    fn bit(per: Per) -> Option<u8> {
        let at = Self::NAMES.iter().position(|(one, _)| *one == per)?;
        Some(1 << at)
    }

    fn scope(self) -> String {
        let names = Self::NAMES.iter().filter(|(per, _)| self.has(*per));
        let names: Vec<&str> = names.map(|(_, name)| *name).collect();
        if names.is_empty() {
            return "global".to_owned();
        }
        names.join(",")
    }
}

// === impl Group ===

impl Group {
    pub(super) fn new(per: PerSet, max_subjects: u32, limits: Vec<Limit>, salt: &[u8]) -> Self {
        let subjects = if per.0 == 0 { 1 } else { max_subjects };
        Self {
            per,
            limits,
            table: Table::new(format!("tollgate/1/l/{}", per.0), subjects),
            scope: per.scope(),
            subjects: Subjects::new(salt, per.0),
        }
    }

    /// Whom a request counts for in this group.
    pub(super) fn subject(&self, facts: &Facts<'_>) -> Subject {
        self.subject_of(|per| match per {
            Per::Global => None,
            Per::Workspace => facts.workspace,
            Per::User => facts.user,
            Per::Session => facts.session,
            Per::Key => facts.key_id,
            Per::Ip => facts.ip,
            Per::Model => facts.model,
        })
    }

    /// The subject with these values.
    pub(super) fn subject_of<'a>(&self, value: impl Fn(Per) -> Option<&'a str>) -> Subject {
        let pers = PerSet::NAMES.iter().filter(|(per, _)| self.per.has(*per));
        self.subjects.of(pers.map(|(per, _)| value(*per)))
    }

    /// Takes from all chosen limits, in a copy: what comes of it is only written if nobody refuses.
    pub(super) fn weigh<'a>(
        &'a self,
        subject: Subject,
        chosen: impl Iterator<Item = &'a Limit>,
        entry: Option<Records>,
        stamps: &mut Stamps<'_>,
        demand: Demand,
        now: UnixMillis,
    ) -> Weighed {
        let mut weighed = Weighed {
            records: entry.unwrap_or_default(),
            ..Weighed::default()
        };
        for limit in chosen {
            let found = weighed.records.remove(limit.id);
            let Opened {
                mut meter,
                clock,
                birth: kept_birth,
                generation,
            } = limit.open(subject, found.as_ref(), now);
            weighed.is_rewound |= clock.shifted;
            let before = limit.state(&meter, clock);
            let amount = demand.of(limit.count);
            let outcome = if amount == 0 {
                Ok(())
            } else {
                meter.take(amount, clock)
            };
            if outcome.is_ok() && amount > 0 {
                let birth = kept_birth.unwrap_or_else(|| stamps.fresh());
                weighed.items.push(Item {
                    id: limit.id,
                    birth,
                    reserved: amount,
                    ahead_ms: clock.now_ms.saturating_sub(now.0),
                });
                weighed.records.put(limit.record(birth, generation, &meter));
            } else if let Some(record) = found {
                weighed.records.put(record);
            }
            if let Err(denied) = outcome {
                match limit.mode {
                    Mode::Shadow => weighed.would_refuse.push(Arc::clone(&limit.name)),
                    Mode::Enforce => weighed.refused.push(self.refusal(limit, &before, amount, denied)),
                }
            }
            weighed.standings.push(Standing {
                order: limit.order,
                before,
                after: limit.state(&meter, clock),
            });
        }
        weighed.records.prune(now);
        weighed
    }

    /// The entry with everything that a clock which has jumped back left in the future moved to now. It must be
    /// stored even where nothing is taken: moved again at every refusal, it would never come to an end.
    pub(super) fn rewound(
        &self,
        subject: Subject,
        entry: Option<Records>,
        stamps: &mut Stamps<'_>,
        now: UnixMillis,
    ) -> Records {
        let mut records = entry.unwrap_or_default();
        for limit in &self.limits {
            let Some(found) = records.remove(limit.id) else {
                continue;
            };
            let opened = limit.open(subject, Some(&found), now);
            records.put(if opened.clock.shifted {
                limit.record(stamps.fresh(), opened.generation, &opened.meter)
            } else {
                found
            });
        }
        records
    }

    fn refusal(&self, limit: &Limit, state: &LimitState, requested: u64, denied: Denied) -> Refused {
        // Nobody knows when a slot will be given back; its expiry is only the worst case.
        let retry_ms = match limit.count {
            Count::Concurrent => denied.retry_ms.map(|_| 0),
            Count::Requests | Count::Tokens | Count::InputTokens | Count::OutputTokens => denied.retry_ms,
        };
        Refused {
            limit: Arc::clone(&limit.name),
            scope: self.scope.clone(),
            count: limit.count,
            quota: limit.quota,
            used: state.used,
            remaining: state.remaining,
            requested,
            retry_after_secs: retry_ms.map(|ms| ms.div_ceil(1000).max(1)),
            reset_secs: state.reset_secs,
            states: Vec::new(),
            would_refuse: Vec::new(),
        }
    }
}

// === impl Limit ===

impl Limit {
    /// Reads a subject's record. One from before a reset is as good as none.
    pub(super) fn open(&self, subject: Subject, found: Option<&Record>, now: UnixMillis) -> Opened<'_> {
        let reset = self.resets.generation(subject);
        let decoded = found
            .filter(|record| record.generation >= reset)
            .and_then(|record| Some((self.rule.decode(&record.body)?, record)));
        let (mut meter, birth, generation) = match decoded {
            Some((meter, record)) => (meter, Some(record.birth), record.generation),
            None => (self.rule.fresh(), None, reset),
        };
        let clock = meter.advance(now.0);
        Opened {
            meter,
            clock,
            birth: birth.filter(|_| !clock.shifted),
            generation,
        }
    }

    /// The record of a meter.
    pub(super) fn record(&self, birth: u32, generation: u64, meter: &Meter<'_>) -> Record {
        Record {
            id: self.id,
            birth,
            generation,
            absent_at: UnixMillis(meter.absent_at_ms()),
            body: meter.encode(),
        }
    }

    fn state(&self, meter: &Meter<'_>, clock: Clock) -> LimitState {
        let level = meter.level(clock);
        LimitState {
            name: Arc::clone(&self.name),
            count: self.count,
            mode: self.mode,
            quota: self.quota,
            used: level.used,
            remaining: level.remaining,
            reset_secs: level.reset_ms.div_ceil(1000),
            window_secs: self.window_ms.map(|ms| ms.div_ceil(1000)),
        }
    }
}
