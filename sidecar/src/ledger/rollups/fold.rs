//! What events come to, by rollup: reckoned in memory before anything is written.

use std::collections::HashMap;

use sqlx::FromRow;
use tollgate_core::time::UnixMillis;

use super::sums::Sums;
use super::{Dimension, Interval, MINUTE_MS, STEPS, STRETCH_MS, group, start};
use crate::ledger::events::StoredEvent;

/// The columns of a [`CountedEvent`].
pub(super) const COUNTED: &str = "seq, time, workspace, user_id, key_id, dialect, provider, request_model, status, \
    error_code, input_tokens, output_tokens, cost_nanousd, latency_ms";

/// What of an event is in rollups.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(in crate::ledger) struct CountedEvent {
    pub(super) seq: i64,
    pub(in crate::ledger) time: i64,
    pub(in crate::ledger) workspace: Option<String>,
    #[sqlx(rename = "user_id")]
    pub(in crate::ledger) user: Option<String>,
    key_id: Option<String>,
    dialect: Option<String>,
    provider: Option<String>,
    request_model: Option<String>,
    pub(super) status: i64,
    pub(super) error_code: Option<String>,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    pub(super) cost_nanousd: i64,
    pub(super) latency_ms: i64,
}

/// Which rollup: the key of its row. In this order they are written, always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place<'a> {
    pub(super) step: i64,
    pub(super) dimension: Dimension,
    /// The workspace; empty for all.
    pub(super) scope: &'a str,
    pub(super) time: i64,
    pub(super) value: &'a str,
}

// === impl CountedEvent ===

impl CountedEvent {
    /// Whether Tollgate refused the request, or its answer.
    pub(super) fn is_refusal(&self) -> bool {
        self.status >= 400 && self.error_code.is_some()
    }

    /// The group that it is in; empty where it has none.
    fn value(&self, dimension: Dimension) -> &str {
        let value = match dimension {
            Dimension::Total => None,
            Dimension::Workspace => self.workspace.as_deref(),
            Dimension::User => self.user.as_deref(),
            Dimension::Key => self.key_id.as_deref(),
            Dimension::Model => self.request_model.as_deref(),
            Dimension::Provider => self.provider.as_deref(),
            Dimension::Endpoint => self.dialect.as_deref(),
        };
        group(value.unwrap_or_default())
    }
}

impl From<&StoredEvent> for CountedEvent {
    fn from(event: &StoredEvent) -> Self {
        Self {
            seq: event.seq,
            time: event.time,
            workspace: event.workspace.clone(),
            user: event.user.clone(),
            key_id: event.key_id.clone(),
            dialect: event.dialect.clone(),
            provider: event.provider.clone(),
            request_model: event.request_model.clone(),
            status: event.status,
            error_code: event.error_code.clone(),
            input_tokens: event.input_tokens,
            output_tokens: event.output_tokens,
            cost_nanousd: event.cost_nanousd,
            latency_ms: event.latency_ms,
        }
    }
}

/// What events come to, in the order of places, without rollups that nobody can ask for any more.
///
/// Events are told apart by minute only; each longer rollup is the sum of the shorter ones in it.
pub(super) fn rollups_of(events: &[CountedEvent], now: UnixMillis) -> Vec<(Place<'_>, Sums)> {
    let mut level = minutes_of(events);
    let mut all = Vec::new();
    let mut steps = STEPS.into_iter().peekable();
    while let Some(step) = steps.next() {
        let mut longer: HashMap<Place<'_>, Sums> = HashMap::new();
        if let Some(next) = steps.peek() {
            for (place, sums) in &level {
                let place = Place {
                    step: *next,
                    time: start(place.time, *next),
                    ..*place
                };
                let sum = longer.entry(place).or_default();
                if *next == STRETCH_MS {
                    sum.add_without_latency(sums);
                } else {
                    sum.add(sums);
                }
            }
        }
        let interval = Interval::ALL.into_iter().find(|interval| interval.step() == step);
        let told = |place: &Place<'_>| interval.is_none_or(|interval| interval.reaches(place.time, now));
        all.extend(level.into_iter().filter(|(place, _)| told(place)));
        level = longer;
    }
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn minutes_of(events: &[CountedEvent]) -> HashMap<Place<'_>, Sums> {
    let mut rollups: HashMap<Place<'_>, Sums> = HashMap::new();
    for event in events {
        let sums = Sums::of(event);
        let workspace = group(event.workspace.as_deref().unwrap_or_default());
        let time = start(event.time, MINUTE_MS);
        for dimension in Dimension::ALL {
            let value = event.value(dimension);
            // Within a workspace there is but one.
            let is_scoped = !workspace.is_empty() && dimension != Dimension::Workspace;
            for scope in [Some(""), is_scoped.then_some(workspace)].into_iter().flatten() {
                let place = Place {
                    step: MINUTE_MS,
                    dimension,
                    scope,
                    time,
                    value,
                };
                rollups.entry(place).or_default().add(&sums);
            }
        }
    }
    rollups
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The plain way: each event is added to each of its rollups.
    fn one_by_one(events: &[CountedEvent], now: UnixMillis) -> Vec<(Place<'_>, Sums)> {
        let mut rollups: BTreeMap<Place<'_>, Sums> = BTreeMap::new();
        for event in events {
            for step in STEPS {
                let time = start(event.time, step);
                let interval = Interval::ALL.into_iter().find(|interval| interval.step() == step);
                if interval.is_some_and(|interval| !interval.reaches(time, now)) {
                    continue;
                }
                for dimension in Dimension::ALL {
                    let mut scopes = vec![""];
                    if dimension != Dimension::Workspace {
                        scopes.extend(event.workspace.as_deref().filter(|name| !name.is_empty()));
                    }
                    for scope in scopes {
                        let value = event.value(dimension);
                        let place = Place {
                            step,
                            dimension,
                            scope,
                            time,
                            value,
                        };
                        let mut sums = Sums::of(event);
                        if step == STRETCH_MS {
                            sums = sums.without_latency();
                        }
                        rollups.entry(place).or_default().add(&sums);
                    }
                }
            }
        }
        rollups.into_iter().collect()
    }

    fn name() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[ab]?")
    }

    fn event() -> impl Strategy<Value = CountedEvent> {
        let names = (name(), name(), name(), name(), name(), name());
        // From twenty days before the epoch to two hundred after it, most of them close together.
        let time = prop_oneof![
            -20 * 86_400_000_i64..200 * 86_400_000,
            150 * 86_400_000_i64..150 * 86_400_000 + 200_000
        ];
        let numbers = (0_i64..5_000, any::<i64>(), any::<i64>(), any::<i64>());
        (
            names,
            time,
            numbers,
            200_i64..600,
            proptest::option::of("client_closed|budget_exceeded"),
        )
            .prop_map(|(names, time, numbers, status, error_code)| CountedEvent {
                seq: 0,
                time,
                workspace: names.0,
                user: names.1,
                key_id: names.2,
                dialect: names.3,
                provider: names.4,
                request_model: names.5,
                status,
                error_code,
                latency_ms: numbers.0,
                input_tokens: numbers.1,
                output_tokens: numbers.2,
                cost_nanousd: numbers.3,
            })
    }

    proptest! {
        #[test]
        fn longer_rollups_are_what_their_events_come_to(
            events in proptest::collection::vec(event(), 0..40), now in 0_u64..300 * 86_400_000,
        ) {
            let now = UnixMillis(now);
            prop_assert_eq!(rollups_of(&events, now), one_by_one(&events, now));
        }
    }
}
