//! Money, simulated: gateways, sidecars and a ledger in virtual time, with every message and every process at risk.
//!
//! The gateways run the filter's own decisions (exchanges, purse, journal) on cells in memory; the ledger's
//! transactions call `tollgate_core::budget::ledger`. Around them all is a world that one seed decides: what clients
//! send, which messages are lost, late or doubled, which process dies at which step, whose clock jumps. After each
//! step the books are held against the rules (`books`, `rule`), and when all is calm again, nothing may be left over (`verdict`).
//!
//! A rule that does not hold names its seed. To see all that happened in that schedule:
//! `TOLLGATE_MONEY_SEED=stormy:17 cargo test -p tollgate-core --test money storms -- --nocapture`. To run more of them:
//! `TOLLGATE_MONEY_SCHEDULES=100000`.
//!
//! That the rules would find errors is shown by building errors in (`fault`, `faults_found`).

#[cfg(test)]
mod books;
#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cells;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod faults_found;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod leasing;
#[cfg(test)]
mod left;
#[cfg(test)]
mod network;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rule;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod sidecar;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tally;
#[cfg(test)]
mod troubles;
#[cfg(test)]
mod verdict;
#[cfg(test)]
mod weather;
#[cfg(test)]
mod worker;
#[cfg(test)]
mod world;
