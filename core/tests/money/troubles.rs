//! Processes that begin and die, clocks that jump, and administrators that change their minds.

use std::cell::RefCell;
use std::rc::Rc;

use tollgate_core::budget::Period;
use tollgate_core::time::UnixMillis;

use crate::books::Transaction;
use crate::cells::PURSE;
use crate::fault::Fault;
use crate::gateway::WorkerId;
use crate::store::AccountKey;
use crate::weather::Trouble;
use crate::worker::Worker;
use crate::world::{Due, World};

// === impl World ===

impl World {
    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.note(|| format!("{trouble:?}"));
        match trouble {
            Trouble::GatewayKilled {
                gateway,
                back_after_ms,
            } => self.kill_gateway(gateway, back_after_ms),
            Trouble::WorkerDead {
                gateway,
                worker,
                calls,
            } => {
                let slot = &self.gateways[gateway].workers[worker];
                if let Some(worker) = slot.borrow_mut().as_mut() {
                    worker.dies_after = Some(calls);
                }
            }
            Trouble::WorkerStalled {
                gateway,
                worker,
                for_ms,
            } => {
                // It may be taken for dead, and what it holds for spent.
                self.gateways[gateway].is_unhurt = false;
                let slot = &self.gateways[gateway].workers[worker];
                if let Some(worker) = slot.borrow_mut().as_mut() {
                    worker.stalled_until = self.now + for_ms;
                }
            }
            Trouble::CutOff { gateway, for_ms } => {
                let until = &mut self.gateways[gateway].cut_off_until;
                *until = (*until).max(self.now + for_ms);
            }
            Trouble::LedgerAway { for_ms } => {
                self.ledger_away_until = self.ledger_away_until.max(self.now + for_ms);
            }
            Trouble::LedgerClock { by_ms } => self.store.clock_error_ms += by_ms,
            Trouble::GatewayClock { gateway, by_ms } => {
                let at = &mut self.gateways[gateway];
                at.clock_error_ms += by_ms;
                // Past the longest time that an exchange may take, what it reserved counts as spent.
                at.is_unhurt &= at.clock_error_ms.unsigned_abs() < self.plan.max_exchange_ms / 2;
            }
            Trouble::Amount { budget, percent } => self.set_amount(budget, percent),
            Trouble::Deposit { budget, key, amount } => self.deposit(budget, key, amount),
            Trouble::Prices { gateway, variant } => {
                self.gateways[gateway].prices = variant;
                self.gateways[gateway].config = Rc::clone(&self.configs[variant]);
            }
        }
    }

    fn kill_gateway(&mut self, gateway: usize, back_after_ms: u64) {
        if !self.gateways[gateway].is_up {
            return;
        }
        self.tally.count("gateway death");
        // Its process's name towards the ledger.
        let instance = format!("{PURSE}i");
        let inherited = self.gateways[gateway].cells.peek(&instance);
        let process = self.gateways[gateway].process;
        self.books.gateway_died(gateway, process);
        self.gateways[gateway].die();
        if self.fault == Some(Fault::InheritTheInstance) && !inherited.is_empty() {
            self.gateways[gateway].cells.poke(&instance, &inherited);
        }
        self.after(back_after_ms, Due::GatewayBack { gateway });
    }

    pub(crate) fn start_gateway(&mut self, gateway: usize) {
        self.gateways[gateway].is_up = true;
        for worker in 0..self.plan.workers {
            self.start_worker(gateway, worker);
        }
    }

    pub(crate) fn start_worker(&mut self, gateway: usize, worker: usize) {
        let name = self.rng.u128(..).to_le_bytes();
        let at = &mut self.gateways[gateway];
        if !at.is_up || at.workers[worker].borrow().is_some() {
            return;
        }
        at.vms[worker] += 1;
        at.workers[worker] = RefCell::new(Some(Worker::new(&at.config, name)));
        let id = WorkerId {
            gateway,
            process: at.process,
            worker,
            vm: at.vms[worker],
        };
        let phase = self.rng.u64(0..self.plan.tick_ms);
        self.after(phase, Due::Tick(id));
    }

    fn set_amount(&mut self, budget: usize, percent: u64) {
        let amount = (self.plan.budgets[budget].amount * percent / 100).max(1);
        self.amounts[budget] = amount;
        self.tally.count("amount set");
        self.transact(Transaction::Amount, |store, now| {
            store.set_amount(budget, amount, now);
        });
    }

    fn deposit(&mut self, budget: usize, key: u64, amount: u64) {
        if self.plan.budgets[budget].period != Period::Total {
            return;
        }
        if self.deposits.insert((budget, key)) {
            self.amounts[budget] += amount;
            self.tally.count("deposit");
        }
        let is_new = self.transact(Transaction::Leases, |store, now| {
            store.deposit(budget, key, amount, now)
        });
        if is_new {
            let key: AccountKey = (budget, UnixMillis(0));
            self.books.rearm(key, &self.store.accounts[&key]);
        }
    }
}
