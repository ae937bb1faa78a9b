//! What is due for a worker becomes a callback; what the worker does in it becomes known to the world.

use std::cell::RefCell;

use crate::cells::{Intrusion, Mishaps, Outbox};
use crate::fault::Fault;
use crate::gateway::{Act, Effect, Message, Stage, WorkerFaults, WorkerId};
use crate::plan::{LONGEST_RESTART_MS, Outcome, PRICES, Request, TIERS};
use crate::worker::Worker;
use crate::world::{Due, Ended, Underway, World};

// === impl World ===

impl World {
    /// Something is due for a worker.
    pub(crate) fn callback(&mut self, due: Due) {
        let Some((worker, act)) = self.act_of(due) else {
            return;
        };
        let neighbour = if self.chance(self.plan.weather.intrusions) {
            self.take_neighbour(worker)
        } else {
            None
        };
        let neighbour = neighbour.and_then(|due| self.act_of(due));
        self.run(worker, act, neighbour);
    }

    fn run(&mut self, worker: WorkerId, act: Act, neighbour: Option<(WorkerId, Act)>) {
        let mishaps = self.mishaps();
        let after = self.rng.u32(0..8);
        let intruder = neighbour.as_ref().map(|(of, _)| *of);
        if intruder.is_some() {
            self.tally.count("intrusion");
        }
        let outbox: Outbox = RefCell::default();
        self.run_together(worker, act, mishaps, neighbour, after, &outbox);
        if mishaps.refused_after.is_some() {
            self.tally.count("refusing host");
            self.gateways[worker.gateway].is_unhurt = false;
        }
        for (of, effect) in outbox.into_inner() {
            let of = WorkerId {
                worker: of,
                vm: self.gateways[worker.gateway].vms[of],
                ..worker
            };
            self.take_effect(of, effect);
        }
        for of in [Some(worker), intruder].into_iter().flatten() {
            self.bury(of);
        }
    }

    /// Runs a callback, and a neighbour's after some calls of it.
    fn run_together(
        &self,
        worker: WorkerId,
        act: Act,
        mishaps: Mishaps,
        neighbour: Option<(WorkerId, Act)>,
        after: u32,
        outbox: &Outbox,
    ) {
        let stage = |is_alone| Stage {
            now: self.time(),
            outbox,
            next_call: &self.next_call,
            faults: WorkerFaults {
                skip_write_off: self.fault == Some(Fault::SkipWriteOff),
                forget_unsent_events: self.fault == Some(Fault::ForgetUnsentEvents),
            },
            is_alone,
        };
        let (outer, inner) = (stage(neighbour.is_none()), stage(false));
        let gateway = &self.gateways[worker.gateway];
        let quiet = Mishaps {
            loses_updates: mishaps.loses_updates,
            ..Mishaps::default()
        };
        let intrusion = neighbour.map(|(of, act)| Intrusion {
            after,
            act: Box::new({
                let inner = &inner;
                move || gateway.act(of.worker, act, quiet, None, inner)
            }),
        });
        gateway.act(worker.worker, act, mishaps, intrusion, &outer);
    }

    fn mishaps(&mut self) -> Mishaps {
        let refuses = !self.is_over && self.chance(self.plan.weather.refusals);
        let fails = !self.is_over && self.chance(self.plan.weather.refusals);
        let conflicts = self.chance(self.plan.weather.conflicts);
        Mishaps {
            dies_after: None,
            refused_after: refuses.then(|| self.rng.u32(0..12)),
            release_fails: fails,
            conflicts: if conflicts { self.rng.u32(1..4) } else { 0 },
            loses_updates: self.fault == Some(Fault::LoseUpdates),
        }
    }

    /// Who is to do what, if there still is anybody; what is due for a worker that is stalled is due when it goes
    /// on.
    fn act_of(&mut self, due: Due) -> Option<(WorkerId, Act)> {
        let worker = match &due {
            Due::Tick(worker) | Due::Provider { worker, .. } => *worker,
            Due::Answer { call, .. } => *self.callouts.get(call)?,
            Due::Leaves { number } => self.requests.get(number)?.worker,
            _ => {
                let Due::Request(request) = due else {
                    panic!("{due:?}")
                };
                return self.arrive(request);
            }
        };
        let gateway = &self.gateways[worker.gateway];
        let is_this = gateway.is_up
            && gateway.process == worker.process
            && gateway.vm(worker.worker) == Some(worker.vm);
        if !is_this {
            return None;
        }
        let stalled_until = gateway.stalled_until(worker.worker);
        if self.now < stalled_until {
            self.after(stalled_until - self.now, due);
            return None;
        }
        let act = match due {
            Due::Answer { call, reply } => {
                self.callouts.remove(&call);
                Act::Answered { call, reply }
            }
            Due::Provider {
                number,
                outcome,
                prompt_tokens,
                output_tokens,
                ..
            } => Act::Provider {
                number,
                outcome,
                prompt_tokens,
                output_tokens,
            },
            Due::Leaves { number } => Act::Leaves { number },
            _ => {
                self.after(self.plan.tick_ms, Due::Tick(worker));
                Act::Tick
            }
        };
        Some((worker, act))
    }

    fn arrive(&mut self, request: Request) -> Option<(WorkerId, Act)> {
        let gateway = &self.gateways[request.gateway];
        let living = gateway.living();
        if !gateway.is_up || living.is_empty() {
            self.tally.count("nobody there");
            return None;
        }
        let worker = living[self.rng.usize(0..living.len())];
        let gateway = &self.gateways[request.gateway];
        let worker = WorkerId {
            gateway: request.gateway,
            process: gateway.process,
            worker,
            vm: gateway.vms[worker],
        };
        let number = self.requests.len() as u64 + 1;
        let underway = Underway {
            request: request.clone(),
            worker,
            since: self.now,
            prices: gateway.prices,
            asked: None,
            ended: None,
        };
        self.requests.insert(number, underway);
        if let Some(ms) = request.leaves_after_ms {
            self.after(ms, Due::Leaves { number });
        }
        Some((worker, Act::Begin { number, request }))
    }

    fn take_effect(&mut self, worker: WorkerId, effect: Effect) {
        self.note(|| format!("{worker} {effect}"));
        match effect {
            Effect::Called {
                call,
                message,
                timeout_ms,
            } => {
                if let Message::Lease(request) = &message {
                    self.tally.count("question");
                    let number = u64::from_str_radix(request.request_id.trim_start_matches("req_"), 16);
                    let underway = self.requests.get_mut(&number.unwrap()).unwrap();
                    underway.asked = Some((**request).clone());
                }
                self.send(worker, call, &message, timeout_ms);
            }
            Effect::Recorded(event) => self.books.recorded(worker, &event),
            Effect::Reached { number, event_id } => {
                self.tally.count("reached");
                self.books.reached(&event_id);
                self.answer_from_provider(worker, number, &event_id);
            }
            Effect::Held { holds, is_alone } => {
                let is_sure = is_alone && self.gateways[worker.gateway].is_unhurt;
                // What workers hold in their own memory is reported as reserved.
                let is_exact = is_sure && !self.plan.is_ample;
                for hold in &holds {
                    self.books.reported(hold, is_exact, &self.store);
                    if is_sure && hold.used > self.books.in_use_of(hold.lease_id) {
                        self.tally.count("sublease");
                    }
                }
            }
            Effect::Ended { number, finished } => self.ended(number, &finished),
        }
    }

    fn answer_from_provider(&mut self, worker: WorkerId, number: u64, event_id: &str) {
        let request = self.requests[&number].request.clone();
        let known = self.books.of_event(event_id);
        let (prompt, output) = (known.prompt_tokens, known.output_tokens);
        let (prompt_tokens, output_tokens) = match request.outcome {
            Outcome::Whole(percent) => (prompt, output * percent / 100),
            Outcome::Dearer => (prompt + self.rng.u64(0..200), output + self.rng.u64(1..200)),
            Outcome::Cut | Outcome::Failed | Outcome::Silent => (0, 0),
        };
        let due = Due::Provider {
            worker,
            number,
            outcome: request.outcome,
            prompt_tokens,
            output_tokens,
        };
        self.after(request.takes_ms, due);
        if request.outcome == Outcome::Cut {
            let leaves = request.takes_ms + self.rng.u64(0..2_000);
            self.after(leaves, Due::Leaves { number });
        }
    }

    fn ended(&mut self, number: u64, finished: &tollgate_core::exchange::Finished) {
        let event = &finished.event;
        let underway = self.requests.get_mut(&number).unwrap();
        let Request { outcome, tier, .. } = underway.request;
        let prices = underway.prices;
        let ended = if event.error_code.is_none() {
            Ended::Served
        } else {
            Ended::Refused(finished.refused)
        };
        underway.ended = Some(ended);
        let is_whole = matches!(outcome, Outcome::Whole(_) | Outcome::Dearer);
        if event.error_code.is_none() && is_whole {
            let (input, output) = PRICES[prices];
            let (_, _, quarters) = TIERS[tier];
            let cost = event.usage.input_tokens * input + event.usage.output_tokens * output;
            self.books.costs(event, cost * quarters / 4);
            if quarters > 4 {
                self.tally.count("dear tier");
            }
        }
        if let Some(code) = finished.refused {
            self.tally.count(code.as_str());
            self.check_refusal(number, code);
        }
        if finished.lost {
            self.tally.count("record refused by the host");
        }
    }

    /// Takes a worker away whose VM has died in its callback.
    fn bury(&mut self, worker: WorkerId) {
        let gateway = &mut self.gateways[worker.gateway];
        let slot = &gateway.workers[worker.worker];
        if !slot.borrow().as_ref().is_some_and(Worker::is_dead) {
            return;
        }
        let was_stalled = slot.replace(None).is_some_and(|worker| worker.stalled_until > 0);
        gateway.is_unhurt = false;
        // Nobody looks for a worker without a segment of the journal, since it never wrote to one or has lost it: what
        // it reserved is locked for longer.
        self.has_lost_unknown |= was_stalled || !self.books.has_records_of(worker);
        self.tally.count("worker death");
        self.note(|| format!("{worker} dies"));
        if self.fault == Some(Fault::LoseOpenRecords) {
            self.gateways[worker.gateway].lose_records();
        }
        let back = self.rng.u64(1..LONGEST_RESTART_MS);
        self.after(
            back,
            Due::WorkerBack {
                gateway: worker.gateway,
                process: worker.process,
                worker: worker.worker,
            },
        );
    }
}
