//! Taking from all limits of a request, or from none.

use std::sync::Arc;

use thiserror::Error;

use super::compile::Limits;
use super::meter::Level;
use super::receipt::Receipt;
use super::refused::Refused;
use super::select::Plan;
use super::spec::Count;
use super::taking::{Intent, Taking};
use crate::cells::{CellError, Cells};
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
    pub standings: Vec<Standing>,
    /// Limits in shadow mode that would have refused.
    pub would_refuse: Vec<Arc<str>>,
}

/// How full a limit is. Good only with the [`Limits`] that said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The limit's place in the configuration.
    pub(super) order: usize,
    pub(super) level: Level,
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
        self.without_shares_where_refused(cells, plan, now, || {
            let intent = (Intent::Check, Demand::default());
            Taking::read(self, cells, plan, intent, now).map(|_| ())
        })
    }

    /// Takes from every limit of the plan, or, where one refuses, from none.
    ///
    /// # Errors
    /// The refusal: of the limit for which the client has to wait longest. Or the host's error.
    pub fn take<C>(&self, cells: &C, plan: &Plan, demand: Demand, now: UnixMillis) -> Result<Taken, TakeError>
    where
        C: Cells + ?Sized,
    {
        self.without_shares_where_refused(cells, plan, now, || {
            Taking::read(self, cells, plan, (Intent::Take, demand), now)?.write(cells)
        })
    }

    /// Asks again where the answer is a refusal, and the worker had shares of these limits itself.
    fn without_shares_where_refused<C, T>(
        &self,
        cells: &C,
        plan: &Plan,
        now: UnixMillis,
        ask: impl Fn() -> Result<T, TakeError>,
    ) -> Result<T, TakeError>
    where
        C: Cells + ?Sized,
    {
        let answer = ask();
        let is_refused = matches!(answer, Err(TakeError::Refused(_)));
        if is_refused && self.give_back_shares(cells, plan, now) {
            return ask();
        }
        answer
    }
}

// === impl Demand ===

impl Demand {
    /// How much of what a limit counts.
    pub(super) const fn of(self, count: Count) -> u64 {
        match count {
            Count::Requests | Count::Concurrent => 1,
            Count::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            Count::InputTokens => self.input_tokens,
            Count::OutputTokens => self.output_tokens,
        }
    }
}
