//! How often an address may try to sign in: a count for each, in bounded memory.
//!
//! Each sidecar counts for itself. What is tried is counted before it is checked, so that many tries at once are no
//! more than the same tries one after another.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Tries of one address within [`WINDOW`].
const TRIES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are counted apart. Those beyond share one count.
const ADDRESSES: usize = 10_000;
/// What those share.
const EVERYBODY_ELSE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Counts tries to sign in.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<IpAddr, Tries>>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    since: Timestamp,
    count: u32,
}

/// Too many tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    /// When to try again.
    pub(super) retry_after: Duration,
}

// === impl Throttle ===

impl Throttle {
    /// Counts a try.
    ///
    /// # Errors
    /// [`TooMany`] where it may not be made.
    pub(super) fn count(&self, address: IpAddr, now: Timestamp) -> Result<(), TooMany> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut who = network(address);
        if !all.contains_key(&who) && all.len() >= ADDRESSES {
            all.retain(|_, tries| tries.age(now).is_some());
            if all.len() >= ADDRESSES {
                who = EVERYBODY_ELSE;
            }
        }
        let tries = all.entry(who).or_insert(Tries { since: now, count: 0 });
        let Some(age) = tries.age(now) else {
            *tries = Tries { since: now, count: 1 };
            return Ok(());
        };
        if tries.count >= TRIES {
            return Err(TooMany {
                retry_after: WINDOW.saturating_sub(age),
            });
        }
        tries.count += 1;
        Ok(())
    }

    /// Forgets the tries of an address that has signed in.
    pub(super) fn forget(&self, address: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&network(address));
    }
}

// === impl Tries ===

impl Tries {
    /// How long they have been counted; none where that is over, or the clock has jumped back.
    fn age(self, now: Timestamp) -> Option<Duration> {
        let age = Duration::try_from(now.duration_since(self.since)).ok()?;
        (age < WINDOW).then_some(age)
    }
}

/// One host has all of an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn v4(last: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + last).into())
    }

    #[test]
    fn the_eleventh_try_of_a_minute_waits_for_the_next() {
        let throttle = Throttle::default();
        for _ in 0..TRIES {
            assert_eq!(throttle.count(v4(1), at(0)), Ok(()));
        }
        let retry_after = Duration::from_secs(50);
        assert_eq!(throttle.count(v4(1), at(10)), Err(TooMany { retry_after }));
        assert_eq!(throttle.count(v4(2), at(10)), Ok(()), "another address");
        assert_eq!(throttle.count(v4(1), at(60)), Ok(()));
    }

    #[test]
    fn who_has_signed_in_begins_anew() {
        let throttle = Throttle::default();
        for _ in 0..TRIES {
            throttle.count(v4(1), at(0)).unwrap();
        }
        throttle.forget(v4(1));
        assert_eq!(throttle.count(v4(1), at(1)), Ok(()));
    }

    #[test]
    fn a_clock_that_jumps_back_locks_nobody_out() {
        let throttle = Throttle::default();
        for _ in 0..TRIES {
            throttle.count(v4(1), at(1_000)).unwrap();
        }
        assert_eq!(throttle.count(v4(1), at(0)), Ok(()));
    }

    #[test]
    fn the_addresses_of_one_host_count_together() {
        let throttle = Throttle::default();
        for host in 0..TRIES {
            let address = format!("2001:db8::{host:x}").parse().unwrap();
            throttle.count(address, at(0)).unwrap();
        }
        let more = |address: &str| throttle.count(address.parse().unwrap(), at(0));
        assert!(more("2001:db8::ffff").is_err());
        assert!(more("2001:db8:0:1::1").is_ok(), "another network");
    }

    #[test]
    fn memory_is_bounded_and_nobody_is_let_off() {
        let throttle = Throttle::default();
        for address in 0..20_000 {
            let _ = throttle.count(v4(address), at(0));
        }
        assert!(throttle.0.lock().unwrap().len() <= ADDRESSES + 1);
        assert!(
            throttle.count(v4(30_000), at(1)).is_err(),
            "those beyond share a count"
        );
        assert_eq!(throttle.count(v4(30_000), at(61)), Ok(()));
    }
}
