//! What happens in one schedule: everything is drawn from its seed.

use fastrand::Rng;
use tollgate_core::budget::ledger::LeaseRules;
use tollgate_core::budget::{Budget, BudgetSpec};
use tollgate_core::time::UnixMillis;

use crate::fault::Fault;
use crate::weather::{Trouble, Weather};

/// What a token of prompt and a token of output cost, in nano-dollars, in each configuration that a gateway may get.
pub(crate) const PRICES: [(u64, u64); 3] = [(1_000, 2_000), (1_500, 5_000), (200, 700)];

/// The service tiers that requests ask for and providers answer with, and how many times the price each costs, in
/// quarters: by what was answered, or else by what was asked for.
pub(crate) const TIERS: [(Option<&str>, Option<&str>, u64); 7] = [
    (None, None, 4),
    (Some("priority"), Some("priority"), 7),
    (Some("priority"), Some("default"), 4),
    (Some("priority"), None, 7),
    (Some("flex"), Some("flex"), 2),
    (Some("flex"), Some("default"), 4),
    (Some("auto"), Some("default"), 4),
];

/// Most workspaces that send requests.
pub(crate) const MAX_WORKSPACES: usize = 2;

/// What the prompt of every request counts, about.
const PROMPT_TOKENS: u64 = 12;

/// Ticks until a silent worker is taken for dead, and some more: see `tollgate_core::journal`.
pub(crate) const TICKS_UNTIL_ADOPTED: u64 = 85;

/// A worker or a gateway that has died is back after so many milliseconds at most.
pub(crate) const LONGEST_RESTART_MS: u64 = 5_000;

/// What messages that are lost and sent again may cost beside, in milliseconds.
const MARGIN_MS: u64 = 12_000;

/// Moments at which a period ends somewhere, most of them near a change of the clocks there.
const PERIOD_ENDS: [(&str, &str, &str, u8); 7] = [
    ("2026-11-01T04:00:00Z", "America/New_York", "month", 1),
    ("2026-04-01T00:00:00Z", "UTC", "month", 1),
    ("2026-02-28T00:00:00Z", "UTC", "month", 31),
    ("2026-03-29T22:00:00Z", "Europe/Berlin", "day", 1),
    ("2026-10-25T23:00:00Z", "Europe/Berlin", "day", 1),
    ("2017-11-05T04:00:00Z", "America/Havana", "day", 1),
    ("2017-03-25T22:00:00Z", "Asia/Beirut", "day", 1),
];

/// One schedule.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) begins_at: UnixMillis,
    /// For so long requests come and troubles begin, in milliseconds.
    pub(crate) span_ms: u64,
    pub(crate) gateways: usize,
    /// Of each gateway.
    pub(crate) workers: usize,
    pub(crate) sidecars: usize,
    pub(crate) rules: LeaseRules,
    /// How often a worker ticks.
    pub(crate) tick_ms: u64,
    /// How long a request waits for money to come back.
    pub(crate) wait_ms: u64,
    /// How often a sidecar tries again for a request that waits.
    pub(crate) poll_ms: u64,
    pub(crate) max_exchange_ms: u64,
    pub(crate) min_output_tokens: u64,
    pub(crate) max_events: u32,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) requests: Vec<(u64, Request)>,
    pub(crate) troubles: Vec<(u64, Trouble)>,
    pub(crate) weather: Weather,
    /// Whether leases are so large that workers pay from subleases.
    pub(crate) is_ample: bool,
}

/// What a client sends, and what comes of it at the provider.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) gateway: usize,
    pub(crate) workspace: usize,
    pub(crate) max_tokens: u64,
    /// Which of the [`TIERS`].
    pub(crate) tier: usize,
    /// How long the provider takes.
    pub(crate) takes_ms: u64,
    pub(crate) outcome: Outcome,
    /// When the client leaves, whatever has happened.
    pub(crate) leaves_after_ms: Option<u64>,
}

/// How an exchange ends at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole answer, with so many percent of the output that was allowed.
    Whole(u64),
    /// A whole answer that costs more than was reserved.
    Dearer,
    /// A stream that never ends: the client leaves.
    Cut,
    /// Status 500, without usage.
    Failed,
    /// A reset before any byte of an answer.
    Silent,
}

// === impl Plan ===

impl Plan {
    /// A schedule in which nothing goes wrong but that requests compete.
    pub(crate) fn calm(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self::draw(&mut rng, Weather::calm())
    }

    /// A schedule in which anything may go wrong.
    pub(crate) fn stormy(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let weather = Weather::stormy(&mut rng);
        Self::draw(&mut rng, weather)
    }

    /// The same, where requests ask for service tiers.
    pub(crate) fn tiers(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut weather = Weather::stormy(&mut rng);
        weather.tiers = true;
        Self::draw(&mut rng, weather)
    }

    /// A schedule in which a fault is likely to show.
    pub(crate) fn against(fault: Fault, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let weather = Weather::against(fault, &mut rng);
        Self::draw(&mut rng, weather)
    }

    /// A schedule in which leases are large and requests many, so that workers pay in their own memory: calm or
    /// stormy.
    pub(crate) fn ample(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let weather = if seed.is_multiple_of(2) {
            Weather::calm()
        } else {
            Weather::stormy(&mut rng)
        };
        let mut plan = Self::draw(&mut rng, weather);
        plan.is_ample = true;
        plan.span_ms = plan.span_ms.min(6_000);
        plan.rules.ahead = rng.u64(200..2_000);
        for budget in &mut plan.budgets {
            // Some are spent while it lasts, and some are not.
            budget.amount = budget.amount.saturating_mul(rng.u64(20..200));
        }
        let sizes: Vec<u64> = plan
            .requests
            .iter()
            .map(|(_, request)| request.max_tokens)
            .collect();
        let (gateways, workspaces) = (plan.gateways, plan.workspaces());
        for _ in 0..rng.usize(100..250) {
            let request = Request::draw(&mut rng, gateways, workspaces, &sizes, &plan.weather);
            plan.requests.push((rng.u64(0..plan.span_ms), request));
        }
        plan
    }

    fn draw(rng: &mut Rng, weather: Weather) -> Self {
        let span_ms = rng.u64(4_000..20_000);
        let gateways = rng.usize(1..=2) + usize::from(rng.u8(0..5) == 0);
        let workspaces = rng.usize(1..=MAX_WORKSPACES);
        let sizes: Vec<u64> = (0..rng.usize(1..=3)).map(|_| rng.u64(5..200)).collect();
        let (begins_at, period) = begin(rng, span_ms);
        let budgets = draw_budgets(rng, &sizes, workspaces, &period);
        let mut requests: Vec<(u64, Request)> = (0..rng.usize(4..40))
            .map(|_| {
                let request = Request::draw(rng, gateways, workspaces, &sizes, &weather);
                (rng.u64(0..span_ms), request)
            })
            .collect();
        if rng.u8(0..3) == 0 {
            // A crowd at one moment.
            let at = rng.u64(0..span_ms);
            for (due, _) in &mut requests {
                *due = if rng.bool() { at + rng.u64(0..20) } else { *due };
            }
        }
        let mut plan = Self {
            begins_at,
            span_ms,
            gateways,
            workers: rng.usize(1..=2) + usize::from(rng.u8(0..5) == 0),
            sidecars: rng.usize(1..=3),
            rules: LeaseRules {
                ttl_ms: rng.u64(15_000..30_000),
                grace_ms: rng.u64(25_000..35_000),
                max_age_ms: if rng.u8(0..3) == 0 {
                    rng.u64(20_000..60_000)
                } else {
                    3_600_000
                },
                share: rng.u64(2..=4),
                ahead: rng.u64(2..=8),
            },
            tick_ms: [250, 400][rng.usize(0..2)],
            wait_ms: [3_000, 4_000][rng.usize(0..2)],
            poll_ms: rng.u64(50..300),
            max_exchange_ms: if weather.refusals == 0 { 600_000 } else { 60_000 },
            min_output_tokens: if rng.bool() { 5 } else { 1_000 },
            max_events: if weather.is_calm() || rng.u8(0..4) > 0 {
                1_000
            } else {
                12
            },
            budgets,
            requests,
            troubles: Vec::new(),
            weather,
            is_ample: false,
        };
        plan.troubles = plan.weather.troubles(rng, &plan);
        plan
    }

    /// How many workspaces send requests.
    pub(crate) fn workspaces(&self) -> usize {
        self.requests
            .iter()
            .map(|(_, request)| request.workspace + 1)
            .max()
            .unwrap_or(1)
    }

    /// Whether charges may come when their lease has ended: see [`Weather::may_be_late`]. What a dead worker left is
    /// sent once another has seen that it is dead, and that one may die before.
    pub(crate) fn may_be_late(&self) -> bool {
        let deaths = self.troubles.iter();
        let deaths = deaths.filter(|(_, trouble)| matches!(trouble, Trouble::WorkerDead { .. }));
        let until_adopted_ms = TICKS_UNTIL_ADOPTED * self.tick_ms + LONGEST_RESTART_MS;
        let unheard_ms = deaths.count() as u64 * until_adopted_ms;
        let lasts_ms = self.rules.ttl_ms + self.rules.grace_ms;
        self.weather.may_be_late() || unheard_ms + MARGIN_MS > lasts_ms
    }

    /// How long the longest exchange may take.
    pub(crate) fn longest_ms(&self) -> u64 {
        let longest = self.requests.iter().map(|(_, request)| request.takes_ms);
        longest.max().unwrap_or(0)
    }
}

// === impl Request ===

impl Request {
    fn draw(rng: &mut Rng, gateways: usize, workspaces: usize, sizes: &[u64], weather: &Weather) -> Self {
        let outcome = match rng.u8(0..20) {
            0..=1 => Outcome::Cut,
            2 => Outcome::Failed,
            3 => Outcome::Silent,
            4..=5 if weather.dearer => Outcome::Dearer,
            _ => Outcome::Whole(rng.u64(0..=100)),
        };
        let mut request = Self {
            gateway: rng.usize(0..gateways),
            workspace: rng.usize(0..workspaces),
            max_tokens: sizes[rng.usize(0..sizes.len())],
            tier: 0,
            takes_ms: if rng.u8(0..25) == 0 {
                rng.u64(3_000..40_000)
            } else {
                rng.u64(5..3_000)
            },
            outcome,
            leaves_after_ms: (rng.u8(0..12) == 0).then(|| rng.u64(0..6_000)),
        };
        if weather.tiers {
            request.tier = rng.usize(0..TIERS.len());
        }
        request
    }

    /// One to see whether a gateway still serves, when all is over.
    pub(crate) const fn probe(gateway: usize, workspace: usize) -> Self {
        Self {
            gateway,
            workspace,
            max_tokens: 20,
            tier: 0,
            takes_ms: 50,
            outcome: Outcome::Whole(50),
            leaves_after_ms: None,
        }
    }
}

/// When a schedule begins, and a period (with its zone and its first day) that ends while it lasts, as a rule.
fn begin(rng: &mut Rng, span_ms: u64) -> (UnixMillis, (&'static str, &'static str, u8)) {
    let (end, zone, period, start_day) = PERIOD_ENDS[rng.usize(0..PERIOD_ENDS.len())];
    let end: UnixMillis = end.parse::<jiff::Timestamp>().unwrap().into();
    let before_ms = if rng.bool() {
        rng.u64(1..span_ms)
    } else {
        7_200_000
    };
    (UnixMillis(end.0 - before_ms), (period, zone, start_day))
}

fn draw_budgets(
    rng: &mut Rng,
    sizes: &[u64],
    workspaces: usize,
    (period, zone, start_day): &(&str, &str, u8),
) -> Vec<Budget> {
    let largest = sizes.iter().max().copied().unwrap_or(1);
    let (input, output) = PRICES[0];
    (0..rng.usize(1..=3))
        .map(|number| {
            let (unit, single) = match rng.u8(0..5) {
                0 => ("tokens", PROMPT_TOKENS + largest),
                1 => ("requests", 1),
                _ => ("usd", PROMPT_TOKENS * input + largest * output),
            };
            let amount = single * rng.u64(1..30) + rng.u64(0..single);
            let subject = if rng.u8(0..3) == 0 {
                "{}".to_owned()
            } else {
                format!(r#"{{"workspace":"w{}"}}"#, rng.usize(0..workspaces))
            };
            let (period, zone, start_day) = if rng.u8(0..3) == 0 {
                ("total", "UTC", 1)
            } else {
                (*period, *zone, *start_day)
            };
            let amount = if unit == "usd" {
                format!("0.{amount:09}")
            } else {
                amount.to_string()
            };
            let enforcement = if rng.u8(0..8) == 0 { "soft" } else { "hard" };
            let on_unavailable = if rng.u8(0..4) == 0 { "allow" } else { "deny" };
            budget(&format!(
                r#"{{"name":"b{number}","subject":{subject},"unit":"{unit}","period":"{period}",
                    "start_day":{start_day},"time_zone":"{zone}","amount":"{amount}",
                    "enforcement":"{enforcement}","on_unavailable":"{on_unavailable}"}}"#
            ))
        })
        .collect()
}

/// A budget as an administrator writes it.
pub(crate) fn budget(json: &str) -> Budget {
    serde_json::from_str::<BudgetSpec>(json).unwrap().check().unwrap()
}
