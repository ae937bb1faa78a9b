//! Limits ready for use: checked, and grouped by what they are counted per.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::bucket::Bucket;
use super::group::{Group, Limit, PerSet};
use super::headers::Told;
use super::meter::Rule;
use super::reset::Resets;
use super::spec::{Algorithm, Count, DEFAULT_SLOT_TTL, LimitSpec, Per};
use super::window::Window;
use crate::cells::Recall;
use crate::config::{Fault, Span};

/// How many limits a gateway may have.
pub const MAX_LIMITS: usize = 128;
/// The largest amount: with the longest period it still counts exactly, and it is a thousand times anyone's limit.
const MAX_AMOUNT: u64 = 1_000_000_000_000;
const MAX_SUBJECTS: u64 = 1_000_000;
/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;
const SECOND_MS: u64 = 1_000;
const DAY_MS: u64 = 86_400_000;
const MAX_PERIOD_MS: u64 = 31 * DAY_MS;
/// A bucket that takes longer to refill is a mistake.
const MAX_HORIZON_MS: u64 = 366 * DAY_MS;

/// All limits of a configuration.
#[derive(Debug, Default)]
pub struct Limits {
    pub(super) groups: Vec<Group>,
    /// Where each limit is, in the configuration's order: its group, and its place there.
    pub(super) places: Vec<(usize, usize)>,
    /// What this worker has counted last.
    pub(super) recall: Recall,
}

/// Collects the faults of one limit.
struct Checker<'a> {
    path: String,
    faults: &'a mut Vec<Fault>,
}

// === impl Limits ===

impl Limits {
    /// Checks and compiles limits from several places, each with its path (`limits` in the configuration), as one
    /// set: names are unique across all of them, and together they are not too many. `salt` is a
    /// secret that all workers share (not a random one each): without it nobody can choose subjects that push
    /// another's entry out.
    ///
    /// # Errors
    /// Every fault, with its path.
    pub fn compile(places: &[(&str, &[LimitSpec])], salt: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let count: usize = places.iter().map(|(_, specs)| specs.len()).sum();
        if count > MAX_LIMITS {
            let last = places.iter().rfind(|(_, specs)| !specs.is_empty());
            let path = last.map_or("", |(path, _)| *path);
            let message = format!("{count} limits in all; there may be {MAX_LIMITS}");
            faults.push(Fault::at(path, message));
        }
        let mut grouped: BTreeMap<PerSet, (u32, Vec<Limit>)> = BTreeMap::new();
        let mut names: BTreeMap<&str, String> = BTreeMap::new();
        let mut ids: BTreeMap<u32, String> = BTreeMap::new();
        let all = places.iter().flat_map(|(path, specs)| {
            let specs = specs.iter().enumerate();
            specs.map(move |(index, spec)| (format!("{path}[{index}]"), spec))
        });
        for (order, (path, spec)) in all.enumerate() {
            let mut checker = Checker {
                path: path.clone(),
                faults: &mut faults,
            };
            if let Some(first) = names.insert(&spec.name, path.clone()) {
                checker.fault("name", format!("`{}` is {first}'s name already", spec.name));
                continue;
            }
            if let Some((per, limit)) = checker.compile(order, spec) {
                if let Some(first) = ids.insert(limit.id, path) {
                    checker.fault("name", format!("has the same hash as {first}'s; take another"));
                }
                let (max_subjects, limits) = grouped.entry(per).or_default();
                *max_subjects = spec.max_subjects.max(*max_subjects);
                limits.push(limit);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let groups = grouped
            .into_iter()
            .map(|(per, (max_subjects, limits))| Group::new(per, max_subjects, limits, salt));
        let groups: Vec<Group> = groups.collect();
        let mut places = vec![(0, 0); count];
        for (at, group) in groups.iter().enumerate() {
            for (in_group, limit) in group.limits.iter().enumerate() {
                if let Some(place) = places.get_mut(limit.order) {
                    *place = (at, in_group);
                }
            }
        }
        Ok(Self {
            groups,
            places,
            recall: Recall::default(),
        })
    }

    /// The limit at a place of the configuration's order.
    pub(super) fn limit(&self, order: usize) -> Option<&Limit> {
        let (group, at) = self.places.get(order)?;
        self.groups.get(*group)?.limits.get(*at)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether any of them needs the client's address.
    pub fn counts_by_ip(&self) -> bool {
        self.groups.iter().any(|group| group.per.has(Per::Ip))
    }
}

// === impl Checker ===

impl Checker<'_> {
    fn compile(&mut self, order: usize, spec: &LimitSpec) -> Option<(PerSet, Limit)> {
        let before = self.faults.len();
        self.check_name(&spec.name);
        self.check_range("amount", spec.amount, 1, MAX_AMOUNT);
        self.check_range("max_subjects", spec.max_subjects.into(), 1, MAX_SUBJECTS);
        let per = PerSet::of(&spec.per);
        if per.is_none() {
            self.fault("per", "`global` stands alone, and nothing stands twice");
        }
        let (rule, quota, window_ms) = match spec.count {
            Count::Concurrent => self.slots(spec)?,
            Count::Requests | Count::Tokens | Count::InputTokens | Count::OutputTokens => self.rate(spec)?,
        };
        let limit = Limit {
            name: Arc::from(spec.name.as_str()),
            order,
            id: id_of(spec, window_ms),
            count: spec.count,
            rule,
            mode: spec.mode,
            applies_to: spec.applies_to.clone(),
            fits_all: spec.applies_to.is_everything(),
            quota,
            told: Told::new(&spec.name, spec.count, quota, window_ms),
            resets: Resets::default(),
        };
        (self.faults.len() == before).then_some((per?, limit))
    }

    fn slots(&mut self, spec: &LimitSpec) -> Option<(Rule, u64, Option<u64>)> {
        for (field, is_written) in [
            ("algorithm", spec.algorithm.is_some()),
            ("period", spec.period.is_some()),
            ("burst", spec.burst.is_some()),
        ] {
            if is_written {
                self.fault(field, "does not go with `count: concurrent`");
            }
        }
        let ttl = spec.slot_ttl.unwrap_or(DEFAULT_SLOT_TTL);
        let ttl_ms = ttl.millis();
        self.check_span("slot_ttl", ttl, DAY_MS);
        Some((Rule::Window(Window::new(spec.amount, ttl_ms)), spec.amount, None))
    }

    fn rate(&mut self, spec: &LimitSpec) -> Option<(Rule, u64, Option<u64>)> {
        if spec.slot_ttl.is_some() {
            self.fault("slot_ttl", "goes only with `count: concurrent`");
        }
        let Some(period) = spec.period else {
            self.fault("period", "is missing; write `1m`, for example");
            return None;
        };
        let period_ms = period.millis();
        self.check_span("period", period, MAX_PERIOD_MS);
        if spec.algorithm == Some(Algorithm::SlidingWindow) {
            if spec.burst.is_some() {
                self.fault("burst", "goes only with `algorithm: token_bucket`");
            }
            let window = Window::new(spec.amount, period_ms);
            return Some((Rule::Window(window), spec.amount, Some(period_ms)));
        }
        if let Some(burst) = spec.burst {
            self.check_range("burst", burst, 1, MAX_AMOUNT);
        }
        let capacity = spec.burst.unwrap_or(spec.amount);
        let bucket = Bucket::new(spec.amount, period_ms, capacity);
        let horizon_ms = bucket.horizon_ms();
        if horizon_ms > MAX_HORIZON_MS {
            self.fault("burst", "takes more than a year to refill at `amount` a `period`");
        }
        Some((Rule::Bucket(bucket), capacity, Some(horizon_ms)))
    }

    fn check_name(&mut self, name: &str) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(is_plain) {
            self.fault(
                "name",
                format!("`{name}` is no name; write letters, digits, `_`, `-` and `.`, at most {MAX_NAME}"),
            );
        }
    }

    fn check_range(&mut self, field: &str, number: u64, min: u64, max: u64) {
        if !(min..=max).contains(&number) {
            self.fault(field, format!("{number} is not from {min} to {max}"));
        }
    }

    fn check_span(&mut self, field: &str, span: Span, max_ms: u64) {
        if !(SECOND_MS..=max_ms).contains(&span.millis()) {
            let max = Span::from_millis(max_ms);
            self.fault(field, format!("{span} is not from 1s to {max}"));
        }
    }

    fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.faults
            .push(Fault::at(format!("{}.{field}", self.path), message));
    }
}

/// What a limit's records are found by. They stay good when its place or its amount changes, and start anew
/// when what their numbers mean does.
fn id_of(spec: &LimitSpec, window_ms: Option<u64>) -> u32 {
    let algorithm = spec.algorithm.unwrap_or(Algorithm::TokenBucket);
    let period_ms = spec.period.or(spec.slot_ttl).map_or(0, Span::millis);
    let hash = Sha256::new()
        .chain_update([algorithm as u8, spec.count as u8])
        .chain_update(period_ms.to_le_bytes())
        .chain_update(window_ms.unwrap_or(0).to_le_bytes())
        .chain_update(spec.name.as_bytes())
        .finalize();
    hash.first_chunk().map_or(0, |head| u32::from_le_bytes(*head))
}
