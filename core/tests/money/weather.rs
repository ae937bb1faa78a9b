//! What goes wrong in a schedule. A storm has some kinds of trouble and not others: what never happens together with
//! everything else would hide what two kinds do to each other.

use fastrand::Rng;

use crate::fault::Fault;
use crate::plan::{LONGEST_RESTART_MS, PRICES, Plan};

/// How likely things go wrong, in percent of messages or callbacks; and which kinds of [`Trouble`] there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    /// Messages that are lost.
    pub(crate) loss: u8,
    /// Messages that come twice.
    pub(crate) doubled: u8,
    /// Messages that take longer than their sender waits.
    pub(crate) late: u8,
    /// How long the others take at most, in milliseconds.
    pub(crate) delay_ms: u64,
    /// Callbacks in which another worker comes in between.
    pub(crate) intrusions: u8,
    /// Callbacks in which conditional writes conflict.
    pub(crate) conflicts: u8,
    /// Callbacks in which the host refuses calls.
    pub(crate) refusals: u8,
    /// Calls in which the sidecar dies.
    pub(crate) sidecar_deaths: u8,
    /// Whether some answers cost more than was reserved for them.
    pub(crate) dearer: bool,
    /// Whether requests ask for service tiers. What they need at least is unlike then, and a dear one that waits may be
    /// refused while cheaper ones take what comes back.
    pub(crate) tiers: bool,
    kinds: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    GatewayKilled,
    WorkerDead,
    WorkerStalled,
    CutOff,
    CutOffForLong,
    LedgerAway,
    LedgerClock,
    GatewayClock,
    Amount,
    Deposit,
    Prices,
}

/// Something that goes wrong, or is changed, at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// The gateway's process dies, and all its shared data with it; another one begins.
    GatewayKilled { gateway: usize, back_after_ms: u64 },
    /// A worker's VM dies after so many more calls of the host; another one begins.
    WorkerDead {
        gateway: usize,
        worker: usize,
        calls: u32,
    },
    /// A worker does nothing for a while, and then goes on.
    WorkerStalled {
        gateway: usize,
        worker: usize,
        for_ms: u64,
    },
    /// No message passes between a gateway and the sidecars.
    CutOff { gateway: usize, for_ms: u64 },
    /// No sidecar reaches the database.
    LedgerAway { for_ms: u64 },
    /// The ledger's clock jumps.
    LedgerClock { by_ms: i64 },
    /// A gateway's clock jumps.
    GatewayClock { gateway: usize, by_ms: i64 },
    /// An administrator sets a budget's amount, to so many percent of what it was at first.
    Amount { budget: usize, percent: u64 },
    /// Somebody pays into a prepaid balance, with a key of idempotency.
    Deposit { budget: usize, key: u64, amount: u64 },
    /// A gateway gets other prices.
    Prices { gateway: usize, variant: usize },
}

// === impl Weather ===

impl Weather {
    /// Messages take a moment, and that is all.
    pub(crate) fn quiet() -> Self {
        Self {
            delay_ms: 5,
            ..Self::default()
        }
    }

    /// Messages take a moment, and workers come in each other's way: a day like every other.
    pub(crate) fn calm() -> Self {
        Self {
            delay_ms: 30,
            intrusions: 20,
            conflicts: 5,
            ..Self::default()
        }
    }

    /// Some things go wrong.
    pub(crate) fn stormy(rng: &mut Rng) -> Self {
        const KINDS: [Kind; 11] = [
            Kind::GatewayKilled,
            Kind::WorkerDead,
            Kind::WorkerStalled,
            Kind::CutOff,
            Kind::CutOffForLong,
            Kind::LedgerAway,
            Kind::LedgerClock,
            Kind::GatewayClock,
            Kind::Amount,
            Kind::Deposit,
            Kind::Prices,
        ];
        let mut chance = |percent: u8| if rng.u8(0..3) == 0 { percent } else { 0 };
        let (loss, doubled, late, refusals, sidecar_deaths) =
            (chance(15), chance(15), chance(5), chance(2), chance(3));
        Self {
            loss,
            doubled,
            late,
            delay_ms: [5, 50, 900][rng.usize(0..3)],
            intrusions: 20,
            conflicts: 5,
            refusals,
            sidecar_deaths,
            dearer: rng.u8(0..5) == 0,
            tiers: false,
            kinds: KINDS.into_iter().filter(|_| rng.u8(0..4) == 0).collect(),
        }
    }

    /// What a fault shows in best.
    pub(crate) fn against(fault: Fault, rng: &mut Rng) -> Self {
        let only = |kind| Self {
            kinds: vec![kind],
            ..Self::calm()
        };
        match fault {
            Fault::DoNotWait | Fault::ChargeTheReservation => Self::calm(),
            Fault::LoseUpdates => Self {
                intrusions: 80,
                ..Self::calm()
            },
            Fault::DepositTwice => only(Kind::Deposit),
            Fault::ForgetThatTheLedgerWasAway | Fault::ForgetOverruns | Fault::ReclaimTooEarly => {
                only(Kind::LedgerAway)
            }
            Fault::SkipWriteOff | Fault::LoseOpenRecords => only(Kind::WorkerDead),
            Fault::InheritTheInstance | Fault::ReclaimWithoutAWord => only(Kind::GatewayKilled),
            _ => Self::stormy(rng),
        }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.loss == 0
            && self.doubled == 0
            && self.late == 0
            && self.delay_ms <= 30
            && self.refusals == 0
            && self.sidecar_deaths == 0
            && !self.dearer
            && self.kinds.is_empty()
    }

    /// Whether a gateway may fail to be heard by a living ledger for longer than a lease lasts: then, and only
    /// then, may its charges come when the money has gone to another.
    pub(crate) fn may_be_late(&self) -> bool {
        let for_long = [Kind::CutOffForLong, Kind::WorkerStalled];
        let is_unheard = self.kinds.iter().any(|kind| for_long.contains(kind));
        // Where an exchange may last as long as a clock leaps, its reservation is written off before its end.
        is_unheard || self.clocks_jump() && self.refusals > 0
    }

    /// Whether amounts may be lowered.
    pub(crate) fn amounts_change(&self) -> bool {
        self.kinds.contains(&Kind::Amount)
    }

    fn clocks_jump(&self) -> bool {
        self.kinds.contains(&Kind::GatewayClock)
    }

    pub(crate) fn troubles(&self, rng: &mut Rng, plan: &Plan) -> Vec<(u64, Trouble)> {
        let mut troubles = Vec::new();
        for kind in &self.kinds {
            for _ in 0..rng.usize(1..=3) {
                let at = rng.u64(0..plan.span_ms);
                let trouble = kind.draw(rng, plan);
                troubles.push((at, trouble));
                if let Trouble::Deposit { .. } = trouble
                    && rng.bool()
                {
                    // The answer was lost: the client sends it again.
                    troubles.push((at + rng.u64(1..5_000), trouble));
                }
            }
        }
        troubles
    }
}

// === impl Kind ===

impl Kind {
    fn draw(self, rng: &mut Rng, plan: &Plan) -> Trouble {
        let gateway = rng.usize(0..plan.gateways);
        let worker = rng.usize(0..plan.workers);
        let budget = rng.usize(0..plan.budgets.len());
        match self {
            Self::GatewayKilled => Trouble::GatewayKilled {
                gateway,
                back_after_ms: rng.u64(1..LONGEST_RESTART_MS),
            },
            Self::WorkerDead => Trouble::WorkerDead {
                gateway,
                worker,
                calls: rng.u32(0..60),
            },
            Self::WorkerStalled => Trouble::WorkerStalled {
                gateway,
                worker,
                for_ms: rng.u64(1_000..40_000),
            },
            Self::CutOff => Trouble::CutOff {
                gateway,
                for_ms: rng.u64(100..8_000),
            },
            Self::CutOffForLong => Trouble::CutOff {
                gateway,
                for_ms: rng.u64(30_000..90_000),
            },
            Self::LedgerAway => Trouble::LedgerAway {
                for_ms: if rng.bool() {
                    rng.u64(100..5_000)
                } else {
                    rng.u64(5_000..90_000)
                },
            },
            Self::LedgerClock => Trouble::LedgerClock { by_ms: jump(rng) },
            Self::GatewayClock => Trouble::GatewayClock {
                gateway,
                // A clock that jumps back by just as long as a worker was stalled hides that it was.
                by_ms: match jump(rng) {
                    -60_000..-1_500 if plan.weather.kinds.contains(&Self::WorkerStalled) => -60_000,
                    by_ms => by_ms,
                },
            },
            Self::Amount => Trouble::Amount {
                budget,
                percent: rng.u64(1..200),
            },
            Self::Deposit => Trouble::Deposit {
                budget,
                key: rng.u64(0..3),
                amount: plan.budgets[budget].amount / rng.u64(1..5) + 1,
            },
            Self::Prices => Trouble::Prices {
                gateway,
                variant: rng.usize(0..PRICES.len()),
            },
        }
    }
}

/// A clock that is set: by a moment or by much, back or ahead.
fn jump(rng: &mut Rng) -> i64 {
    let by = match rng.u8(0..3) {
        0 => rng.i64(1..1_500),
        1 => rng.i64(1_500..60_000),
        _ => rng.i64(60_000..400_000),
    };
    if rng.bool() { by } else { -by }
}
