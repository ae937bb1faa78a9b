//! Granting: the leases of all budgets that a request is paid from grow, or none does.

use super::lease::Lease;
use super::{LeaseRules, Line};
use crate::budget::unit::Amounts;
use crate::time::UnixMillis;
use crate::wire::{LeaseHold, LeaseId, LeaseRequest};

/// What a gateway asks for: see [`LeaseRequest`].
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The gateway process.
    pub instance: &'a str,
    /// What the waiting request needs.
    pub need: Amounts,
    /// With how little it would go on.
    pub least: Amounts,
    /// Leases in hand.
    pub holds: &'a [LeaseHold],
}

/// A budget that cannot pay the request. No lease has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// Which of the lines.
    pub line: usize,
    /// How much the gateway could have had.
    pub available: u64,
    /// Whether what is leased but not spent could pay it, should it come back: then it is worth to wait.
    pub may_return: bool,
}

/// What a lease is to be cut for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// What one request needs, or needed last.
    pub(super) single: u64,
    /// What waiting requests need.
    pub(super) waiting: u64,
    /// What would be good to have beyond that.
    pub(super) ahead: u64,
}

// === impl Ask ===

impl<'a> From<&'a LeaseRequest> for Ask<'a> {
    fn from(request: &'a LeaseRequest) -> Self {
        Self {
            instance: &request.instance,
            need: request.need,
            least: request.least,
            holds: &request.holds,
        }
    }
}

// === impl Line ===

impl Line {
    /// The lease to grow. Not one that is older than one the gateway names: the ledger's clock has jumped back
    /// over the end of a period, and the gateway keeps to the newest lease that it knows.
    fn grantable_at(&self, ask: &Ask<'_>, now: UnixMillis, rules: &LeaseRules) -> Option<usize> {
        let named = ask.holds.iter().filter(|hold| hold.budget_id == self.budget_id);
        let newest = named.map(|hold| hold.lease_id).max();
        let at = self.usable_at(ask.instance, now, rules)?;
        let id = self.leases.get(at)?.id;
        newest.is_none_or(|newest| newest <= id).then_some(at)
    }

    /// How much a gateway could have of a lease (a new one, where it has none) with all that is left.
    fn available(&self, lease: Option<&Lease>) -> u64 {
        lease.map_or_else(
            || self.account.room(),
            |lease| {
                let most = lease.granted.saturating_add(self.most_growth(lease));
                most.saturating_sub(lease.taken())
            },
        )
    }

    /// By how much a lease may grow. Where more was charged than granted, the difference is spent already.
    fn most_growth(&self, lease: &Lease) -> u64 {
        let owed = lease.gone().saturating_sub(lease.granted);
        self.account.room().saturating_add(owed)
    }

    /// Grows a lease towards a wish, as far as there is room.
    pub(super) fn grow(&mut self, at: usize, wish: Wish, rules: &LeaseRules) {
        let Some(lease) = self.leases.get(at) else { return };
        let most = self.most_growth(lease);
        let free = |granted: u64| granted.saturating_sub(lease.taken());
        let needed = wish.waiting.saturating_add(lease.taken());
        let growth = needed.saturating_sub(lease.granted).min(most);
        let granted = lease.granted.saturating_add(growth);
        let beyond = free(granted).saturating_sub(wish.waiting);
        self.grant_to(at, granted);
        let surplus = wish.ahead.saturating_sub(beyond).min(self.share(rules));
        // Less than one request's worth is of no use here, and may be what another gateway needs.
        if surplus > 0 && surplus >= wish.single {
            self.grant_to(at, granted.saturating_add(surplus));
        }
    }

    fn grant_to(&mut self, at: usize, granted: u64) {
        if let Some(lease) = self.leases.get_mut(at) {
            self.account
                .change(lease, |lease| lease.granted = lease.granted.max(granted));
        }
    }
}

/// Grows the leases of a gateway so that a request can be paid, in all accounts or in none. `lines` are the
/// accounts of hard budgets, [reclaimed](Line::reclaim) before; `next_id` numbers new leases upwards.
///
/// Where not everything that the request needs is left, but what it needs at least, that is what leases grow to.
/// Near a budget's end a lease grows by what waits and no more, so that what is left is there for every gateway.
///
/// A gateway that names no lease of its own here never heard of one: it keeps each until the ledger has closed
/// it. So a lease that the ledger still has open for it is one whose announcement was lost or is on its way, and
/// is announced again.
///
/// # Errors
/// The first budget that cannot pay even `least`.
pub fn grant(
    lines: &mut [Line],
    ask: &Ask<'_>,
    now: UnixMillis,
    rules: &LeaseRules,
    next_id: &mut dyn FnMut() -> LeaseId,
) -> Result<(), Denied> {
    for line in lines.iter_mut() {
        line.observe(ask.instance, ask.holds, now, rules);
    }
    for (at, line) in lines.iter().enumerate() {
        let lease = line.grantable_at(ask, now, rules);
        let available = line.available(lease.and_then(|at| line.leases.get(at)));
        let least = ask.least.of(line.unit);
        if available < least {
            return Err(Denied {
                line: at,
                available,
                may_return: line.account.amount.saturating_sub(line.account.spent) >= least,
            });
        }
    }
    for line in lines {
        let need = ask.need.of(line.unit);
        let end = line.end_of_lease(now, rules);
        let at = line.grantable_at(ask, now, rules).unwrap_or_else(|| {
            let lease = Lease::new(next_id(), ask.instance, now, end);
            line.leases.push(lease);
            line.leases.len() - 1
        });
        let Some(lease) = line.leases.get_mut(at) else {
            continue;
        };
        lease.need = need;
        lease.renew(end, now, rules);
        let hold = ask.holds.iter().find(|hold| hold.lease_id == lease.id);
        let wish = Wish {
            single: need,
            waiting: hold.map_or(0, |hold| hold.waiting).max(need),
            ahead: hold
                .map_or(0, |hold| hold.recent)
                .max(need.saturating_mul(rules.ahead)),
        };
        line.grow(at, wish, rules);
    }
    Ok(())
}
