//! Taking from all limits of a request, or from none.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::compile::Limits;
use super::group::{Group, Standing, Weighed};
use super::receipt::{Item, Portion, Receipt};
use super::records::Records;
use super::select::{Plan, PlannedGroup};
use super::spec::{Count, Mode};
use crate::cells::{CellError, Cells, MAX_ROUNDS};
use crate::refusal::{Code, Exceeded, Refusal};
use crate::table::{Change, Snapshot};
use crate::time::UnixMillis;

/// What a request needs, or what it turned out to use. It is always one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Input tokens: counted before the call, as reported after it.
    pub input_tokens: u64,
    /// Output tokens: as many as there can be before the call, as reported after it.
    pub output_tokens: u64,
}

/// A request was admitted.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// To be settled.
    pub receipt: Receipt,
    /// Every limit that the request is under, with the request counted, in the configuration's order.
    pub states: Vec<LimitState>,
    /// Limits in shadow mode that would have refused.
    pub would_refuse: Vec<Arc<str>>,
}

/// How full a limit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitState {
    /// Its name.
    pub name: Arc<str>,
    /// What it counts.
    pub count: Count,
    /// Whether it refuses.
    pub mode: Mode,
    /// How much there is at most.
    pub quota: u64,
    /// How much is gone; more than `quota` where an answer used more than was reserved.
    pub used: u64,
    /// How much is left.
    pub remaining: u64,
    /// Seconds until all of it is back, rounded up, if nothing more is taken.
    pub reset_secs: u64,
    /// Seconds in which all of it comes back; `None` for slots.
    pub window_secs: Option<u64>,
}

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
    /// How much is gone.
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
    pub states: Vec<LimitState>,
    /// Limits in shadow mode that would have refused too.
    pub would_refuse: Vec<Arc<str>>,
}

/// Why nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TakeError {
    /// A limit refused.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The limits could not be read or written: policy says what to do.
    #[error("limits are unavailable: {0}")]
    Unavailable(#[from] CellError),
}

/// A group that was read and would admit the request.
struct Ready<'a> {
    planned: &'a PlannedGroup,
    group: &'a Group,
    snapshot: Snapshot<Records>,
    weighed: Weighed,
}

/// The outcome over all groups so far.
#[derive(Default)]
struct Tally {
    standings: Vec<Standing>,
    refused: Vec<Refused>,
    would_refuse: Vec<Arc<str>>,
}

// === impl Limits ===

impl Limits {
    /// Whether limits that count requests would refuse now; takes nothing. For the headers: a client that is over
    /// its limit need not send its body.
    ///
    /// # Errors
    /// As [`Limits::take`].
    pub fn check<C>(&self, cells: &C, plan: &Plan, now: UnixMillis) -> Result<(), TakeError>
    where
        C: Cells + ?Sized,
    {
        self.read_all(cells, plan, Demand::default(), now).map(|_| ())
    }

    /// Takes from every limit of the plan, or, where one refuses, from none.
    ///
    /// # Errors
    /// The refusal: of the limit for which the client has to wait longest. Or the host's error.
    pub fn take<C>(&self, cells: &C, plan: &Plan, demand: Demand, now: UnixMillis) -> Result<Taken, TakeError>
    where
        C: Cells + ?Sized,
    {
        let (ready, mut tally) = self.read_all(cells, plan, demand, now)?;
        let mut receipt = Receipt::empty(now);
        for one in ready {
            let (planned, group) = (one.planned, one.group);
            match write(cells, one, demand, now, &mut tally) {
                Ok(items) if items.is_empty() => {}
                Ok(items) => receipt.portions.push(Portion {
                    per: group.per.0,
                    subject: planned.subject,
                    items,
                }),
                Err(error) => {
                    // Where the host fails here too, what was taken stays counted until it refills.
                    let _ = self.cancel(cells, receipt, now);
                    return Err(error);
                }
            }
        }
        Ok(Taken {
            receipt,
            states: tally.in_order(|standing| standing.after),
            would_refuse: tally.would_refuse,
        })
    }

    /// Reads all groups and takes from them in memory.
    fn read_all<'a, C>(
        &'a self,
        cells: &C,
        plan: &'a Plan,
        demand: Demand,
        now: UnixMillis,
    ) -> Result<(Vec<Ready<'a>>, Tally), TakeError>
    where
        C: Cells + ?Sized,
    {
        let mut tally = Tally::default();
        let mut ready = Vec::with_capacity(plan.groups.len());
        for planned in &plan.groups {
            let Some(group) = self.groups.get(planned.group) else {
                debug_assert!(false, "a plan of other limits");
                continue;
            };
            let (snapshot, mut weighed) = read(cells, group, planned, demand, now)?;
            tally.absorb(&mut weighed);
            ready.push(Ready {
                planned,
                group,
                snapshot,
                weighed,
            });
        }
        match tally.refusal() {
            Some(refused) => Err(TakeError::Refused(refused)),
            None => Ok((ready, tally)),
        }
    }
}

// === impl Demand ===

impl Demand {
    /// How much of what a limit counts.
    pub(super) fn of(self, count: Count) -> u64 {
        match count {
            Count::Requests | Count::Concurrent => 1,
            Count::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            Count::InputTokens => self.input_tokens,
            Count::OutputTokens => self.output_tokens,
        }
    }
}

// === impl Refused ===

impl Refused {
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

// === impl Tally ===

impl Tally {
    /// Takes over what a group said; its records and items stay.
    fn absorb(&mut self, weighed: &mut Weighed) {
        self.standings.append(&mut weighed.standings);
        self.refused.append(&mut weighed.refused);
        self.would_refuse.append(&mut weighed.would_refuse);
    }

    /// Takes over what a group says after another worker came in between, in place of what it said before.
    fn replace(&mut self, weighed: &mut Weighed) {
        let is_new = |order| weighed.standings.iter().any(|standing| standing.order == order);
        self.would_refuse.retain(|name| {
            let said = self
                .standings
                .iter()
                .find(|standing| standing.after.name == *name);
            !said.is_some_and(|standing| is_new(standing.order))
        });
        self.standings.retain(|standing| !is_new(standing.order));
        self.absorb(weighed);
    }

    /// The refusal for which the client has to wait longest, if there is one.
    fn refusal(&mut self) -> Option<Box<Refused>> {
        let longest = std::mem::take(&mut self.refused)
            .into_iter()
            .max_by_key(|refused| refused.retry_after_secs.unwrap_or(u64::MAX))?;
        Some(Box::new(Refused {
            would_refuse: std::mem::take(&mut self.would_refuse),
            states: self.in_order(|standing| standing.before),
            ..longest
        }))
    }

    fn in_order(&mut self, pick: impl Fn(Standing) -> LimitState) -> Vec<LimitState> {
        let mut standings = std::mem::take(&mut self.standings);
        standings.sort_by_key(|standing| standing.order);
        standings.into_iter().map(pick).collect()
    }
}

fn read<C>(
    cells: &C,
    group: &Group,
    planned: &PlannedGroup,
    demand: Demand,
    now: UnixMillis,
) -> Result<(Snapshot<Records>, Weighed), CellError>
where
    C: Cells + ?Sized,
{
    let (snapshot, weighed) = read_once(cells, group, planned, demand, now)?;
    if !weighed.is_rewound {
        return Ok((snapshot, weighed));
    }
    group.table.update(cells, planned.subject, now, |entry, stamps| {
        Change::Store(Some(group.rewound(planned.subject, entry, stamps, now)), ())
    })?;
    read_once(cells, group, planned, demand, now)
}

fn read_once<C>(
    cells: &C,
    group: &Group,
    planned: &PlannedGroup,
    demand: Demand,
    now: UnixMillis,
) -> Result<(Snapshot<Records>, Weighed), CellError>
where
    C: Cells + ?Sized,
{
    let mut snapshot = group.table.read(cells, planned.subject, now)?;
    let (entry, mut stamps) = snapshot.open();
    let chosen = planned.limits.iter().filter_map(|at| group.limits.get(*at));
    let weighed = group.weigh(planned.subject, chosen, entry, &mut stamps, demand, now);
    Ok((snapshot, weighed))
}

/// Writes what was weighed, and weighs again where another worker came in between.
fn write<C>(
    cells: &C,
    ready: Ready<'_>,
    demand: Demand,
    now: UnixMillis,
    tally: &mut Tally,
) -> Result<Vec<Item>, TakeError>
where
    C: Cells + ?Sized,
{
    let Ready {
        planned,
        group,
        mut snapshot,
        mut weighed,
    } = ready;
    for _ in 0..MAX_ROUNDS {
        if weighed.items.is_empty() {
            return Ok(Vec::new());
        }
        snapshot.entry = Some(weighed.records);
        match group.table.write(cells, snapshot, now) {
            Ok(()) => return Ok(weighed.items),
            Err(CellError::Conflict) => {}
            Err(CellError::Unavailable) => break,
        }
        (snapshot, weighed) = read(cells, group, planned, demand, now)?;
        tally.replace(&mut weighed);
        if let Some(refused) = tally.refusal() {
            return Err(TakeError::Refused(refused));
        }
    }
    Err(TakeError::Unavailable(CellError::Unavailable))
}
