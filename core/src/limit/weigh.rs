//! What one group's limits say to a request, in memory: the entry as it would be with everything taken.

use super::group::{Group, Limit};
use super::meter::{Denied, Level, Meter};
use super::receipt::Item;
use super::records::{self, Head, Record, Writer};
use super::spec::Mode;
use super::take::Demand;
use crate::cells::{CellError, Cells, MAX_ROUNDS, Recall};
use crate::table::{Opened, Stamps, Subject};
use crate::time::UnixMillis;

/// One limit that the request is under.
pub(super) struct Line<'l> {
    pub(super) limit: &'l Limit,
    /// What came of it; nothing, while its record was not seen.
    outcome: Option<Outcome>,
    /// With the request counted, if it was taken.
    pub(super) level: Level,
    /// What was taken, if anything was: nothing reserved, where not.
    pub(super) item: Item,
}

enum Outcome {
    Taken,
    /// It counts nothing of what the request needs.
    Untouched,
    Denied(Denied),
}

/// What is asked of a group's limits.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) subject: Subject,
    /// `None` takes nothing: only how full the limits are is of interest.
    pub(super) demand: Option<Demand>,
    pub(super) now: UnixMillis,
}

// === impl Asked ===

impl Asked {
    /// Takes from what this worker remembers of a group, if all that is asked for is there.
    pub(super) fn recall(
        self,
        recall: &Recall,
        group: &Group,
        lines: &mut [Line<'_>],
        meter: &mut Meter,
    ) -> Option<(Opened, Vec<u8>)> {
        let opened = group.sets.recall(recall, self.subject, self.now)?;
        let (bytes, is_rewound) = self.weigh(group, &opened, lines, meter);
        (!is_rewound && lines.iter().all(Line::has_taken)).then_some((opened, bytes))
    }

    /// Reads a group's entry and takes from it in memory.
    pub(super) fn read<C>(
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
    pub(super) fn weigh(
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
    pub(super) fn new(limit: &'l Limit) -> Self {
        Self {
            limit,
            outcome: None,
            level: Level::default(),
            item: Item::default(),
        }
    }

    /// One from which a share has taken.
    pub(super) const fn taken(limit: &'l Limit, item: Item, level: Level) -> Self {
        let outcome = if item.reserved > 0 {
            Outcome::Taken
        } else {
            Outcome::Untouched
        };
        Self {
            limit,
            outcome: Some(outcome),
            level,
            item,
        }
    }

    pub(super) const fn has_taken(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Taken))
    }

    /// Why the limit does not admit the request, if it does not and is in this mode.
    pub(super) fn denied_by(&self, mode: Mode) -> Option<Denied> {
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
                reserved_at: UnixMillis(opened.clock.now_ms),
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

/// The place of a limit, looked for from `next` on first.
fn place_of(lines: &[Line<'_>], next: usize, id: u32) -> Option<usize> {
    let is_it = |line: &Line<'_>| line.limit.id == id;
    if lines.get(next).is_some_and(is_it) {
        return Some(next);
    }
    lines.iter().position(is_it)
}
