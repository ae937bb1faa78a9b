//! The network between gateways and sidecars: what is sent may be late, lost, or come twice.

use crate::gateway::{Message, Reply, WorkerId};
use crate::world::{Due, World};

// === impl World ===

impl World {
    /// A worker asks a sidecar.
    pub(crate) fn send(&mut self, worker: WorkerId, call: u64, message: &Message, timeout_ms: u64) {
        self.callouts.insert(call, worker);
        let reply = Reply::Unavailable;
        self.after(timeout_ms, Due::Answer { call, reply });
        if self.is_cut_off(worker.gateway) {
            if self.rng.bool() {
                self.answer(call, Reply::Unavailable);
            }
            return;
        }
        let copies = 1 + u8::from(self.goes_wrong(self.plan.weather.doubled));
        for _ in 0..copies {
            if self.goes_wrong(self.plan.weather.loss) {
                self.tally.count("lost message");
                continue;
            }
            let delay_ms = self.delay();
            let sidecar = self.rng.usize(0..self.sidecars.len());
            let message = message.clone();
            self.after(
                delay_ms,
                Due::Reach {
                    sidecar,
                    call,
                    message,
                },
            );
        }
    }

    /// A sidecar (or Envoy in its place) answers.
    pub(crate) fn answer(&mut self, call: u64, reply: Reply) {
        let Some(worker) = self.callouts.get(&call) else {
            return;
        };
        if self.is_cut_off(worker.gateway) && !matches!(reply, Reply::Unavailable) {
            return;
        }
        if self.goes_wrong(self.plan.weather.loss) {
            self.tally.count("lost answer");
            return;
        }
        let delay_ms = self.delay();
        self.after(delay_ms, Due::Answer { call, reply });
    }

    fn is_cut_off(&self, gateway: usize) -> bool {
        self.now < self.gateways[gateway].cut_off_until
    }

    fn goes_wrong(&mut self, percent: u8) -> bool {
        !self.is_over && self.chance(percent)
    }

    fn delay(&mut self) -> u64 {
        if self.goes_wrong(self.plan.weather.late) {
            self.tally.count("late message");
            return self.rng.u64(1_000..40_000);
        }
        let most = if self.is_over {
            30
        } else {
            self.plan.weather.delay_ms
        };
        self.rng.u64(0..=most)
    }
}
