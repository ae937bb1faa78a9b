//! A circuit breaker: when the sidecar is dead, no request waits for it.
//!
//! After some failures in a row the circuit opens: questions fail at once, without a call. After a pause one
//! caller may try; its success closes the circuit, its failure begins another pause. The state is in a cell
//! that the workers share, so that there is one probe at a time in an Envoy, not one in each worker, and the
//! failures of all count together. It costs a host call only where there would be a call over the network.

use crate::cells::{CellError, Cells, Update, update};
use crate::codec::{Reader, put};
use crate::time::UnixMillis;

/// Changes with the encoding.
const FORMAT: u8 = 1;

/// A circuit breaker for all workers of one Envoy.
#[derive(Debug)]
pub struct Breaker {
    key: String,
    failures: u32,
    pause_ms: u64,
    probe_ms: u64,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Call, and say how it went.
    Closed,
    /// Call: everybody waits for how it goes.
    Probe,
    /// Do not call.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// When the circuit opened, or the last probe failed or began.
    since: UnixMillis,
    /// Whether a probe is under way.
    is_probing: bool,
}

// === impl Breaker ===

impl Breaker {
    /// A breaker in one cell. It opens after `failures` in a row (at least one), pauses for `pause_ms`, and takes
    /// a probe that says nothing for `probe_ms` for lost (its worker has died).
    pub fn new(key: impl Into<String>, failures: u32, pause_ms: u64, probe_ms: u64) -> Self {
        Self {
            key: key.into(),
            failures: failures.max(1),
            pause_ms,
            probe_ms,
        }
    }

    /// Whether a call may be made now. Where the host refuses, it may: a breaker must not be what breaks.
    pub fn enter<C>(&self, cells: &C, now: UnixMillis) -> Passage
    where
        C: Cells + ?Sized,
    {
        let passage = update(cells, &self.key, |bytes| {
            let state = State::decode(bytes);
            if state.failures < self.failures {
                return Update::Keep(Passage::Closed);
            }
            let pause_ms = if state.is_probing {
                self.probe_ms
            } else {
                self.pause_ms
            };
            // A clock that jumped back would keep the circuit open for as long as it jumped.
            let is_paused = state.since <= now && now < state.since.plus(pause_ms);
            if is_paused {
                return Update::Keep(Passage::Open);
            }
            let probing = State {
                since: now,
                is_probing: true,
                ..state
            };
            Update::Write(probing.encode(), Passage::Probe)
        });
        passage.unwrap_or(Passage::Closed)
    }

    /// A call was answered by the sidecar itself, whatever it said.
    pub fn succeeded<C>(&self, cells: &C)
    where
        C: Cells + ?Sized,
    {
        self.note(cells, |_| State::default());
    }

    /// A call was not answered by the sidecar: not at all, not in time, or by Envoy in its place.
    pub fn failed<C>(&self, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        self.note(cells, |state| State {
            failures: state.failures.saturating_add(1),
            since: now,
            is_probing: false,
        });
    }

    fn note<C>(&self, cells: &C, change: impl Fn(State) -> State)
    where
        C: Cells + ?Sized,
    {
        // Where the host refuses, the next call's outcome counts instead.
        let _: Result<(), CellError> = update(cells, &self.key, |bytes| {
            let state = State::decode(bytes);
            let changed = change(state);
            if changed == state {
                return Update::Keep(());
            }
            Update::Write(changed.encode(), ())
        });
    }
}

// === impl State ===

impl State {
    fn encode(self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        put(&mut out, self.failures);
        put(&mut out, self.since.0);
        out.push(u8::from(self.is_probing));
        out
    }

    /// Whatever does not parse is a closed circuit.
    fn decode(bytes: &[u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let mut read = || {
            if reader.byte()? != FORMAT {
                return None;
            }
            Some(Self {
                failures: reader.int()?,
                since: UnixMillis(reader.int()?),
                is_probing: reader.byte()? == 1,
            })
        };
        read().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::MemoryCells;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn breaker() -> Breaker {
        Breaker::new("breaker", 3, 1_000, 5_000)
    }

    fn opened(cells: &MemoryCells) -> Breaker {
        let breaker = breaker();
        for _ in 0..3 {
            breaker.failed(cells, NOW);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let (cells, breaker) = (MemoryCells::new(), breaker());
        breaker.failed(&cells, NOW);
        breaker.failed(&cells, NOW);
        breaker.succeeded(&cells);
        breaker.failed(&cells, NOW);
        breaker.failed(&cells, NOW);
        assert_eq!(breaker.enter(&cells, NOW), Passage::Closed);
        breaker.failed(&cells, NOW);
        assert_eq!(breaker.enter(&cells, NOW), Passage::Open);
    }

    #[test]
    fn after_a_pause_one_caller_probes_and_the_others_do_not_wait() {
        let cells = MemoryCells::new();
        let breaker = opened(&cells);
        assert_eq!(breaker.enter(&cells, NOW.plus(999)), Passage::Open);
        assert_eq!(breaker.enter(&cells, NOW.plus(1_000)), Passage::Probe);
        assert_eq!(breaker.enter(&cells, NOW.plus(1_001)), Passage::Open);
        breaker.succeeded(&cells);
        assert_eq!(breaker.enter(&cells, NOW.plus(1_002)), Passage::Closed);
    }

    #[test]
    fn a_probe_that_fails_begins_another_pause() {
        let cells = MemoryCells::new();
        let breaker = opened(&cells);
        assert_eq!(breaker.enter(&cells, NOW.plus(1_000)), Passage::Probe);
        breaker.failed(&cells, NOW.plus(1_500));
        assert_eq!(breaker.enter(&cells, NOW.plus(2_499)), Passage::Open);
        assert_eq!(breaker.enter(&cells, NOW.plus(2_500)), Passage::Probe);
    }

    #[test]
    fn a_probe_whose_worker_died_does_not_keep_the_circuit_open() {
        let cells = MemoryCells::new();
        let breaker = opened(&cells);
        assert_eq!(breaker.enter(&cells, NOW.plus(1_000)), Passage::Probe);
        assert_eq!(breaker.enter(&cells, NOW.plus(5_999)), Passage::Open);
        assert_eq!(breaker.enter(&cells, NOW.plus(6_000)), Passage::Probe);
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_keep_it_open() {
        let cells = MemoryCells::new();
        let breaker = opened(&cells);
        assert_eq!(breaker.enter(&cells, UnixMillis(5)), Passage::Probe);
    }

    #[test]
    fn a_host_that_refuses_breaks_nothing() {
        let cells = MemoryCells::new();
        let breaker = opened(&cells);
        cells.die_after(Some(0));
        assert_eq!(breaker.enter(&cells, NOW), Passage::Closed);
    }
}
