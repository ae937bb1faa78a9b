//! What holds in whatever order things happen.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_corrupt_cell_panics_nothing(bytes: Vec<u8>, cut in 0_usize..400) {
        let fixture = Fixture::leased(100);
        let _open = fixture.reserve(10).unwrap();
        let key = fixture.cells.keys().into_iter().find(|key| key.contains("/s/")).unwrap();
        let whole = fixture.cells.peek(&key);
        for broken in [&bytes[..], &whole[..cut.min(whole.len())]] {
            fixture.cells.poke(&key, broken);
            let _ = fixture.reserve(1);
            let _ = fixture.purse.report(&fixture.cells, &mut 0, NOW);
        }
    }

    #[test]
    fn no_order_of_calls_reserves_more_than_was_granted(ops in prop::collection::vec((0..5_u8, 0..80_u64, 0..3_usize), 1..60)) {
        let fixture = Fixture::leased(0);
        let (mut granted, mut spent) = (0, 0);
        let mut open: Vec<(Reservation, u64)> = Vec::new();
        for (kind, amount, which) in ops {
            match kind {
                0 => {
                    granted += amount;
                    fixture.install(state(1, granted), NOW, NOW);
                }
                1 if which < open.len() => {
                    let (reservation, reserved) = open.swap_remove(which);
                    let used = reserved * amount / 100;
                    spent += used;
                    fixture.purse.settle(&fixture.cells, reservation, &usd(used), NOW);
                }
                2 if which < open.len() => {
                    fixture.purse.cancel(&fixture.cells, open.swap_remove(which).0, NOW);
                }
                _ => {
                    if let Ok(reservation) = fixture.reserve(amount) {
                        open.push((reservation, amount));
                    }
                }
            }
            let reserved: u64 = open.iter().map(|(_, amount)| amount).sum();
            prop_assert!(spent + reserved <= granted);
            prop_assert_eq!(fixture.left(NOW), granted - spent - reserved);
        }
    }

    #[test]
    fn no_interleaving_of_reserving_settling_reporting_and_dying_workers_frees_money_that_is_in_use(
        steps in prop::collection::vec((0..7_u8, 0..60_u64, 0..3_u64, 0..4_usize, 0..5_u32), 1..80),
    ) {
        let fixture = Fixture::new(vec![
            budget("a", Some(state(1, 100))),
            budget("b", Some(state(2, 60))),
        ]);
        let granted = |hold: &LeaseHold| if hold.lease_id == LeaseId(1) { 100 } else { 60 };
        // What is reserved, by which worker; what has been charged, or is lost with a worker.
        let mut open: Vec<(u64, Reservation, u64)> = Vec::new();
        let mut gone = 0;
        for (kind, amount, worker, which, conflicts) in steps {
            fixture.cells.conflict_next(conflicts);
            match kind {
                0..=2 => {
                    let before = fixture.report(NOW);
                    let tag = WorkerTag(worker);
                    match fixture.purse.reserve(
                        &fixture.cells, &fixture.set, &usd(amount), WhenShort::Ask, tag, NOW,
                    ) {
                        Ok(reservation) => open.push((worker, reservation, amount)),
                        Err(_) => prop_assert_eq!(fixture.report(NOW), before, "a refusal changes nothing"),
                    }
                }
                3 if which < open.len() => {
                    let (_, reservation, reserved) = open.swap_remove(which);
                    let used = reserved * amount / 60;
                    gone += used;
                    fixture.purse.settle(&fixture.cells, reservation, &usd(used), NOW);
                }
                4 if which < open.len() => {
                    let (_, reservation, _) = open.swap_remove(which);
                    fixture.purse.cancel(&fixture.cells, reservation, NOW);
                }
                5 => {
                    fixture.purse.worker_lost(&fixture.cells, WorkerTag(worker)).unwrap();
                    open.retain(|(of, _, reserved)| {
                        if *of == worker {
                            gone += reserved;
                        }
                        *of != worker
                    });
                }
                _ => {
                    for id in [1, 2] {
                        let lease = LeaseState { scarce: amount % 2 == 0, ..state(id, 0) };
                        let budget_id = if id == 1 { "a" } else { "b" };
                        let lease = ReportedLease {
                            budget_id: budget_id.to_owned(),
                            amount: 1_000,
                            spent: 0,
                            period_ends_in_ms: Some(1_000_000),
                            lease,
                        };
                        let answer = LeaseReportAnswer { version: 1, leases: vec![lease] };
                        fixture.purse.reported(&fixture.cells, &answer, NOW, NOW).unwrap();
                    }
                }
            }
            let in_use: u64 = gone + open.iter().map(|(_, _, reserved)| reserved).sum::<u64>();
            for hold in fixture.report(NOW) {
                prop_assert_eq!(hold.used, in_use);
                prop_assert!(hold.used + hold.returned <= granted(&hold), "{:?}", hold);
            }
        }
    }
}
