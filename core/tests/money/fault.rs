//! Faults to build into the simulated world, so that its rules are seen to find them.

use crate::rule::Rule;

/// An error on purpose. Each breaks one thing that the real parts must do, or that a store of the ledger's rows or
/// the filter's glue must do around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An event that comes twice is applied twice.
    SettleTwice,
    /// An event's last charge is not written.
    LoseACharge,
    /// A charge is written to the account of now, not to that of its lease.
    ChargeTheAccountOfNow,
    /// A lease grows without a look at what is left.
    GrantWithoutRoom,
    /// Where a second budget refuses, the first one's lease has grown all the same.
    GrantOneByOne,
    /// A lease that is taken back is not closed.
    ForgetToClose,
    /// A lease is taken back while its gateway may still reserve from it.
    ReclaimTooEarly,
    /// Leases are taken back at once when the ledger comes back from being away.
    ForgetThatTheLedgerWasAway,
    /// What is given back stays leased.
    ReturnWithoutSubtracting,
    /// The thresholds that were told are not written.
    TellThresholdTwice,
    /// Nobody looks for thresholds after an event.
    TellNoThreshold,
    /// What is given back counts each time that it is told.
    ReturnTwice,
    /// By how much a charge went past the amount is not written.
    ForgetOverruns,
    /// What was taken back from a dead gateway is told to nobody.
    ReclaimWithoutAWord,
    /// An event is charged at what was reserved, whatever it came to.
    ChargeTheReservation,
    /// A deposit that comes twice counts twice.
    DepositTwice,
    /// A request is refused at once where money may come back.
    DoNotWait,
    /// Workers overwrite what others wrote meanwhile.
    LoseUpdates,
    /// What a dead worker had reserved is not written off.
    SkipWriteOff,
    /// Events count as sent before the sidecar has them.
    ForgetUnsentEvents,
    /// A new gateway process takes the name of the dead one.
    InheritTheInstance,
    /// A worker that died takes its open records with it.
    LoseOpenRecords,
    /// An event is sent under a new id each time.
    NameEventsAnew,
}

// === impl Fault ===

impl Fault {
    /// Every fault, with the rule that finds it.
    pub(crate) const ALL: [(Self, Rule); 23] = [
        (Self::SettleTwice, Rule::OneEventEach),
        (Self::LoseACharge, Rule::SpentIsTheSumOfEvents),
        (Self::ChargeTheAccountOfNow, Rule::LeasedIsTheSumOfLeases),
        (Self::GrantWithoutRoom, Rule::NeverOverspent),
        (Self::GrantOneByOne, Rule::RefusalBurnsNothing),
        (Self::ForgetToClose, Rule::LeasedIsTheSumOfLeases),
        (Self::ReclaimTooEarly, Rule::NeverOverspent),
        (Self::ForgetThatTheLedgerWasAway, Rule::NeverOverspent),
        (Self::ReturnWithoutSubtracting, Rule::LeasedIsTheSumOfLeases),
        (Self::ReturnTwice, Rule::ReservedWithinGranted),
        (Self::ForgetOverruns, Rule::OverrunsAreCounted),
        (Self::ReclaimWithoutAWord, Rule::InFlightIsReported),
        (Self::ChargeTheReservation, Rule::ChargedAsRecorded),
        (Self::TellThresholdTwice, Rule::ThresholdsToldOnce),
        (Self::TellNoThreshold, Rule::ThresholdsToldOnce),
        (Self::DepositTwice, Rule::AmountAsSet),
        (Self::DoNotWait, Rule::RefusedForAReason),
        (Self::LoseUpdates, Rule::ReservedWithinGranted),
        (Self::SkipWriteOff, Rule::NothingIsLeftOver),
        (Self::ForgetUnsentEvents, Rule::OneEventEach),
        (Self::InheritTheInstance, Rule::ReportedAsReserved),
        (Self::LoseOpenRecords, Rule::OneEventEach),
        (Self::NameEventsAnew, Rule::OneEventEach),
    ];
}
