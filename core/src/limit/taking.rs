//! A request on its way through its limits: every group is read and taken from in memory, and only where nobody
//! refuses is anything written.

use std::ops::Range;
use std::sync::Arc;

use super::compile::Limits;
use super::group::{Group, Limit};
use super::meter::{Denied, Level, Meter};
use super::receipt::{Item, Receipt};
use super::records::{self, Head, Record, Writer};
use super::refused::Refused;
use super::select::{Plan, PlannedGroup};
use super::spec::Mode;
use super::take::{Demand, Standing, TakeError, Taken};
use crate::cells::{CellError, Cells, MAX_ROUNDS};
use crate::table::{Opened, Stamps, Subject};
use crate::time::UnixMillis;

/// A request and its limits.
pub(super) struct Taking<'l> {
    limits: &'l Limits,
    demand: Demand,
    now: UnixMillis,
    drafts: Vec<Draft<'l>>,
    /// Those of all drafts, one draft's after the other's.
    lines: Vec<Line<'l>>,
    meter: Meter,
}

/// A group's entry for the subject, and what is to be written in its place.
struct Draft<'l> {
    group: &'l Group,
    subject: Subject,
    lines: Range<usize>,
    opened: Opened,
    /// The cell with everything taken.
    bytes: Vec<u8>,
}

/// One limit that the request is under.
struct Line<'l> {
    limit: &'l Limit,
    /// What came of it; nothing, while its record was not seen.
    outcome: Option<Outcome>,
    /// With the request counted, if it was taken.
    level: Level,
    /// What was taken, if anything was: nothing reserved, where not.
    item: Item,
}

enum Outcome {
    Taken,
    /// It counts nothing of what the request needs.
    Untouched,
    Denied(Denied),
}

/// What is asked of a group's limits.
#[derive(Clone, Copy)]
struct Asked {
    subject: Subject,
    /// `None` takes nothing: only how full the limits are is of interest.
    demand: Option<Demand>,
    now: UnixMillis,
}

// === impl Taking ===

impl<'l> Taking<'l> {
    /// Reads all groups and takes from them in memory.
    ///
    /// # Errors
    /// The refusal: of the limit for which the client has to wait longest. Or the host's error.
    pub(super) fn read<C>(
        limits: &'l Limits,
        cells: &C,
        plan: &Plan,
        demand: Demand,
        now: UnixMillis,
    ) -> Result<Self, TakeError>
    where
        C: Cells + ?Sized,
    {
        let mut taking = Self {
            limits,
            demand,
            now,
            drafts: Vec::with_capacity(plan.groups.len()),
            lines: Vec::with_capacity(plan.len()),
            meter: Meter::default(),
        };
        for planned in &plan.groups {
            taking.draft(cells, planned, plan.limits(planned))?;
        }
        match taking.refusal() {
            Some(refused) => Err(TakeError::Refused(refused)),
            None => Ok(taking),
        }
    }

    /// Writes all groups.
    ///
    /// # Errors
    /// As [`Taking::read`], where another worker came in between.
    pub(super) fn write<C>(mut self, cells: &C) -> Result<Taken, TakeError>
    where
        C: Cells + ?Sized,
    {
        for at in 0..self.drafts.len() {
            if let Err(error) = self.write_one(cells, at) {
                // Where the host fails here too, what was taken stays counted until it refills.
                let _ = self.limits.cancel(cells, self.receipt(at), self.now);
                return Err(error);
            }
        }
        Ok(Taken {
            receipt: self.receipt(self.drafts.len()),
            would_refuse: self.would_refuse(),
            standings: in_order(&self.lines),
        })
    }

    fn draft<C>(&mut self, cells: &C, planned: &PlannedGroup, places: &[usize]) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let Some(group) = self.limits.groups.get(planned.group) else {
            debug_assert!(false, "a plan of other limits");
            return Ok(());
        };
        let first = self.lines.len();
        let chosen = places.iter().filter_map(|at| group.limits.get(*at));
        self.lines.extend(chosen.map(Line::new));
        let lines = self.lines.get_mut(first..).unwrap_or_default();
        let asked = Asked {
            subject: planned.subject,
            demand: Some(self.demand),
            now: self.now,
        };
        let (opened, bytes) = asked.read(cells, group, lines, &mut self.meter)?;
        self.drafts.push(Draft {
            group,
            subject: planned.subject,
            lines: first..self.lines.len(),
            opened,
            bytes,
        });
        Ok(())
    }

    /// Writes what was drafted for a group, and weighs again where another worker came in between.
    fn write_one<C>(&mut self, cells: &C, at: usize) -> Result<(), TakeError>
    where
        C: Cells + ?Sized,
    {
        for _ in 0..MAX_ROUNDS {
            let Some(draft) = self.drafts.get_mut(at) else {
                break;
            };
            let lines = self.lines.get_mut(draft.lines.clone()).unwrap_or_default();
            if !lines.iter().any(Line::has_taken) {
                return Ok(());
            }
            match draft.opened.store(cells, &draft.bytes) {
                Ok(()) => return Ok(()),
                Err(CellError::Conflict) => {}
                Err(CellError::Unavailable) => break,
            }
            let asked = Asked {
                subject: draft.subject,
                demand: Some(self.demand),
                now: self.now,
            };
            (draft.opened, draft.bytes) = asked.read(cells, draft.group, lines, &mut self.meter)?;
            if let Some(refused) = self.refusal() {
                return Err(TakeError::Refused(refused));
            }
        }
        Err(TakeError::Unavailable(CellError::Unavailable))
    }

    /// What the first so many groups were taken from.
    fn receipt(&self, groups: usize) -> Receipt {
        let mut receipt = Receipt::with_room(self.now, groups, self.lines.len());
        for draft in self.drafts.iter().take(groups) {
            let lines = self.lines.get(draft.lines.clone()).unwrap_or_default();
            let items = lines.iter().filter(|line| line.has_taken()).map(|line| line.item);
            receipt.add(draft.group.per.0, draft.subject, items);
        }
        receipt
    }

    fn would_refuse(&self) -> Vec<Arc<str>> {
        let names = self.lines.iter().filter_map(|line| {
            let is_denied = line.denied_by(Mode::Shadow).is_some();
            is_denied.then(|| Arc::clone(&line.limit.name))
        });
        names.collect()
    }

    /// The refusal for which the client has to wait longest, if there is one.
    fn refusal(&mut self) -> Option<Box<Refused>> {
        // Nearly always there is none.
        self.lines.iter().find_map(|line| line.denied_by(Mode::Enforce))?;
        let refusals = self.drafts.iter().flat_map(|draft| {
            let lines = self.lines.get(draft.lines.clone()).unwrap_or_default();
            lines.iter().filter_map(|line| {
                let denied = line.denied_by(Mode::Enforce)?;
                let requested = self.demand.of(line.limit.count);
                Some(Refused::new(
                    draft.group,
                    line.limit,
                    line.level,
                    requested,
                    denied,
                ))
            })
        });
        let longest = refusals.max_by_key(|refused| refused.retry_after_secs.unwrap_or(u64::MAX))?;
        Some(Box::new(Refused {
            would_refuse: self.would_refuse(),
            standings: self.without_it(),
            ..longest
        }))
    }

    /// How full all limits are without the request: weighed anew, as nobody else asks for it. What was taken stays
    /// known, as some of it may have been written.
    fn without_it(&mut self) -> Vec<Standing> {
        let mut all = Vec::with_capacity(self.lines.len());
        for draft in &self.drafts {
            let asked = Asked {
                subject: draft.subject,
                demand: None,
                now: self.now,
            };
            let taken = self.lines.get(draft.lines.clone()).unwrap_or_default();
            let mut lines: Vec<Line<'_>> = taken.iter().map(|line| Line::new(line.limit)).collect();
            asked.weigh(draft.group, &draft.opened, &mut lines, &mut self.meter);
            all.append(&mut lines);
        }
        in_order(&all)
    }
}

// === impl Asked ===

impl Asked {
    /// Reads a group's entry and takes from it in memory.
    fn read<C>(
        self,
        cells: &C,
        group: &Group,
        lines: &mut [Line<'_>],
        meter: &mut Meter,
    ) -> Result<(Opened, Vec<u8>), CellError>
    where
        C: Cells + ?Sized,
    {
        for _ in 0..MAX_ROUNDS {
            let opened = group.sets.open(cells, self.subject)?;
            let (bytes, is_rewound) = self.weigh(group, &opened, lines, meter);
            if !is_rewound {
                return Ok((opened, bytes));
            }
            let (rewound, ()) = group.sets.rewritten(&opened, self.now, |old, out, stamps| {
                let mut writer = Writer::new(out, self.now);
                group.rewind(self.subject, old, &mut writer, stamps, self.now);
                (writer.finish(), ())
            });
            // Where another worker came in between, it may have done the same.
            match opened.store(cells, &rewound) {
                Ok(()) | Err(CellError::Conflict) => {}
                Err(CellError::Unavailable) => return Err(CellError::Unavailable),
            }
        }
        Err(CellError::Unavailable)
    }

    /// Takes from all chosen limits, in a copy of the cell. Its bytes, and whether the clock had jumped back: then
    /// all this holds only once [`Group::rewind`] is stored.
    fn weigh(
        self,
        group: &Group,
        opened: &Opened,
        lines: &mut [Line<'_>],
        meter: &mut Meter,
    ) -> (Vec<u8>, bool) {
        for line in lines.iter_mut() {
            line.outcome = None;
        }
        group.sets.rewritten(opened, self.now, |old, out, stamps| {
            let mut writer = Writer::new(out, self.now);
            let (mut next, mut is_rewound) = (0, false);
            for record in records::read(old) {
                let Some(at) = place_of(lines, next, record.id) else {
                    writer.keep(&record);
                    continue;
                };
                next = at + 1;
                // Records have the order of the limits, nearly always; there is one for a limit.
                if let Some(line) = lines.get_mut(at).filter(|line| line.outcome.is_none()) {
                    is_rewound |= line.weigh(self, Some(&record), meter, &mut writer, stamps);
                }
            }
            for line in lines.iter_mut().filter(|line| line.outcome.is_none()) {
                is_rewound |= line.weigh(self, None, meter, &mut writer, stamps);
            }
            (writer.finish(), is_rewound)
        })
    }
}

// === impl Line ===

impl<'l> Line<'l> {
    fn new(limit: &'l Limit) -> Self {
        Self {
            limit,
            outcome: None,
            level: Level::default(),
            item: Item::default(),
        }
    }

    const fn has_taken(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Taken))
    }

    /// Why the limit does not admit the request, if it does not and is in this mode.
    fn denied_by(&self, mode: Mode) -> Option<Denied> {
        match self.outcome {
            Some(Outcome::Denied(denied)) if self.limit.mode == mode => Some(denied),
            _ => None,
        }
    }

    /// Takes what is asked for and writes the record. Whether the clock had jumped back.
    fn weigh(
        &mut self,
        asked: Asked,
        found: Option<&Record<'_>>,
        meter: &mut Meter,
        writer: &mut Writer<'_>,
        stamps: &mut Stamps<'_>,
    ) -> bool {
        let Self { limit, .. } = *self;
        let opened = limit.open(asked.subject, found, asked.now, meter);
        let amount = asked.demand.map_or(0, |demand| demand.of(limit.count));
        let outcome = if amount == 0 {
            Outcome::Untouched
        } else {
            match limit.rule.take(meter, amount, opened.clock) {
                Ok(()) => Outcome::Taken,
                Err(denied) => Outcome::Denied(denied),
            }
        };
        if let Outcome::Taken = outcome {
            let head = Head {
                birth: opened.birth.unwrap_or_else(|| stamps.fresh()),
                generation: opened.generation,
            };
            self.item = Item {
                id: limit.id,
                birth: head.birth,
                reserved: amount,
                ahead_ms: opened.clock.now_ms.saturating_sub(asked.now.0),
            };
            writer.put(limit.id, head, &limit.rule, meter);
        } else if let Some(record) = found {
            writer.keep(record);
        }
        self.level = limit.rule.level(meter, opened.clock);
        self.outcome = Some(outcome);
        opened.clock.shifted
    }
}

/// How full limits are, in the configuration's order.
fn in_order(lines: &[Line<'_>]) -> Vec<Standing> {
    let mut standings = Vec::with_capacity(lines.len());
    standings.extend(lines.iter().map(|line| Standing {
        order: line.limit.order,
        level: line.level,
    }));
    standings.sort_unstable_by_key(|standing| standing.order);
    standings
}

/// The place of a limit, looked for from `next` on first.
fn place_of(lines: &[Line<'_>], next: usize, id: u32) -> Option<usize> {
    let is_it = |line: &Line<'_>| line.limit.id == id;
    if lines.get(next).is_some_and(is_it) {
        return Some(next);
    }
    lines.iter().position(is_it)
}
