//! The simulation finds every fault that is built into it.

use std::collections::BTreeSet;

use crate::fault::Fault;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::verdict::outcome;

/// Schedules in which a fault must have been found.
const MAX_SCHEDULES: u64 = 100;

/// The first rule that a fault breaks, and how.
fn find(fault: Fault) -> Option<(Rule, String)> {
    (0..MAX_SCHEDULES).find_map(|seed| {
        let plan = Plan::against(fault, seed);
        let broken = outcome(plan, seed, Some(fault), false).broken?;
        Some((broken.rule, broken.how))
    })
}

#[test]
fn every_fault_is_found_by_the_rule_that_it_breaks() {
    for (fault, rule) in Fault::ALL {
        match find(fault) {
            Some((found, how)) => assert_eq!(found, rule, "{fault:?} broke another rule first: {how}"),
            None => panic!("{MAX_SCHEDULES} schedules did not find {fault:?}"),
        }
    }
}

#[test]
fn every_rule_finds_a_fault() {
    let proven: BTreeSet<Rule> = Fault::ALL.iter().map(|(_, rule)| *rule).collect();
    assert_eq!(proven, BTreeSet::from(Rule::ALL));
}
