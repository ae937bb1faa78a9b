//! The ledger's rows and its transactions, by the table in `tollgate_core::budget::ledger`. What a database does (rows
//! that are written together or not at all, locks) is that one function runs to its end before another one begins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use tollgate_core::budget::ledger::{
    Account, Lease, LeaseRules, LedgerClock, Line, Manner, Reclaimed, Stage,
};
use tollgate_core::budget::{Budget, Enforcement, Facts, Period, RaiseEnds};
use tollgate_core::event::Event;
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{BudgetCharge, LeaseId};

use crate::fault::Fault;

/// One budget in one window: the budget's number and when the window begins.
pub(crate) type AccountKey = (usize, UnixMillis);

/// Leases in every stage, each with its account.
pub(crate) type Leases = BTreeMap<LeaseId, (AccountKey, Lease)>;

/// The ledger.
pub(crate) struct Store {
    pub(crate) budgets: Vec<Budget>,
    /// Of each budget.
    zones: Vec<TimeZone>,
    /// Of the budgets' definitions.
    pub(crate) version: u64,
    pub(crate) accounts: BTreeMap<AccountKey, Account>,
    pub(crate) leases: Leases,
    /// The events, by id, with what they have charged.
    pub(crate) events: BTreeMap<String, Vec<Booked>>,
    pub(crate) reclaimed: Vec<Reclaimed>,
    /// Thresholds that were told since this was asked last.
    pub(crate) told: Vec<(AccountKey, u8)>,
    deposits: BTreeSet<(usize, u64)>,
    clock: LedgerClock,
    pub(crate) rules: LeaseRules,
    pub(crate) last_lease: u64,
    /// By how much the ledger's clock is wrong.
    pub(crate) clock_error_ms: i64,
    pub(crate) fault: Option<Fault>,
}

/// A charge as it was applied.
#[derive(Debug, Clone)]
pub(crate) struct Booked {
    pub(crate) account: AccountKey,
    pub(crate) charge: BudgetCharge,
    pub(crate) manner: Manner,
    pub(crate) overrun: u64,
}

// === impl Store ===

impl Store {
    pub(crate) fn new(budgets: Vec<Budget>, rules: LeaseRules, fault: Option<Fault>) -> Self {
        let zones = budgets
            .iter()
            .map(|budget| TimeZone::get(&budget.time_zone).unwrap());
        Self {
            zones: zones.collect(),
            budgets,
            version: 1,
            accounts: BTreeMap::new(),
            leases: BTreeMap::new(),
            events: BTreeMap::new(),
            reclaimed: Vec::new(),
            told: Vec::new(),
            deposits: BTreeSet::new(),
            clock: LedgerClock::default(),
            rules,
            last_lease: 0,
            clock_error_ms: 0,
            fault,
        }
    }

    /// The ledger's time when it truly is `now`.
    pub(crate) fn time(&self, now: UnixMillis) -> UnixMillis {
        UnixMillis(now.0.saturating_add_signed(self.clock_error_ms))
    }

    /// An event; false where it is known.
    pub(crate) fn event(&mut self, event: &Event, now: UnixMillis) -> bool {
        let now = self.time(now);
        if self.events.contains_key(&event.event_id) && self.fault != Some(Fault::SettleTwice) {
            return false;
        }
        let mut booked = Vec::new();
        for (at, charge) in event.charges.iter().enumerate() {
            let is_last = at + 1 == event.charges.len();
            let charge_is_lost = is_last && self.fault == Some(Fault::LoseACharge);
            booked.push(self.charge(charge, event.time.into(), now, charge_is_lost));
        }
        self.events.insert(event.event_id.clone(), booked);
        true
    }

    /// Takes back what has run out.
    pub(crate) fn sweep(&mut self, now: UnixMillis) {
        let now = self.beat(now);
        let keys: Vec<AccountKey> = self.accounts.keys().copied().collect();
        for key in keys {
            let mut line = self.line(key);
            self.reclaim(&mut line, now);
            self.write(key, &line);
        }
    }

    /// Says that the ledger lives; what time it has.
    pub(crate) fn beat(&mut self, now: UnixMillis) -> UnixMillis {
        let now = self.time(now);
        if self.fault == Some(Fault::ForgetThatTheLedgerWasAway) {
            self.clock.last = now;
        }
        self.clock.beat(now);
        now
    }

    /// A deposit; false where its key was seen before.
    pub(crate) fn deposit(&mut self, budget: usize, key: u64, amount: u64, now: UnixMillis) -> bool {
        let now = self.time(now);
        if !self.deposits.insert((budget, key)) && self.fault != Some(Fault::DepositTwice) {
            return false;
        }
        let account = self.account_of_now(budget, now);
        self.budgets[budget].amount += amount;
        self.accounts.get_mut(&account).unwrap().deposit(amount);
        self.version += 1;
        true
    }

    /// An administrator sets an amount: of the window of now, and of those to come.
    pub(crate) fn set_amount(&mut self, budget: usize, amount: u64, now: UnixMillis) {
        let now = self.time(now);
        let key = self.account_of_now(budget, now);
        self.budgets[budget].amount = amount;
        self.accounts.get_mut(&key).unwrap().amount = amount;
        self.version += 1;
    }

    /// The account that a budget has now, made where there is none.
    pub(crate) fn account_of_now(&mut self, at: usize, now: UnixMillis) -> AccountKey {
        let of_budget = (at, UnixMillis(0))..=(at, now);
        let known = self.accounts.range(of_budget).next_back();
        if let Some((key, _)) = known.filter(|(_, account)| account.window.contains(now)) {
            return *key;
        }
        let budget = &self.budgets[at];
        let window = budget
            .period
            .window(budget.start_day, now, &self.zones[at])
            .unwrap();
        let key = (at, window.start);
        self.accounts
            .entry(key)
            .or_insert_with(|| Account::new(window, budget.amount, budget.enforcement));
        key
    }

    /// The budgets that a request is paid from.
    pub(crate) fn applying(&self, facts: &Facts) -> Vec<usize> {
        let budgets = self.budgets.iter().enumerate();
        budgets
            .filter(|(_, budget)| budget.subject.fits(facts))
            .map(|(at, _)| at)
            .collect()
    }

    fn charge(&mut self, charge: &BudgetCharge, time: UnixMillis, now: UnixMillis, is_lost: bool) -> Booked {
        let lease = charge.lease_id.and_then(|id| self.leases.get(&id)).cloned();
        let key = match &lease {
            Some((key, _)) if self.fault != Some(Fault::ChargeTheAccountOfNow) => *key,
            Some(_) => self.account_of_now(number(&charge.budget_id), now),
            None => self.account_of_now(number(&charge.budget_id), time),
        };
        let mut account = self.accounts[&key].clone();
        let mut lease = lease.map(|(_, lease)| lease);
        let overrun = account.overrun;
        let settled = account.settle(charge, lease.as_mut());
        if self.fault == Some(Fault::ForgetOverruns) {
            account.overrun = overrun;
        }
        if !is_lost {
            self.accounts.insert(key, account);
            if let Some(lease) = lease {
                let row = self.leases.get_mut(&lease.id).unwrap();
                row.1 = lease;
            }
        }
        if self.fault != Some(Fault::TellNoThreshold) {
            self.cross(key, false);
        }
        Booked {
            account: key,
            charge: charge.clone(),
            manner: settled.manner,
            overrun: settled.overrun,
        }
    }

    pub(crate) fn cross(&mut self, key: AccountKey, refused: bool) {
        let thresholds = &self.budgets[key.0].thresholds;
        let account = self.accounts.get_mut(&key).unwrap();
        let told = account.told.clone();
        let crossed = account.cross(thresholds, refused);
        if self.fault == Some(Fault::TellThresholdTwice) {
            account.told = told;
        }
        self.told
            .extend(crossed.into_iter().map(|percent| (key, percent)));
    }

    pub(crate) fn reclaim(&mut self, line: &mut Line, now: UnixMillis) {
        let rules = LeaseRules {
            grace_ms: if self.fault == Some(Fault::ReclaimTooEarly) {
                0
            } else {
                self.rules.grace_ms
            },
            ..self.rules
        };
        let before = line.leases.clone();
        let reclaimed = line.reclaim(now, &self.clock, &rules);
        if self.fault == Some(Fault::ForgetToClose) && !reclaimed.is_empty() {
            line.leases = before;
        }
        if self.fault != Some(Fault::ReclaimWithoutAWord) {
            self.reclaimed.extend(reclaimed);
        }
    }

    pub(crate) fn line(&self, key: AccountKey) -> Line {
        let budget = &self.budgets[key.0];
        let leases = self.leases.values();
        Line {
            budget_id: budget.name.clone(),
            unit: budget.unit,
            account: self.accounts[&key].clone(),
            leases: leases
                .filter(|(account, lease)| *account == key && lease.stage != Stage::Closed)
                .map(|(_, lease)| lease.clone())
                .collect(),
            raise_ends: RaiseEnds::default(),
        }
    }

    pub(crate) fn write(&mut self, key: AccountKey, line: &Line) {
        self.accounts.insert(key, line.account.clone());
        for lease in &line.leases {
            self.leases.insert(lease.id, (key, lease.clone()));
        }
    }
}

/// Whether requests are paid from leases of a budget.
pub(crate) fn is_leased(budget: &Budget) -> bool {
    budget.enforcement == Enforcement::Hard && budget.period != Period::Request
}

/// A budget's number, from its id: `b2`.
pub(crate) fn number(budget_id: &str) -> usize {
    budget_id.trim_start_matches('b').parse().unwrap()
}
