//! A request on its way through its limits: every group is read and taken from in memory, and only where nobody
//! refuses is anything written.

use std::ops::Range;
use std::sync::Arc;

use super::compile::Limits;
use super::group::Group;
use super::meter::Meter;
use super::receipt::Receipt;
use super::refused::Refused;
use super::select::{Plan, PlannedGroup};
use super::spec::Mode;
use super::take::{Demand, Standing, TakeError, Taken};
use super::weigh::{Asked, Line};
use crate::cells::{CellError, Cells, MAX_ROUNDS, Recall};
use crate::table::{Opened, Subject};
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

// === impl Taking ===

impl<'l> Taking<'l> {
    /// Reads all groups and takes from them in memory. What this worker remembers of a group goes for read where all
    /// that is asked for can be taken: then it is confirmed by [`Taking::write`].
    ///
    /// # Errors
    /// The refusal: of the limit for which the client has to wait longest. Or the host's error.
    pub(super) fn read<C>(
        limits: &'l Limits,
        cells: &C,
        plan: &Plan,
        demand: Demand,
        now: UnixMillis,
        recall: Option<&Recall>,
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
            taking.draft(cells, planned, plan.limits(planned), recall)?;
        }
        match taking.refusal(cells) {
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
                self.take_back(cells, at);
                return Err(error);
            }
        }
        Ok(Taken {
            receipt: self.receipt(),
            would_refuse: self.would_refuse(),
            standings: in_order(&self.lines),
        })
    }

    fn draft<C>(
        &mut self,
        cells: &C,
        planned: &PlannedGroup,
        places: &[usize],
        recall: Option<&Recall>,
    ) -> Result<(), CellError>
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
        let recalled = recall.and_then(|recall| asked.recall(recall, group, lines, &mut self.meter));
        let (opened, bytes) = match recalled {
            Some(recalled) => recalled,
            None => asked.read(cells, group, lines, &mut self.meter)?,
        };
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
            let bytes = std::mem::take(&mut draft.bytes);
            let recall = &self.limits.recall;
            match draft.opened.store_and_recall(cells, bytes, recall, self.now) {
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
            if let Some(refused) = self.refusal(cells) {
                return Err(TakeError::Refused(refused));
            }
        }
        Err(TakeError::Unavailable(CellError::Unavailable))
    }

    /// Gives back what was written to the first so many groups.
    fn take_back<C>(&mut self, cells: &C, groups: usize)
    where
        C: Cells + ?Sized,
    {
        self.drafts.truncate(groups);
        // To the last token, where nobody has written since.
        let (limits, now) = (self.limits, self.now);
        self.drafts.retain(|draft| {
            let has_taken = self.lines.get(draft.lines.clone()).unwrap_or_default();
            let has_taken = has_taken.iter().any(Line::has_taken);
            has_taken && !draft.opened.undo(cells, &limits.recall, now)
        });
        // Where the host fails here too, what was taken stays counted until it refills.
        let _ = limits.cancel(cells, self.receipt(), now);
    }

    /// What was taken.
    fn receipt(&self) -> Receipt {
        let mut receipt = Receipt::with_room(self.now, self.drafts.len(), self.lines.len());
        for draft in &self.drafts {
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
    fn refusal<C>(&mut self, cells: &C) -> Option<Box<Refused>>
    where
        C: Cells + ?Sized,
    {
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
            standings: self.without_it(cells),
            ..longest
        }))
    }

    /// How full all limits are without the request: weighed anew, as nobody else asks for it. What was taken stays
    /// known, as some of it may have been written.
    fn without_it<C>(&mut self, cells: &C) -> Vec<Standing>
    where
        C: Cells + ?Sized,
    {
        let mut all = Vec::with_capacity(self.lines.len());
        for draft in &mut self.drafts {
            if draft.opened.is_recalled()
                && let Ok(opened) = draft.group.sets.open(cells, draft.subject)
            {
                draft.opened = opened;
            }
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
