//! The truth, as nobody in the simulated world knows it as a whole, held against the rules after each step.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_core::budget::Enforcement;
use tollgate_core::budget::ledger::{Account, Lease, Manner};
use tollgate_core::event::Event;
use tollgate_core::wire::{BudgetCharge, LeaseHold, LeaseId};

use crate::gateway::WorkerId;
use crate::rule::{Broken, Rule};
use crate::store::{AccountKey, Booked, Store};

/// What an open record says of how its exchange ended.
const WORKER_LOST: &str = "worker_lost";

/// What is known of one exchange.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) worker: WorkerId,
    pub(crate) event_id: String,
    pub(crate) prompt_tokens: u64,
    /// What was reserved.
    pub(crate) output_tokens: u64,
    /// What its open record charges, if there was one.
    pub(crate) open: Option<Vec<BudgetCharge>>,
    /// What its last record charges.
    pub(crate) last: Option<Vec<BudgetCharge>>,
    pub(crate) has_reached: bool,
    /// Whether its gateway died before its event was delivered.
    pub(crate) is_lost: bool,
    pub(crate) delivered: u32,
}

/// The truth.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) exchanges: BTreeMap<String, Known>,
    /// What exchanges hold of each lease: what is charged, or else reserved; by how much some cost more than they
    /// had reserved.
    of_lease: BTreeMap<LeaseId, Held>,
    /// What the events of the ledger have charged.
    charged: BTreeMap<AccountKey, u64>,
    debt: BTreeMap<AccountKey, u64>,
    overrun: BTreeMap<AccountKey, u64>,
    told: BTreeSet<(AccountKey, u8)>,
    pub(crate) broken: Option<Broken>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Held {
    used: u64,
    dearer: u64,
}

/// What kind of transaction may move which sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// Leases are granted, renewed, given back or taken back.
    Leases,
    /// An event: charges that were not in the ledger before.
    Event,
    /// An administrator sets the amount.
    Amount,
}

// === impl Books ===

impl Books {
    pub(crate) fn break_rule(&mut self, rule: Rule, how: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(Broken { rule, how: how() });
        }
    }

    fn require(&mut self, holds: bool, rule: Rule, how: impl FnOnce() -> String) {
        if !holds {
            self.break_rule(rule, how);
        }
    }

    /// A record was written to a journal.
    pub(crate) fn recorded(&mut self, worker: WorkerId, event: &Event) {
        let known = self
            .exchanges
            .entry(event.request_id.clone())
            .or_insert_with(|| Known {
                worker,
                event_id: event.event_id.clone(),
                prompt_tokens: 0,
                output_tokens: 0,
                open: None,
                last: None,
                has_reached: false,
                is_lost: false,
                delivered: 0,
            });
        if event.error_code.as_deref() == Some(WORKER_LOST) {
            known.prompt_tokens = event.usage.input_tokens;
            known.output_tokens = event.usage.output_tokens;
            known.open = Some(event.charges.clone());
        }
        let before = known.last.replace(event.charges.clone()).unwrap_or_default();
        for (charges, is_new) in [(&before, false), (&event.charges, true)] {
            for charge in charges {
                let Some(id) = charge.lease_id else { continue };
                let held = self.of_lease.entry(id).or_default();
                let used = charge.charged.min(charge.reserved);
                let dearer = charge.charged - used;
                if is_new {
                    held.used += used;
                    held.dearer += dearer;
                } else {
                    held.used -= used;
                    held.dearer -= dearer;
                }
            }
        }
    }

    pub(crate) fn reached(&mut self, event_id: &str) {
        let known = self
            .exchanges
            .values_mut()
            .find(|known| known.event_id == event_id);
        known.unwrap().has_reached = true;
    }

    /// An event has come to a sidecar: it says what was written to a journal.
    pub(crate) fn received(&mut self, event: &Event) {
        let known = self.exchanges.get(&event.request_id).cloned();
        let is_as_opened = event.error_code.as_deref() == Some(WORKER_LOST);
        let recorded = known
            .as_ref()
            .map(|known| if is_as_opened { &known.open } else { &known.last });
        let is_as_recorded = recorded.is_some_and(|charges| charges.as_ref() == Some(&event.charges));
        self.require(is_as_recorded, Rule::ChargedAsRecorded, || {
            format!("{:?} but recorded {known:?}", event.charges)
        });
    }

    /// An event is in the ledger; it was new or not.
    pub(crate) fn delivered(&mut self, event: &Event, is_new: bool) {
        let Some(known) = self.exchanges.get_mut(&event.request_id) else {
            return;
        };
        known.delivered += u32::from(is_new);
        let delivered = known.delivered;
        self.require(delivered <= 1, Rule::OneEventEach, || {
            format!("{delivered} events for {}", event.request_id)
        });
    }

    /// The charges of an event were applied, one after the other. `may_be_late` where its gateway may not have been
    /// heard for longer than a lease lasts.
    pub(crate) fn charged(&mut self, booked: &[Booked], may_be_late: bool) {
        for booked in booked {
            let charge = &booked.charge;
            *self.charged.entry(booked.account).or_default() += charge.charged;
            *self.overrun.entry(booked.account).or_default() += booked.overrun;
            if booked.manner == Manner::Debt {
                *self.debt.entry(booked.account).or_default() += charge.charged;
            }
            let is_dearer = charge.lease_id.is_some_and(|id| self.dearer_of(id) > 0);
            let is_in_time = booked.manner != Manner::Late || charge.charged == 0;
            self.require(
                is_in_time || may_be_late || is_dearer,
                Rule::NeverOverspent,
                || format!("the lease was closed before its last charge: {booked:?}"),
            );
            let has_reason = booked.manner == Manner::Debt || !is_in_time || is_dearer;
            self.require(booked.overrun == 0 || has_reason, Rule::NeverOverspent, || {
                format!("an overrun without a reason: {booked:?}")
            });
        }
    }

    /// After a transaction: every account and every lease.
    pub(crate) fn audit(
        &mut self,
        kind: Transaction,
        before: &BTreeMap<AccountKey, Account>,
        store: &mut Store,
    ) {
        let mut leased: BTreeMap<AccountKey, u64> = BTreeMap::new();
        for (account, lease) in store.leases.values() {
            *leased.entry(*account).or_default() += lease.outstanding();
            self.audit_lease(lease);
        }
        for (key, account) in &store.accounts {
            let was = before.get(key);
            self.audit_sums(*key, account, leased.get(key).copied().unwrap_or_default());
            if account.enforcement == Enforcement::Hard {
                self.audit_excess(kind, was, account);
            }
        }
        for told in std::mem::take(&mut store.told) {
            let is_new = self.told.insert(told);
            self.require(is_new, Rule::ThresholdsToldOnce, || format!("twice: {told:?}"));
        }
    }

    fn audit_sums(&mut self, key: AccountKey, account: &Account, leased: u64) {
        let charged = self.charged.get(&key).copied().unwrap_or_default();
        self.require(account.spent == charged, Rule::SpentIsTheSumOfEvents, || {
            format!("events charge {charged}: {account:?}")
        });
        self.require(account.leased == leased, Rule::LeasedIsTheSumOfLeases, || {
            format!("leases have {leased}: {account:?}")
        });
        let debt = self.debt.get(&key).copied().unwrap_or_default();
        let overrun = self.overrun.get(&key).copied().unwrap_or_default();
        self.require(
            account.debt == debt && account.overrun == overrun,
            Rule::OverrunsAreCounted,
            || format!("debts {debt}, overruns {overrun}: {account:?}"),
        );
    }

    fn audit_excess(&mut self, kind: Transaction, was: Option<&Account>, account: &Account) {
        let excess = |account: &Account| account.committed().saturating_sub(account.amount);
        let more = excess(account).saturating_sub(was.map_or(0, excess));
        let allowed = match kind {
            Transaction::Leases => 0,
            Transaction::Event => account.overrun - was.map_or(0, |was| was.overrun),
            Transaction::Amount => was.map_or(0, |was| was.amount.saturating_sub(account.amount)),
        };
        self.require(more <= allowed, Rule::NeverOverspent, || {
            format!("{more} more than {allowed} after {kind:?}: {was:?} became {account:?}")
        });
    }

    fn audit_lease(&mut self, lease: &Lease) {
        let held = self.of_lease.get(&lease.id).copied().unwrap_or_default();
        self.require(
            held.used + lease.returned <= lease.granted,
            Rule::ReservedWithinGranted,
            || format!("{} is used of {lease:?}", held.used),
        );
    }

    /// A gateway says what it holds: exactly what its exchanges hold, or at least that.
    pub(crate) fn reported(&mut self, hold: &LeaseHold, is_exact: bool, store: &Store) {
        let held = self.of_lease.get(&hold.lease_id).copied().unwrap_or_default();
        let holds = if is_exact {
            hold.used == held.used + held.dearer
        } else {
            hold.used >= held.used
        };
        self.require(holds, Rule::ReportedAsReserved, || {
            format!("{held:?}, reported {hold:?}")
        });
        let Some((_, lease)) = store.leases.get(&hold.lease_id) else {
            return self.break_rule(Rule::ReservedWithinGranted, || format!("no such lease: {hold:?}"));
        };
        self.require(
            hold.used + hold.returned <= lease.granted + held.dearer,
            Rule::ReservedWithinGranted,
            || format!("{hold:?} of {lease:?}"),
        );
    }

    /// Thresholds that are no longer reached may be told again.
    pub(crate) fn rearm(&mut self, key: AccountKey, account: &Account) {
        let (spent, amount) = (u128::from(account.spent), u128::from(account.amount));
        self.told
            .retain(|(of, percent)| *of != key || spent * 100 >= amount * u128::from(*percent));
    }

    pub(crate) fn was_told(&self, key: AccountKey, percent: u8) -> bool {
        self.told.contains(&(key, percent))
    }

    /// What is spent or reserved of each account, in truth.
    pub(crate) fn in_use(&self, store: &Store) -> BTreeMap<AccountKey, u64> {
        let mut in_use = self.debt.clone();
        for (id, held) in &self.of_lease {
            if let Some((key, _)) = store.leases.get(id) {
                *in_use.entry(*key).or_default() += held.used + held.dearer;
            }
        }
        in_use
    }

    /// What exchanges hold of a lease, in truth.
    pub(crate) fn in_use_of(&self, id: LeaseId) -> u64 {
        self.of_lease.get(&id).map_or(0, |held| held.used + held.dearer)
    }

    /// Whether a worker has written anything to its journal.
    pub(crate) fn has_records_of(&self, worker: WorkerId) -> bool {
        self.exchanges.values().any(|known| known.worker == worker)
    }

    /// The exchange of an event.
    pub(crate) fn of_event(&self, event_id: &str) -> &Known {
        let mut known = self.exchanges.values();
        known.find(|known| known.event_id == event_id).unwrap()
    }

    /// An exchange that had a whole answer has ended, and costs this much.
    pub(crate) fn costs(&mut self, event: &Event, cost: u64) {
        self.require(event.cost_nanousd.0 == cost, Rule::ChargedAsRecorded, || {
            format!("{cost} is what it costs: {event:?}")
        });
    }

    /// Exchanges that were written down, but are not in the ledger and may still come there.
    pub(crate) fn undelivered(&self) -> impl Iterator<Item = &Known> {
        let known = self.exchanges.values();
        known.filter(|known| known.delivered == 0 && !known.is_lost)
    }

    /// A gateway's process has died: what it had in flight is lost.
    pub(crate) fn gateway_died(&mut self, gateway: usize, process: u32) {
        for known in self.exchanges.values_mut() {
            if known.worker.gateway == gateway && known.worker.process == process && known.delivered == 0 {
                known.is_lost = true;
            }
        }
    }

    /// By how much exchanges of a lease cost more than they had reserved.
    pub(crate) fn dearer_of(&self, id: LeaseId) -> u64 {
        self.of_lease.get(&id).map_or(0, |held| held.dearer)
    }

    /// What was in flight when a gateway died, of each lease.
    pub(crate) fn lost_by_lease(&self) -> BTreeMap<LeaseId, u64> {
        let mut lost = BTreeMap::new();
        let known = self.exchanges.values();
        for known in known.filter(|known| known.is_lost && known.delivered == 0) {
            for charge in known.last.iter().flatten() {
                if let Some(id) = charge.lease_id {
                    *lost.entry(id).or_default() += charge.charged.min(charge.reserved);
                }
            }
        }
        lost
    }
}
