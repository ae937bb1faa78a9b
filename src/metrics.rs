//! Metrics: counters and histograms in Envoy's own registry.
//!
//! Labels are written into the name (`tollgate_requests_total;workspace=a;model=b`) and taken out again by
//! the `stats_tags` of the bootstrap. Envoy cannot forget a metric, so the values of labels are bounded.
//!
//! What each exchange adds to its counters is added up here and told to Envoy with the next tick: exchanges with the same
//! labels cost no host call each. Histograms must be told each value.

use std::borrow::Cow;

use hashbrown::{Equivalent, HashMap, HashSet};
use log::warn;
use proxy_wasm::types::MetricType;
use tollgate_core::event::Event;
use tollgate_core::exchange::Finished;

use crate::host::{self, MetricId};

/// What stands for values of a label beyond those that it may have, and for one that is absent.
const OTHER: &str = "other";
const NONE: &str = "none";

/// Longest value of a label, in characters.
const MAX_LABEL_CHARS: usize = 100;

/// Counters without labels that alerts look at.
const EVENTS_LOST: &str = "tollgate_events_lost_total";
const POLICY_REFUSED: &str = "tollgate_policy_refused_total";

/// The metrics of one root context.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Which of `series` exchanges with the same labels count in: found with one look-up, without making a name.
    places: HashMap<Labels, usize>,
    series: Vec<Series>,
    /// Those of `series` that Envoy has not been told all of.
    untold: Vec<usize>,
    /// Whether ticks come, with which Envoy is told.
    ticks: bool,
    duration: Histogram,
    first_token: Histogram,
    added_latency: Histogram,
    ids: HashMap<String, MetricId>,
    /// Values that have a label of their own, with the label's name.
    values: HashSet<(&'static str, String)>,
    max_values: usize,
}

/// The labels of an exchange.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Labels {
    workspace: String,
    model: String,
    provider: String,
    status: u16,
}

/// The same, borrowed from an event. The fields stand in the same order, so that both hash alike.
#[derive(Debug, Hash)]
struct LabelsOf<'a> {
    workspace: &'a str,
    model: &'a str,
    provider: &'a str,
    status: u16,
}

/// The counters of exchanges with the same labels.
#[derive(Debug)]
struct Series {
    requests: Counter,
    input_tokens: Counter,
    output_tokens: Counter,
    cost: Counter,
}

#[derive(Debug)]
struct Counter {
    id: Option<MetricId>,
    /// What Envoy has not been told yet.
    untold: u64,
}

/// A histogram, defined with its first value.
#[derive(Debug)]
struct Histogram {
    name: &'static str,
    id: Option<MetricId>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(max_values: u32) -> Self {
        let max_values = usize::try_from(max_values).unwrap_or(usize::MAX);
        let mut metrics = Self {
            places: HashMap::new(),
            series: Vec::new(),
            untold: Vec::new(),
            ticks: false,
            duration: Histogram::new("tollgate_request_duration_ms"),
            first_token: Histogram::new("tollgate_time_to_first_token_ms"),
            added_latency: Histogram::new("tollgate_added_latency_us"),
            ids: HashMap::new(),
            values: HashSet::new(),
            max_values,
        };
        // They begin at 0: Prometheus sees no increase in a counter that is first there with what it counts.
        for name in [EVENTS_LOST, POLICY_REFUSED] {
            metrics.id(MetricType::Counter, name);
        }
        metrics
    }

    /// Records a finished exchange.
    pub(crate) fn record(&mut self, finished: &Finished) {
        let event = &finished.event;
        let place = self.place_of(event);
        if let Some(series) = self.series.get_mut(place) {
            if !series.is_untold() {
                self.untold.push(place);
            }
            series.count(event);
        }
        if !self.ticks {
            self.tell();
        }
        if let Some(code) = finished.refused {
            self.count(&format!("tollgate_refusals_total;reason={}", code.as_str()), 1);
        }
        for name in &event.would_refuse {
            let name = self.label("limit", name);
            self.count(&format!("tollgate_shadow_refusals_total;limit={name}"), 1);
        }
        if finished.lost {
            self.count(EVENTS_LOST, 1);
        }
        self.duration.observe(event.latency_ms);
        if let Some(first_token) = event.time_to_first_token_ms {
            self.first_token.observe(first_token);
        }
        if let Some(added) = finished.added_latency_us {
            self.added_latency.observe(added);
        }
    }

    /// Says whether [`tell`](Self::tell) is called from now on. Until it is, Envoy is told of each exchange at once.
    pub(crate) fn expect_ticks(&mut self, ticks: bool) {
        self.ticks = ticks;
        self.tell();
    }

    /// Tells Envoy what has been counted since it was told last.
    pub(crate) fn tell(&mut self) {
        for place in self.untold.drain(..) {
            if let Some(series) = self.series.get_mut(place) {
                series.tell();
            }
        }
    }

    /// Counts a callout that a request waits for.
    pub(crate) fn question(&mut self, call: &'static str) {
        self.count(&format!("tollgate_sidecar_questions_total;call={call}"), 1);
    }

    /// Counts a callout that the sidecar did not answer.
    pub(crate) fn sidecar_error(&mut self, call: &'static str) {
        self.count(&format!("tollgate_sidecar_errors_total;call={call}"), 1);
    }

    /// Counts a policy of the ledger that was not taken.
    pub(crate) fn policy_refused(&mut self) {
        self.count(POLICY_REFUSED, 1);
    }

    /// Says which policy of the ledger is in force in this worker.
    pub(crate) fn policy_version(&mut self, worker: &str, version: u64) {
        self.gauge(&format!("tollgate_policy_version;worker={worker}"), version);
    }

    /// Counts exchanges whose texts are not kept, though policy says so.
    pub(crate) fn lost_texts(&mut self, reason: &'static str, exchanges: u64) {
        self.count(
            &format!("tollgate_conversations_lost_total;reason={reason}"),
            exchanges,
        );
    }

    /// Says how many events of this worker wait for the sidecar.
    pub(crate) fn pending_events(&mut self, worker: &str, pending: u64) {
        self.gauge(&format!("tollgate_pending_events;worker={worker}"), pending);
    }

    /// Where in `series` an exchange counts.
    fn place_of(&mut self, event: &Event) -> usize {
        let labels = LabelsOf {
            workspace: event.workspace.as_deref().unwrap_or(NONE),
            model: event.request_model.as_deref().unwrap_or(NONE),
            provider: event.provider.as_deref().unwrap_or(NONE),
            status: event.status,
        };
        if let Some(place) = self.places.get(&labels) {
            return *place;
        }
        let labels = Labels {
            workspace: self.label("workspace", labels.workspace).into_owned(),
            model: self.label("model", labels.model).into_owned(),
            provider: labels.provider.to_owned(),
            status: labels.status,
        };
        if let Some(place) = self.places.get(&labels) {
            return *place;
        }
        let suffix = format!(
            ";workspace={};model={};provider={}",
            labels.workspace, labels.model, labels.provider
        );
        let mut counter = |name: &str| Counter {
            id: self.id(MetricType::Counter, name),
            untold: 0,
        };
        let series = Series {
            requests: counter(&format!(
                "tollgate_requests_total{suffix};status={}",
                labels.status
            )),
            input_tokens: counter(&format!("tollgate_input_tokens_total{suffix}")),
            output_tokens: counter(&format!("tollgate_output_tokens_total{suffix}")),
            cost: counter(&format!("tollgate_cost_nanousd_total{suffix}")),
        };
        let place = self.series.len();
        self.series.push(series);
        self.places.insert(labels, place);
        place
    }

    fn count(&mut self, name: &str, by: u64) {
        if let Some(id) = self.id(MetricType::Counter, name) {
            host::increment(id, by);
        }
    }

    fn gauge(&mut self, name: &str, value: u64) {
        if let Some(id) = self.id(MetricType::Gauge, name) {
            host::record(id, value);
        }
    }

    fn id(&mut self, kind: MetricType, name: &str) -> Option<MetricId> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        let id = define(kind, name)?;
        self.ids.insert(name.to_owned(), id);
        Some(id)
    }

    /// A label's value, clean and bounded.
    fn label<'a>(&mut self, label: &'static str, value: &'a str) -> Cow<'a, str> {
        let clean = clean(value);
        let entry = (label, clean.into_owned());
        if !self.values.contains(&entry) {
            if self.values.iter().filter(|(name, _)| *name == label).count() >= self.max_values {
                return Cow::Borrowed(OTHER);
            }
            self.values.insert(entry.clone());
        }
        Cow::Owned(entry.1)
    }
}

// === impl Series ===

impl Series {
    fn count(&mut self, event: &Event) {
        self.requests.add(1);
        self.input_tokens.add(event.usage.input_tokens);
        self.output_tokens.add(event.usage.output_tokens);
        self.cost.add(event.cost_nanousd.0);
    }

    /// Whether there is something to tell. Each exchange counts as a request.
    const fn is_untold(&self) -> bool {
        self.requests.untold > 0
    }

    fn tell(&mut self) {
        self.requests.tell();
        self.input_tokens.tell();
        self.output_tokens.tell();
        self.cost.tell();
    }
}

// === impl Counter ===

impl Counter {
    const fn add(&mut self, by: u64) {
        self.untold = self.untold.saturating_add(by);
    }

    fn tell(&mut self) {
        let by = std::mem::take(&mut self.untold);
        if let Some(id) = self.id {
            host::increment(id, by);
        }
    }
}

// === impl Histogram ===

impl Histogram {
    const fn new(name: &'static str) -> Self {
        Self { name, id: None }
    }

    fn observe(&mut self, value: u64) {
        self.id = self.id.or_else(|| define(MetricType::Histogram, self.name));
        if let Some(id) = self.id {
            host::record(id, value);
        }
    }
}

// === impl LabelsOf ===

impl Equivalent<Labels> for LabelsOf<'_> {
    fn equivalent(&self, labels: &Labels) -> bool {
        self.workspace == labels.workspace
            && self.model == labels.model
            && self.provider == labels.provider
            && self.status == labels.status
    }
}

fn define(kind: MetricType, name: &str) -> Option<MetricId> {
    host::define_metric(kind, name)
        .inspect_err(|error| warn!("cannot define the metric {name}: {error}"))
        .ok()
}

/// Without the characters that separate labels and names of metrics, and not too long.
fn clean(value: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !matches!(c, ';' | '=' | '\0'..=' ');
    if value.chars().all(is_plain) && value.chars().count() <= MAX_LABEL_CHARS {
        return Cow::Borrowed(value);
    }
    value
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .take(MAX_LABEL_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_forge_another_label() {
        assert_eq!(clean("gpt-4o;workspace=x"), "gpt-4o_workspace_x");
        assert_eq!(clean("gpt-4o"), "gpt-4o");
        assert_eq!(clean(&"x".repeat(500)).len(), MAX_LABEL_CHARS);
    }

    #[test]
    fn labels_have_a_bounded_number_of_values() {
        let mut metrics = Metrics::new(2);
        assert_eq!(metrics.label("model", "a"), "a");
        assert_eq!(metrics.label("model", "b"), "b");
        assert_eq!(metrics.label("model", "c"), OTHER);
        assert_eq!(metrics.label("model", "a"), "a");
        assert_eq!(metrics.label("workspace", "c"), "c");
    }
}
