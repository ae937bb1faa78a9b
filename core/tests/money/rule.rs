//! The rules that hold after each step.

/// A rule of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// `spent + leased <= amount`, but for overruns with a reason.
    NeverOverspent,
    /// What is spent is the sum of what the events charge.
    SpentIsTheSumOfEvents,
    /// What is leased is the sum of what leases may still charge.
    LeasedIsTheSumOfLeases,
    /// Overruns and debts are counted to the nano-dollar.
    OverrunsAreCounted,
    /// An exchange has one event, and an exchange that did not reach the provider no more than one.
    OneEventEach,
    /// An event charges what the exchange came to, or what it had reserved.
    ChargedAsRecorded,
    /// Gateways use no more of a lease than the ledger has granted and not got back.
    ReservedWithinGranted,
    /// What a gateway reports of a lease is what its exchanges hold of it.
    ReportedAsReserved,
    /// What a dead gateway had in flight is within what the ledger says it took back.
    InFlightIsReported,
    /// A refused request leaves every book as it was.
    RefusalBurnsNothing,
    /// No request is refused while there is money for it.
    RefusedForAReason,
    /// Each threshold is told, and once.
    ThresholdsToldOnce,
    /// A budget's amount is what was set and paid in.
    AmountAsSet,
    /// When nothing goes on any more nothing is leased, reserved or waited for.
    NothingIsLeftOver,
}

/// A rule that does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) how: String,
}

// === impl Rule ===

impl Rule {
    pub(crate) const ALL: [Self; 14] = [
        Self::NeverOverspent,
        Self::SpentIsTheSumOfEvents,
        Self::LeasedIsTheSumOfLeases,
        Self::OverrunsAreCounted,
        Self::OneEventEach,
        Self::ChargedAsRecorded,
        Self::ReservedWithinGranted,
        Self::ReportedAsReserved,
        Self::InFlightIsReported,
        Self::RefusalBurnsNothing,
        Self::RefusedForAReason,
        Self::ThresholdsToldOnce,
        Self::AmountAsSet,
        Self::NothingIsLeftOver,
    ];
}
