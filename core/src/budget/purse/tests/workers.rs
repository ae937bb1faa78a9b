//! What holds of workers with subleases, in whatever order things happen.

use proptest::prelude::*;

use super::*;
use crate::budget::purse::sublease::SHARE;

/// Several workers, and what they have in truth done with each lease.
struct Workers {
    fixture: Fixture,
    own: Vec<Subleases>,
    open: Vec<(usize, Reservation, u64)>,
    lease: u64,
    granted: Vec<u64>,
    /// What is charged or reserved of each lease; by how much exchanges cost more than they had reserved.
    used: Vec<u64>,
    dearer: Vec<u64>,
    /// What was lost with a worker that died, at most, beside what its exchanges had reserved.
    has_lost: bool,
    now: UnixMillis,
}

const WORKERS: usize = 3;

impl Workers {
    fn new(granted: u64) -> Self {
        Self {
            fixture: Fixture::leased(granted),
            own: (0..WORKERS)
                .map(|at| Subleases::new(WorkerTag(at as u64)))
                .collect(),
            open: Vec::new(),
            lease: 1,
            granted: vec![0, granted],
            used: vec![0, 0],
            dearer: vec![0, 0],
            has_lost: false,
            now: NOW,
        }
    }

    /// One request of one worker; whether the refusal, where it is one, has a reason.
    fn reserve(&mut self, at: usize, amount: u64) -> Result<(), TestCaseError> {
        let Fixture { cells, purse, set } = &self.fixture;
        let own = &mut self.own[at];
        match own.reserve(purse, cells, set, &usd(amount), WhenShort::Ask, self.now) {
            Ok(reservation) => {
                let lease = reservation.charges_if_lost()[0].lease_id.unwrap();
                self.used[lease.0 as usize] += amount;
                self.open.push((at, reservation, amount));
            }
            Err(error) => {
                prop_assert_eq!(error, NotReserved::Short(0));
                let lease = self.lease as usize;
                let held = self.fixture.held(self.lease).unwrap();
                let gone = self.used[lease] + self.dearer[lease] + held.returned;
                let left = self.granted[lease].saturating_sub(gone);
                // Of each sublease as much as may be free at most.
                let held_by_others = (WORKERS as u64 - 1) * 2 * (self.granted[lease] / SHARE);
                prop_assert!(
                    self.has_lost || !held.is_open(self.now) || left < amount + held_by_others,
                    "{} is left, {} was refused",
                    left,
                    amount
                );
            }
        }
        Ok(())
    }

    fn settle(&mut self, which: usize, percent: u64) {
        if self.open.is_empty() {
            return;
        }
        let (at, reservation, amount) = self.open.swap_remove(which % self.open.len());
        let lease = reservation.charges_if_lost()[0].lease_id.unwrap().0 as usize;
        let used = amount * percent / 100;
        self.used[lease] = self.used[lease] - amount + used.min(amount);
        self.dearer[lease] += used.saturating_sub(amount);
        let Fixture { cells, purse, .. } = &self.fixture;
        self.own[at].settle(purse, cells, reservation, &usd(used), self.now);
    }

    fn die(&mut self, at: usize) {
        self.has_lost = true;
        self.own[at] = Subleases::new(WorkerTag(at as u64));
        let Fixture { cells, purse, .. } = &self.fixture;
        purse.worker_lost(cells, WorkerTag(at as u64)).unwrap();
        self.open.retain(|(of, ..)| *of != at);
    }

    fn flush(&mut self, at: usize) {
        let Fixture { cells, purse, .. } = &self.fixture;
        self.own[at].flush(purse, cells, self.now);
    }

    fn replace_lease(&mut self, granted: u64) {
        self.lease += 1;
        self.granted.push(granted);
        self.used.push(0);
        self.dearer.push(0);
        self.fixture
            .install(state(self.lease, granted), self.now, self.now);
    }

    /// Every entry covers what is in use, and no more than there is.
    fn check(&self) -> Result<(), TestCaseError> {
        for lease in 1..=self.lease {
            // The oldest leases are forgotten.
            let Some(held) = self.fixture.held(lease) else {
                continue;
            };
            let at = lease as usize;
            prop_assert!(held.used() >= self.used[at], "{:?}", held);
            prop_assert!(
                held.used() + held.returned <= self.granted[at] + self.dearer[at],
                "{:?}, dearer by {}",
                held,
                self.dearer[at]
            );
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_order_of_workers_ticks_deaths_and_leases_spends_more_than_there_is_or_refuses_without_a_reason(
        granted in 100..60_000_u64,
        steps in prop::collection::vec((0..20_u8, 1..40_u64, 0..WORKERS, 0..8_usize, 0..4_u32), 1..250),
        deaths: bool,
    ) {
        let mut workers = Workers::new(granted);
        for (kind, amount, at, which, conflicts) in steps {
            if kind > 17 {
                workers.fixture.cells.conflict_next(conflicts);
            }
            match kind {
                0..=7 => workers.reserve(at, amount)?,
                8..=13 => workers.settle(which, amount * 3),
                14..=15 => workers.flush(at),
                16 if deaths && which == 0 => workers.die(at),
                17 if which == 0 => workers.replace_lease(granted / 2 + amount),
                18 => workers.now = workers.now.plus(amount * 3),
                _ if which < 2 => {
                    workers.fixture.report(workers.now);
                    let lease = LeaseState { scarce: which == 0, ..state(workers.lease, 0) };
                    workers.fixture.reported(lease, workers.now);
                }
                _ => {}
            }
            workers.check()?;
        }
        while !workers.open.is_empty() {
            workers.settle(0, 70);
        }
        for own in &mut workers.own {
            own.close(&workers.fixture.purse, &workers.fixture.cells, workers.now);
        }
        workers.check()?;
        for lease in 1..=workers.lease {
            let in_truth = workers.used[lease as usize] + workers.dearer[lease as usize];
            let held = workers.fixture.held(lease);
            prop_assert!(deaths || held.is_none_or(|held| held.used() == in_truth), "{}", in_truth);
        }
    }
}
