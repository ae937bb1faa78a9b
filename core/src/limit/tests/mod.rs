//! Limits over cells in memory.

mod admission;
mod compile;
mod properties;
mod recalled;
mod resets;
mod settlement;
mod shares;
mod subjects;
mod workers;

use serde_json::{Value, json};

use super::*;
use crate::cells::{CellError, MemoryCells};
use crate::dialect::Dialect;
use crate::time::UnixMillis;

const T0: u64 = 1_700_000_000_123;

/// Limits, storage and a clock.
struct World {
    cells: MemoryCells,
    limits: Limits,
    now_ms: u64,
}

/// How full a limit is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LimitState {
    name: String,
    used: u64,
    remaining: u64,
    reset_secs: u64,
}

impl World {
    fn new(specs: Value) -> Self {
        Self {
            cells: MemoryCells::new(),
            limits: compile(specs).unwrap(),
            now_ms: T0,
        }
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now_ms)
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn take_as(&self, facts: &Facts<'_>, input_tokens: u64, output_tokens: u64) -> Result<Taken, TakeError> {
        let demand = Demand {
            input_tokens,
            output_tokens,
        };
        let plan = self.limits.select(facts);
        self.limits.take(&self.cells, &plan, demand, self.now())
    }

    fn take(&self, input_tokens: u64) -> Result<Taken, TakeError> {
        self.take_as(&facts(), input_tokens, 0)
    }

    fn refuse(&self, input_tokens: u64) -> Refused {
        match self.take(input_tokens) {
            Err(TakeError::Refused(refused)) => *refused,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    fn settle(&self, taken: Taken, input_tokens: u64) {
        let used = Demand {
            input_tokens,
            output_tokens: 0,
        };
        self.limits
            .settle(&self.cells, taken.receipt, used, self.now())
            .unwrap();
    }

    fn cancel(&self, taken: Taken) {
        self.limits
            .cancel(&self.cells, taken.receipt, self.now())
            .unwrap();
    }

    /// What is left of the first limit for the usual caller.
    fn remaining(&self) -> u64 {
        self.states()[0].remaining
    }

    /// How full the limits of an answer are, in the configuration's order.
    fn states_of(&self, standings: &[Standing]) -> Vec<LimitState> {
        let states = standings.iter().map(|standing| LimitState {
            name: self.limits.limit(standing.order).unwrap().name.to_string(),
            used: standing.level.used,
            remaining: standing.level.remaining,
            reset_secs: standing.level.reset_secs(),
        });
        states.collect()
    }

    /// The states that a request of nothing sees, without it.
    fn states(&self) -> Vec<LimitState> {
        let plan = self.limits.select(&facts());
        let probe = self
            .limits
            .take(&self.cells, &plan, Demand::default(), self.now());
        match probe {
            Ok(taken) => {
                let states = self.states_of(&taken.standings);
                self.limits
                    .cancel(&self.cells, taken.receipt, self.now())
                    .unwrap();
                states
            }
            Err(TakeError::Refused(refused)) => self.states_of(&refused.standings),
            Err(error) => panic!("{error}"),
        }
    }
}

fn compile(specs: Value) -> Result<Limits, Vec<crate::config::Fault>> {
    let specs: Vec<LimitSpec> = serde_json::from_value(specs).unwrap();
    Limits::compile(&[("limits", &specs)], b"salt")
}

/// Limits of a worker that takes nothing ahead.
fn without_shares(specs: Value) -> Limits {
    let limits = compile(specs).unwrap();
    limits.close(&MemoryCells::new(), UnixMillis(T0));
    limits
}

fn facts() -> Facts<'static> {
    Facts {
        dialect: Dialect::ChatCompletions,
        path: "/v1/chat/completions",
        model: Some("gpt-4o"),
        workspace: Some("acme"),
        user: Some("ann"),
        session: None,
        key_id: Some("key_1"),
        ip: Some("192.0.2.1"),
    }
}

/// A token bucket of tokens per key that refills one a second.
fn bucket_of_60() -> Value {
    json!([{"name": "b", "count": "tokens", "amount": 60, "period": "1m", "per": ["key"]}])
}

/// The same as a sliding window.
fn window_of_60() -> Value {
    json!([{"name": "w", "algorithm": "sliding_window", "count": "tokens", "amount": 60, "period": "1m", "per": ["key"]}])
}
