//! A sidecar: it answers from the ledger, and remembers nothing but the questions that it holds.

use tollgate_core::budget::ledger::Manner;
use tollgate_core::event::Event;
use tollgate_core::wire::{EventBatch, LeaseAnswer, LeaseRequest};

use crate::books::Transaction;
use crate::fault::Fault;
use crate::gateway::{Message, Reply};
use crate::leasing::Asked;
use crate::rule::Rule;
use crate::store::{Leases, Store};
use crate::world::{Due, World};

/// One sidecar.
pub(crate) struct Sidecar {
    pub(crate) is_up: bool,
    /// How often it has died.
    pub(crate) life: u32,
    held: Vec<Held>,
    /// Whether it will look again for those.
    is_looking: bool,
    beats: u32,
}

/// A question that waits for money to come back.
#[derive(Debug, Clone)]
struct Held {
    call: u64,
    request: Box<LeaseRequest>,
    until: u64,
}

// === impl Sidecar ===

impl Sidecar {
    pub(crate) const fn new() -> Self {
        Self {
            is_up: true,
            life: 0,
            held: Vec::new(),
            is_looking: false,
            beats: 0,
        }
    }

    fn die(&mut self) {
        self.is_up = false;
        self.life += 1;
        self.held.clear();
        self.is_looking = false;
    }
}

// === impl World ===

impl World {
    fn is_ledger_away(&self) -> bool {
        self.now < self.ledger_away_until
    }

    /// A message has reached a sidecar.
    pub(crate) fn reach(&mut self, sidecar: usize, call: u64, message: Message) {
        if !self.sidecars[sidecar].is_up || self.is_ledger_away() {
            return self.answer(call, Reply::Unavailable);
        }
        let dies = !self.is_over && self.chance(self.plan.weather.sidecar_deaths);
        if dies && self.rng.bool() {
            // Before anything is written.
            self.sidecar_dies(sidecar);
            return self.answer(call, Reply::Unavailable);
        }
        let reply = match message {
            Message::Version => Some(Reply::Version(self.store.version)),
            Message::Report(report) => {
                let answer = self.transact(Transaction::Leases, |store, now| store.report(&report, now));
                self.note(|| format!("reported {call}: {:?}", answer.leases));
                Some(Reply::Report(answer))
            }
            Message::Events(body) => {
                let batch: EventBatch = serde_json::from_slice(&body).unwrap();
                let mut events = batch.events;
                if dies {
                    events.truncate(self.rng.usize(0..=events.len()));
                }
                for event in events {
                    self.event(event);
                }
                Some(Reply::Events)
            }
            Message::Lease(request) => {
                let held = Held {
                    call,
                    until: self.now + request.wait_ms,
                    request,
                };
                self.ask(sidecar, held, false)
            }
        };
        if dies {
            // After all is written, but before anybody hears of it.
            self.sidecar_dies(sidecar);
            return self.answer(call, Reply::Unavailable);
        }
        if let Some(reply) = reply {
            self.answer(call, reply);
        }
    }

    /// Tries to pay for a request; holds it where money may come back.
    fn ask(&mut self, sidecar: usize, held: Held, is_again: bool) -> Option<Reply> {
        let leases_before = self.store.leases.clone();
        let asked = self.transact(Transaction::Leases, |store, now| {
            store.ask(&held.request, is_again, now)
        });
        let answer = match asked {
            Asked::Granted(answer) => {
                self.note(|| format!("granted {}: {}", held.call, leases_of(&answer)));
                answer
            }
            Asked::Denied(answer) => {
                self.check_that_nothing_grew(&leases_before);
                let exhausted = answer.exhausted.clone().unwrap();
                let may_wait = exhausted.may_return && self.fault != Some(Fault::DoNotWait);
                if may_wait && self.now < held.until {
                    self.tally.count("held");
                    let (poll_ms, life) = (self.plan.poll_ms, self.sidecars[sidecar].life);
                    let at = &mut self.sidecars[sidecar];
                    at.held.push(held);
                    if !std::mem::replace(&mut at.is_looking, true) {
                        self.after(poll_ms, Due::Retry { sidecar, life });
                    }
                    return None;
                }
                self.tally.count("denied");
                self.note(|| format!("denied {}: {exhausted:?}", held.call));
                answer
            }
        };
        Some(Reply::Lease(serde_json::to_vec(&answer).unwrap()))
    }

    /// Tries again for all questions that a sidecar holds.
    pub(crate) fn retry(&mut self, sidecar: usize, life: u32) {
        if self.sidecars[sidecar].life != life {
            return;
        }
        self.sidecars[sidecar].is_looking = false;
        let held = std::mem::take(&mut self.sidecars[sidecar].held);
        for held in held {
            let call = held.call;
            let reply = if self.is_ledger_away() {
                Some(Reply::Unavailable)
            } else {
                self.ask(sidecar, held, true)
            };
            if let Some(reply) = reply {
                self.answer(call, reply);
            }
        }
    }

    fn check_that_nothing_grew(&mut self, before: &Leases) {
        let grown = self.store.leases.iter().find(|(id, (_, lease))| {
            before
                .get(*id)
                .is_none_or(|(_, was)| was.granted != lease.granted)
        });
        if let Some((_, (_, lease))) = grown {
            let lease = lease.clone();
            self.books.break_rule(Rule::RefusalBurnsNothing, || {
                format!("a refused request has left {lease:?}")
            });
        }
    }

    fn event(&mut self, mut event: Event) {
        if self.fault == Some(Fault::NameEventsAnew) {
            event.event_id = format!("{}{}", event.event_id, self.rng.u64(..));
        }
        if self.fault == Some(Fault::ChargeTheReservation) {
            for charge in &mut event.charges {
                charge.charged = charge.reserved.max(1);
            }
        }
        self.books.received(&event);
        let is_new = self.store_event(&event);
        self.books.delivered(&event, is_new);
        if !is_new {
            self.tally.count("known event");
        }
    }

    fn store_event(&mut self, event: &Event) -> bool {
        let may_be_late = self.plan.may_be_late();
        let before = self.store.accounts.clone();
        let now = self.time();
        let is_new = self.store.event(event, now);
        if is_new {
            let booked = self.store.events[&event.event_id].clone();
            for booked in &booked {
                self.tally.count(match booked.manner {
                    Manner::Leased => "leased charge",
                    Manner::Late => "late charge",
                    Manner::Debt => "debt",
                    Manner::Counted => "counted charge",
                });
                if booked.overrun > 0 {
                    self.tally.count("overrun");
                }
            }
            self.note(|| format!("event {} {:?} {booked:?}", event.request_id, event.error_code));
            self.books.charged(&booked, may_be_late);
        }
        self.books.audit(Transaction::Event, &before, &mut self.store);
        is_new
    }

    pub(crate) fn beat(&mut self, sidecar: usize) {
        if self.sidecars[sidecar].is_up && !self.is_ledger_away() {
            self.sidecars[sidecar].beats += 1;
            if self.sidecars[sidecar].beats.is_multiple_of(3) {
                self.transact(Transaction::Leases, Store::sweep);
            } else {
                self.store.beat(self.time());
            }
        }
        self.after(1_000, Due::Beat { sidecar });
    }

    fn sidecar_dies(&mut self, sidecar: usize) {
        self.tally.count("sidecar death");
        self.note(|| format!("sidecar {sidecar} dies"));
        self.sidecars[sidecar].die();
        let back = self.rng.u64(1..4_000);
        self.after(back, Due::SidecarBack { sidecar });
    }
}

fn leases_of(answer: &LeaseAnswer) -> String {
    let leases = answer.budgets.iter().map(|budget| {
        let lease = budget
            .lease
            .map(|lease| (lease.lease_id.0, lease.granted, lease.scarce));
        format!("{} {} of {}: {lease:?}", budget.id, budget.spent, budget.amount)
    });
    leases.collect::<Vec<_>>().join("; ")
}
