//! Whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Ask {
        who: usize,
        need: u64,
        waiting: u64,
        recent: u64,
    },
    Report {
        who: usize,
        back: u64,
        done: bool,
    },
    Settle {
        lease: usize,
        part: u64,
    },
    Reclaim {
        after_ms: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..3_usize, 1..60_u64, 0..200_u64, 0..500_u64).prop_map(|(who, need, waiting, recent)| Op::Ask {
            who,
            need,
            waiting,
            recent
        }),
        (0..3_usize, 0..50_u64, any::<bool>()).prop_map(|(who, back, done)| Op::Report { who, back, done }),
        (0..6_usize, 0..100_u64).prop_map(|(lease, part)| Op::Settle { lease, part }),
        (0..20_000_u64).prop_map(|after_ms| Op::Reclaim { after_ms }),
    ]
}

proptest! {
    #[test]
    fn no_order_of_events_overspends(amount in 0..2_000_u64, ops in prop::collection::vec(op(), 1..80)) {
        let mut lines = [line(amount)];
        let mut now = NOW;
        for op in ops {
            match op {
                Op::Ask { who, need, waiting, recent } => {
                    let names = ["a", "b", "c"];
                    let holds: Vec<LeaseHold> = lines[0]
                        .usable(names[who], now, &rules())
                        .map(|lease| LeaseHold { waiting, recent, ..hold(lease.id.0, lease.returned, lease.granted - lease.returned) })
                        .into_iter()
                        .collect();
                    let before = lines[0].account.room();
                    let asked = ask_at(&mut lines, names[who], need, need, &holds, now);
                    if before >= need {
                        prop_assert_eq!(asked, Ok(()));
                    }
                }
                Op::Report { who, back, done } => {
                    let name = ["a", "b", "c"][who];
                    let held = lines[0].usable(name, now, &rules()).map(|lease| {
                        let returned = (lease.returned + back).min(lease.granted - lease.settled);
                        LeaseHold { done, ..hold(lease.id.0, returned, lease.granted - returned) }
                    });
                    if let Some(held) = held {
                        lines[0].report(name, &held, now, &rules());
                    }
                }
                Op::Settle { lease, part } => {
                    let Line { account, leases, .. } = &mut lines[0];
                    if let Some(lease) = leases.get_mut(lease) {
                        let charged = lease.outstanding() * part / 100;
                        account.settle(&charge(Some(lease.id.0), charged), Some(lease));
                    }
                }
                Op::Reclaim { after_ms } => {
                    now = now.plus(after_ms);
                    lines[0].reclaim(now, &LedgerClock::default(), &rules());
                }
            }
            let Line { account, leases, .. } = &lines[0];
            prop_assert!(account.committed() <= amount);
            prop_assert_eq!(account.leased, leases.iter().map(Lease::outstanding).sum::<u64>());
            prop_assert_eq!(account.overrun, 0);
        }
    }

    #[test]
    fn others_find_a_request_worth_while_a_lease_is_cut_ahead(
        amount in 1_u64..1_000_000,
        need in 1_u64..1_000,
        recent in 0_u64..1_000_000,
        gateways in 1_usize..8,
    ) {
        let mut lines = [line(amount)];
        for gateway in 0..gateways {
            let before = lines[0].account.room();
            let asked = ask(&mut lines, &gateway.to_string(), need, &[]);
            prop_assert_eq!(asked.is_ok(), before >= need);
            let Some(lease) = lines[0].usable(&gateway.to_string(), NOW, &rules()) else { continue };
            let busy = LeaseHold { recent, ..hold(lease.id.0, 0, need) };
            lines[0].report(&gateway.to_string(), &busy, NOW, &rules());
            let ahead = before - need - lines[0].account.room();
            prop_assert!(ahead == 0 || lines[0].account.room() >= need);
        }
    }
}
