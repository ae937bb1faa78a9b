//! A request on its way through its limits: every group is read and taken from in memory, and only where nobody
//! refuses is anything written.

use std::ops::Range;
use std::sync::Arc;

use super::compile::Limits;
use super::group::Group;
use super::meter::Meter;
use super::receipt::Receipt;
use super::refused::Refused;
use super::rewriting::Wanted;
use super::select::{Plan, PlannedGroup};
use super::spec::Mode;
use super::take::{Demand, Standing, TakeError, Taken};
use super::weigh::{Asked, Line};
use crate::cells::{CellError, Cells, MAX_ROUNDS};
use crate::table::{Opened, Subject};
use crate::time::UnixMillis;

/// What a request wants of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// To know whether they would refuse.
    Check,
    Take,
}

/// A request and its limits.
pub(super) struct Taking<'l> {
    limits: &'l Limits,
    intent: Intent,
    demand: Demand,
    now: UnixMillis,
    drafts: Vec<Draft<'l>>,
    /// Those of all drafts, one draft's after the other's.
    lines: Vec<Line<'l>>,
    meter: Meter,
}

/// What comes of a group for the subject.
struct Draft<'l> {
    group: &'l Group,
    subject: Subject,
    lines: Range<usize>,
    source: Source,
}

/// Where a group's limits are taken from.
enum Source {
    /// The worker's share: it is taken.
    Share,
    /// The cell.
    Cell {
        opened: Opened,
        /// The cell with everything taken, to be written.
        bytes: Vec<u8>,
    },
}

// === impl Taking ===

impl<'l> Taking<'l> {
    /// Reads all groups and takes from them in memory. What this worker remembers of a group goes for read where all
    /// that is asked for can be taken: then it is confirmed by [`Taking::write`]. Where the worker has a share of a group,
    /// it takes from that.
    ///
    /// # Errors
    /// The refusal: of the limit for which the client has to wait longest. Or the host's error.
    pub(super) fn read<C>(
        limits: &'l Limits,
        cells: &C,
        plan: &Plan,
        (intent, demand): (Intent, Demand),
        now: UnixMillis,
    ) -> Result<Self, TakeError>
    where
        C: Cells + ?Sized,
    {
        let mut taking = Self {
            limits,
            intent,
            demand,
            now,
            drafts: Vec::with_capacity(plan.groups.len()),
            lines: Vec::with_capacity(plan.len()),
            meter: Meter::default(),
        };
        let drafted = plan
            .groups
            .iter()
            .try_for_each(|planned| taking.draft(cells, planned, plan.limits(planned)));
        let error = match drafted {
            Ok(()) => taking.refusal(cells).map(TakeError::Refused),
            Err(error) => Some(error.into()),
        };
        match error {
            Some(error) => {
                taking.take_back(cells, 0);
                Err(error)
            }
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

    fn draft<C>(&mut self, cells: &C, planned: &PlannedGroup, places: &[usize]) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let (limits, subject) = (self.limits, planned.subject);
        let Some(group) = limits.groups.get(planned.group) else {
            debug_assert!(false, "a plan of other limits");
            return Ok(());
        };
        let first = self.lines.len();
        let source = if self.intent == Intent::Take && self.take_share(cells, group, subject, places) {
            Source::Share
        } else {
            self.take_in_cell(cells, group, subject, places)?
        };
        self.drafts.push(Draft {
            group,
            subject,
            lines: first..self.lines.len(),
            source,
        });
        Ok(())
    }

    fn take_share<C>(&mut self, cells: &C, group: &'l Group, subject: Subject, places: &[usize]) -> bool
    where
        C: Cells + ?Sized,
    {
        let worker = self.limits.worker(cells, self.now);
        let wanted = Wanted {
            places,
            demand: self.demand,
        };
        group.take_from_share(&worker, subject, wanted, &mut self.lines)
    }

    fn take_in_cell<C>(
        &mut self,
        cells: &C,
        group: &'l Group,
        subject: Subject,
        places: &[usize],
    ) -> Result<Source, CellError>
    where
        C: Cells + ?Sized,
    {
        let first = self.lines.len();
        let chosen = places.iter().filter_map(|at| group.limits.get(*at));
        self.lines.extend(chosen.map(Line::new));
        let lines = self.lines.get_mut(first..).unwrap_or_default();
        let asked = Asked {
            subject,
            demand: Some(self.demand),
            now: self.now,
        };
        let recalled = match self.intent {
            Intent::Check => None,
            Intent::Take => asked.recall(&self.limits.recall, group, lines, &mut self.meter),
        };
        let (opened, bytes) = match recalled {
            Some(recalled) => recalled,
            None => asked.read(cells, group, lines, &mut self.meter)?,
        };
        Ok(Source::Cell { opened, bytes })
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
            let Source::Cell { opened, bytes } = &mut draft.source else {
                return Ok(());
            };
            if !lines.iter().any(Line::has_taken) {
                return Ok(());
            }
            let recall = &self.limits.recall;
            match opened.store_and_recall(cells, std::mem::take(bytes), recall, self.now) {
                Ok(()) => return Ok(()),
                Err(CellError::Conflict) => {}
                Err(CellError::Unavailable) => break,
            }
            let asked = Asked {
                subject: draft.subject,
                demand: Some(self.demand),
                now: self.now,
            };
            (*opened, *bytes) = asked.read(cells, draft.group, lines, &mut self.meter)?;
            if let Some(refused) = self.refusal(cells) {
                return Err(TakeError::Refused(refused));
            }
        }
        Err(TakeError::Unavailable(CellError::Unavailable))
    }

    /// Gives back what was written to the first so many groups, and what came from shares.
    fn take_back<C>(&mut self, cells: &C, groups: usize)
    where
        C: Cells + ?Sized,
    {
        let (limits, now) = (self.limits, self.now);
        let mut written = std::iter::repeat_n(true, groups).chain(std::iter::repeat(false));
        self.drafts.retain(|draft| {
            let is_written = written.next().unwrap_or_default();
            let has_taken = self.lines.get(draft.lines.clone()).unwrap_or_default();
            has_taken.iter().any(Line::has_taken)
                && match &draft.source {
                    Source::Share => true,
                    // To the last token, where nobody has written since.
                    Source::Cell { opened, .. } => is_written && !opened.undo(cells, &limits.recall, now),
                }
        });
        // Where the host fails here too, what was taken stays counted until it refills.
        let _ = limits.cancel(cells, self.receipt(), now);
    }

    /// What was taken.
    fn receipt(&self) -> Receipt {
        let mut receipt = Receipt::with_room(self.drafts.len(), self.lines.len());
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
            // Where there is a share, this is all asked again without it.
            let Source::Cell { opened, .. } = &mut draft.source else {
                continue;
            };
            if opened.is_recalled()
                && let Ok(read) = draft.group.sets.open(cells, draft.subject)
            {
                *opened = read;
            }
            let asked = Asked {
                subject: draft.subject,
                demand: None,
                now: self.now,
            };
            let taken = self.lines.get(draft.lines.clone()).unwrap_or_default();
            let mut lines: Vec<Line<'_>> = taken.iter().map(|line| Line::new(line.limit)).collect();
            asked.weigh(draft.group, opened, &mut lines, &mut self.meter);
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
