//! Metrics: counters and histograms in Envoy's own registry.
//!
//! Labels are written into the name (`tollgate_requests_total;workspace=a;model=b`) and taken out again by
//! the `stats_tags` of the bootstrap. Envoy cannot forget a metric, so the values of labels are bounded.

use std::borrow::Cow;

use hashbrown::{Equivalent, HashMap, HashSet};
use log::warn;
use proxy_wasm::types::MetricType;
use tollgate_core::event::Event;
use tollgate_core::exchange::Finished;

use crate::host::{self, MetricId};

/// What stands in the place of a label's value past the bound, and of an absent one.
const OTHER: &str = "other";
const NONE: &str = "none";

/// Longest value of a label, in characters.
const MAX_LABEL_CHARS: usize = 100;

/// The metrics of one root context.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Counters of the exchanges with the same labels: found with one look-up, without making a name.
    series: HashMap<Labels, Series>,
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

#[derive(Debug, Clone, Copy)]
struct Series {
    requests: Option<MetricId>,
    input_tokens: Option<MetricId>,
    output_tokens: Option<MetricId>,
    cost: Option<MetricId>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(max_values: u32) -> Self {
        let max_values = usize::try_from(max_values).unwrap_or(usize::MAX);
        Self {
            series: HashMap::new(),
            ids: HashMap::new(),
            values: HashSet::new(),
            max_values,
        }
    }

    /// Records a finished exchange.
    pub(crate) fn record(&mut self, finished: &Finished) {
        let event = &finished.event;
        let series = self.series_of(event);
        add(series.requests, 1);
        add(series.input_tokens, event.usage.input_tokens);
        add(series.output_tokens, event.usage.output_tokens);
        add(series.cost, event.cost_nanousd.0);
        if let Some(code) = finished.refused {
            self.count(&format!("tollgate_refusals_total;reason={}", code.as_str()), 1);
        }
        for name in &event.would_refuse {
            let name = self.label("limit", name);
            self.count(&format!("tollgate_shadow_refusals_total;limit={name}"), 1);
        }
        if finished.lost {
            self.count("tollgate_events_lost_total", 1);
        }
        self.observe("tollgate_request_duration_ms", event.latency_ms);
        if let Some(first_token) = event.time_to_first_token_ms {
            self.observe("tollgate_time_to_first_token_ms", first_token);
        }
        if let Some(added) = finished.added_latency_us {
            self.observe("tollgate_added_latency_us", added);
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
        self.count("tollgate_policy_refused_total", 1);
    }

    /// Says which policy of the ledger is in force in this worker.
    pub(crate) fn policy_version(&mut self, worker: &str, version: u64) {
        if let Some(id) = self.id(
            MetricType::Gauge,
            &format!("tollgate_policy_version;worker={worker}"),
        ) {
            host::record(id, version);
        }
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
        if let Some(id) = self.id(
            MetricType::Gauge,
            &format!("tollgate_pending_events;worker={worker}"),
        ) {
            host::record(id, pending);
        }
    }

    fn series_of(&mut self, event: &Event) -> Series {
        let labels = LabelsOf {
            workspace: event.workspace.as_deref().unwrap_or(NONE),
            model: event.request_model.as_deref().unwrap_or(NONE),
            provider: event.provider.as_deref().unwrap_or(NONE),
            status: event.status,
        };
        if let Some(series) = self.series.get(&labels) {
            return *series;
        }
        let labels = Labels {
            workspace: self.label("workspace", labels.workspace).into_owned(),
            model: self.label("model", labels.model).into_owned(),
            provider: labels.provider.to_owned(),
            status: labels.status,
        };
        if let Some(series) = self.series.get(&labels) {
            return *series;
        }
        let suffix = format!(
            ";workspace={};model={};provider={}",
            labels.workspace, labels.model, labels.provider
        );
        let series = Series {
            requests: self.id(
                MetricType::Counter,
                &format!("tollgate_requests_total{suffix};status={}", labels.status),
            ),
            input_tokens: self.id(
                MetricType::Counter,
                &format!("tollgate_input_tokens_total{suffix}"),
            ),
            output_tokens: self.id(
                MetricType::Counter,
                &format!("tollgate_output_tokens_total{suffix}"),
            ),
            cost: self.id(
                MetricType::Counter,
                &format!("tollgate_cost_nanousd_total{suffix}"),
            ),
        };
        self.series.insert(labels, series);
        series
    }

    fn count(&mut self, name: &str, by: u64) {
        add(self.id(MetricType::Counter, name), by);
    }

    fn observe(&mut self, name: &str, value: u64) {
        if let Some(id) = self.id(MetricType::Histogram, name) {
            host::record(id, value);
        }
    }

    fn id(&mut self, kind: MetricType, name: &str) -> Option<MetricId> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        match host::define_metric(kind, name) {
            Ok(id) => {
                self.ids.insert(name.to_owned(), id);
                Some(id)
            }
            Err(error) => {
                warn!("cannot define the metric {name}: {error:?}");
                None
            }
        }
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

// === impl LabelsOf ===

impl Equivalent<Labels> for LabelsOf<'_> {
    fn equivalent(&self, labels: &Labels) -> bool {
        self.workspace == labels.workspace
            && self.model == labels.model
            && self.provider == labels.provider
            && self.status == labels.status
    }
}

fn add(metric: Option<MetricId>, by: u64) {
    if let Some(id) = metric {
        host::increment(id, by);
    }
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
