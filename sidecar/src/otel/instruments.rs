//! What is measured of exchanges. Labels are models, providers, workspaces and codes: the SDK keeps 2,000 sets of them
//! for each instrument, and counts what comes beyond as one (`otel.metric.overflow`).

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::exchange::error_type;
use super::names;
use crate::ledger::amount;
use crate::ledger::events::StoredEvent;

/// All instruments.
#[derive(Debug)]
pub(super) struct Instruments {
    tokens: Histogram<u64>,
    duration: Histogram<f64>,
    cost: Counter<u64>,
    refusals: Counter<u64>,
}

// === impl Instruments ===

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            tokens: meter
                .u64_histogram(names::TOKEN_USAGE_METRIC)
                .with_unit("{token}")
                .with_description("Number of input and output tokens used.")
                .with_boundaries(names::TOKEN_BOUNDARIES.to_vec())
                .build(),
            duration: meter
                .f64_histogram(names::DURATION_METRIC)
                .with_unit("s")
                .with_description("GenAI operation duration.")
                .with_boundaries(names::DURATION_BOUNDARIES.to_vec())
                .build(),
            cost: meter
                .u64_counter(names::COST)
                .with_unit("{nanousd}")
                .with_description("What exchanges cost, in nano-dollars.")
                .build(),
            refusals: meter
                .u64_counter(names::REFUSALS_METRIC)
                .with_unit("{request}")
                .with_description("Requests that Tollgate refused.")
                .build(),
        }
    }

    /// Measures an exchange. What was refused did not operate: it is counted, and its time is not measured.
    pub(super) fn record(&self, event: &StoredEvent) {
        let workspace = event.workspace.clone();
        let workspace = workspace.map(|workspace| KeyValue::new(names::WORKSPACE, workspace));
        let mut labels = vec![KeyValue::new(
            names::OPERATION_NAME,
            names::operation(event.dialect.as_deref()).to_owned(),
        )];
        let provider = event.provider.clone();
        labels.extend(provider.map(|provider| KeyValue::new(names::PROVIDER_NAME, provider)));
        if event.is_refusal() {
            let mut labels = labels.clone();
            labels.extend(workspace.clone());
            labels.extend(error_type(event).map(|code| KeyValue::new(names::ERROR_TYPE, code)));
            self.refusals.add(1, &labels);
        }
        let models = [
            (names::REQUEST_MODEL, &event.request_model),
            (names::RESPONSE_MODEL, &event.response_model),
        ];
        labels.extend(
            models
                .into_iter()
                .filter_map(|(name, model)| Some(KeyValue::new(name, model.clone()?))),
        );
        if event.has_usage() {
            for (kind, tokens) in [("input", event.input_tokens), ("output", event.output_tokens)] {
                let mut labels = labels.clone();
                labels.push(KeyValue::new(names::TOKEN_TYPE, kind));
                self.tokens.record(amount(tokens), &labels);
            }
            let mut labels = labels.clone();
            labels.extend(workspace);
            self.cost.add(amount(event.cost_nanousd), &labels);
        }
        if !event.is_refusal() {
            labels.extend(error_type(event).map(|code| KeyValue::new(names::ERROR_TYPE, code)));
            let seconds = Duration::from_millis(amount(event.latency_ms)).as_secs_f64();
            self.duration.record(seconds, &labels);
        }
    }
}
