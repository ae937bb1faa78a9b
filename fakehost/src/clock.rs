//! Virtual time: it moves when a test moves it, and timers go off in order.

use std::collections::BTreeMap;
use std::time::Duration;

/// Which VM: unlike a worker's index, never used again after a crash.
pub(crate) type VmId = u64;

/// The process's clock and the tick timers of all root contexts.
#[derive(Debug)]
pub(crate) struct Clock {
    now: u64,
    timers: BTreeMap<(VmId, u32), Timer>,
}

#[derive(Debug, Clone, Copy)]
struct Timer {
    period: u64,
    next: u64,
}

/// A tick that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DueTick {
    pub(crate) at: u64,
    pub(crate) vm: VmId,
    pub(crate) root: u32,
}

// === impl Clock ===

impl Clock {
    /// A clock that stands at this many nanoseconds since the epoch.
    pub(crate) fn at(now: u64) -> Self {
        Self {
            now,
            timers: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn set(&mut self, now: u64) {
        self.now = now;
    }

    /// Starts, changes or (with zero) stops a root context's ticks.
    pub(crate) fn tick_every(&mut self, vm: VmId, root: u32, period: Duration) {
        let period = nanos(period);
        if period == 0 {
            self.timers.remove(&(vm, root));
            return;
        }
        self.timers.insert(
            (vm, root),
            Timer {
                period,
                next: self.now + period,
            },
        );
    }

    pub(crate) fn stop(&mut self, vm: VmId, root: u32) {
        self.timers.remove(&(vm, root));
    }

    pub(crate) fn stop_vm(&mut self, vm: VmId) {
        self.timers.retain(|(owner, _), _| *owner != vm);
    }

    /// Root contexts of a VM that asked for ticks.
    pub(crate) fn ticking(&self, vm: VmId) -> Vec<u32> {
        self.timers
            .keys()
            .filter(|(owner, _)| *owner == vm)
            .map(|(_, root)| *root)
            .collect()
    }

    /// The first tick that is due by `until`.
    pub(crate) fn next_tick(&self, until: u64) -> Option<DueTick> {
        self.timers
            .iter()
            .map(|((vm, root), timer)| DueTick {
                at: timer.next,
                vm: *vm,
                root: *root,
            })
            .filter(|tick| tick.at <= until)
            .min_by_key(|tick| tick.at)
    }

    /// Moves to a due tick and arms its timer again.
    pub(crate) fn take_tick(&mut self, tick: DueTick) {
        self.now = self.now.max(tick.at);
        if let Some(timer) = self.timers.get_mut(&(tick.vm, tick.root)) {
            timer.next = tick.at + timer.period;
        }
    }
}

/// A span in nanoseconds.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_in_order_of_time() {
        let mut clock = Clock::at(0);
        clock.tick_every(1, 1, Duration::from_nanos(5));
        clock.tick_every(2, 1, Duration::from_nanos(3));
        let mut order = Vec::new();
        while let Some(tick) = clock.next_tick(10) {
            clock.take_tick(tick);
            order.push((tick.at, tick.vm));
        }
        assert_eq!(order, [(3, 2), (5, 1), (6, 2), (9, 2), (10, 1)]);
    }

    #[test]
    fn a_period_of_zero_stops_the_ticks() {
        let mut clock = Clock::at(0);
        clock.tick_every(1, 1, Duration::from_nanos(5));
        clock.tick_every(1, 1, Duration::ZERO);
        assert_eq!(clock.next_tick(100), None);
    }
}
