//! Limits with the same `per`: they share a table, an entry and a compare-and-swap.

use std::cell::RefCell;
use std::sync::Arc;

use super::headers::Told;
use super::meter::{Clock, Meter, Rule};
use super::records::{self, Head, Record, Writer};
use super::reset::Resets;
use super::select::Facts;
use super::shares::Shares;
use super::spec::{Count, MatchSpec, Mode, Per};
use super::subjects::Subjects;
use crate::table::{Sets, Stamps, Subject};
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
    /// Whether that is everything.
    pub(super) fits_all: bool,
    /// How much there is at most.
    pub(super) quota: u64,
    /// What answers tell of it.
    pub(super) told: Told,
    /// What operators have given back of it.
    pub(super) resets: Resets,
}

/// What is known of a limit's record once its meter is read and brought up to now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
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
    pub(super) sets: Sets,
    pub(super) scope: String,
    /// What is in `per`, in the order in which it is hashed.
    pers: Vec<Per>,
    subjects: Subjects,
    /// What this worker has taken ahead.
    pub(super) shares: RefCell<Shares>,
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

    fn list(self) -> Vec<Per> {
        let pers = Self::NAMES.iter().map(|(per, _)| *per);
        pers.filter(|per| self.has(*per)).collect()
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
            sets: Sets::new(format!("tollgate/1/l/{}", per.0), subjects, records::FORMAT)
                .in_family(per.0.into()),
            scope: per.scope(),
            pers: per.list(),
            subjects: Subjects::new(salt, per.0),
            shares: RefCell::default(),
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
        self.subjects.of(self.pers.iter().map(|per| value(*per)))
    }

    /// Writes the entry with everything that a clock which has jumped back left in the future moved to now. It must be
    /// stored even where nothing is taken: moved again at every refusal, it would never come to an end.
    pub(super) fn rewind(
        &self,
        subject: Subject,
        old: &[u8],
        writer: &mut Writer<'_>,
        stamps: &mut Stamps<'_>,
        now: UnixMillis,
    ) {
        let mut meter = Meter::default();
        for record in records::read(old) {
            let limit = self.limits.iter().find(|limit| limit.id == record.id);
            let opened = limit.map(|limit| (limit, limit.open(subject, Some(&record), now, &mut meter)));
            match opened {
                Some((limit, opened)) if opened.clock.shifted => {
                    let head = Head {
                        birth: stamps.fresh(),
                        generation: opened.generation,
                    };
                    writer.put(limit.id, head, &limit.rule, &meter);
                }
                _ => writer.keep(&record),
            }
        }
    }
}

// === impl Limit ===

impl Limit {
    /// Reads a subject's record into `meter`. One from before a reset is as good as none.
    pub(super) fn open(
        &self,
        subject: Subject,
        found: Option<&Record<'_>>,
        now: UnixMillis,
        meter: &mut Meter,
    ) -> Opened {
        let reset = self.resets.generation(subject);
        let counted = found.filter(|record| record.head.generation >= reset);
        let is_read = self.rule.read(meter, counted.map(|record| record.body));
        let head = counted.filter(|_| is_read).map(|record| record.head);
        let clock = self.rule.advance(meter, now.0);
        Opened {
            clock,
            birth: head.map(|head| head.birth).filter(|_| !clock.shifted),
            generation: head.map_or(reset, |head| head.generation),
        }
    }
}
