//! Export of spans and metrics by OTLP, off unless it is configured.
//!
//! Each exchange that settles becomes one span and some measurements, made from its event when the ledger takes it for
//! the first time: what a gateway delivers again is not exported again. The exporters work on threads of their own; what
//! they cannot keep up with is dropped and counted ([`queue`]), so nothing ever waits for a collector.

pub mod callout;
mod client;
mod exchange;
mod instruments;
mod names;
mod parent;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::sync::oneshot;

use self::client::ExportClient;
use self::instruments::Instruments;
use self::queue::Queue;
use crate::config::Otlp;
use crate::ledger::events::StoredEvent;
use crate::metrics::Metrics;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SERVICE: &str = "tollgate-sidecar";

/// What is exported. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Otel {
    traces: Option<Arc<Traces>>,
    measures: Option<Arc<Measures>>,
}

#[derive(Debug)]
struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

#[derive(Debug)]
struct Measures {
    provider: SdkMeterProvider,
    instruments: Instruments,
}

// === impl Otel ===

impl Otel {
    /// Starts to export, if there is anywhere to export to. To be called on the runtime. What becomes of spans is counted
    /// in `metrics`.
    ///
    /// # Errors
    /// Where an exporter cannot be made. That its collector is away is no error.
    pub fn start(config: Option<&Otlp>, metrics: &Metrics) -> anyhow::Result<Self> {
        let Some(config) = config else {
            return Ok(Self::default());
        };
        let traces = config
            .traces
            .as_deref()
            .map(|url| Traces::start(config, url, metrics));
        let measures = config.metrics.as_deref().map(|url| Measures::start(config, url));
        Ok(Self {
            traces: traces.transpose()?.map(Arc::new),
            measures: measures.transpose()?.map(Arc::new),
        })
    }

    /// Exports exchanges that have settled. Waits for nothing.
    pub fn settled<'a>(&self, events: impl Iterator<Item = &'a StoredEvent>) {
        if self.traces.is_none() && self.measures.is_none() {
            return;
        }
        for event in events {
            if let Some(traces) = &self.traces {
                exchange::export(&traces.tracer, event);
            }
            if let Some(measures) = &self.measures {
                measures.instruments.record(event);
            }
        }
    }

    /// Exports what waits, for as long as `patience`, and ends.
    pub async fn finish(self, patience: Duration) {
        if self.traces.is_none() && self.measures.is_none() {
            return;
        }
        let (ended, end) = oneshot::channel();
        // A thread that nobody waits for longer than this: one of the runtime's would keep the process.
        std::thread::spawn(move || {
            let traces = self
                .traces
                .map(|traces| traces.provider.shutdown_with_timeout(patience));
            let measures = self
                .measures
                .map(|measures| measures.provider.shutdown_with_timeout(patience));
            let _ = ended.send(traces.into_iter().chain(measures).collect::<Result<Vec<()>, _>>());
        });
        match tokio::time::timeout(patience, end).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans or metrics could not be exported"),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(?patience, "the last spans or metrics were not exported in time");
            }
        }
    }

    /// Where spans are made, if they are exported.
    pub(crate) fn tracer(&self) -> Option<&SdkTracer> {
        self.traces.as_ref().map(|traces| &traces.tracer)
    }
}

// === impl Traces ===

impl Traces {
    fn start(config: &Otlp, url: &str, metrics: &Metrics) -> anyhow::Result<Self> {
        let exporter = exporting(SpanExporter::builder().with_http(), config, url)?.build();
        let exporter = exporter.context("cannot export spans")?;
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queue::new(exporter, config.max_queued_spans, metrics.clone()))
            .with_resource(resource())
            .build();
        let tracer = provider.tracer_with_scope(scope());
        Ok(Self { provider, tracer })
    }
}

// === impl Measures ===

impl Measures {
    fn start(config: &Otlp, url: &str) -> anyhow::Result<Self> {
        let exporter = exporting(MetricExporter::builder().with_http(), config, url)?.build();
        let exporter: Result<MetricExporter, ExporterBuildError> = exporter;
        let reader = PeriodicReader::builder(exporter.context("cannot export metrics")?)
            .with_interval(config.metrics_interval)
            .build();
        let provider = SdkMeterProvider::builder()
            .with_reader(reader)
            .with_resource(resource())
            .build();
        let instruments = Instruments::new(&provider.meter_with_scope(scope()));
        Ok(Self {
            provider,
            instruments,
        })
    }
}

/// An exporter's builder that knows where, how and for how long.
fn exporting<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    config: &Otlp,
    url: &str,
) -> anyhow::Result<B> {
    let client = ExportClient::new(config.timeout).context("this build has no usable TLS")?;
    Ok(builder
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(config.timeout)
        .with_headers(config.headers.clone())
        .with_http_client(client))
}

/// Who exports. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go before this.
fn resource() -> Resource {
    let given = Resource::builder()
        .with_attribute(KeyValue::new(names::SERVICE_VERSION, VERSION))
        .with_schema_url([], names::SCHEMA_URL);
    let is_named = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty()));
    // Without a name of its own it would be an unknown service.
    if is_named {
        given.build()
    } else {
        given.with_service_name(SERVICE).build()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(names::SCOPE)
        .with_version(VERSION)
        .with_schema_url(names::SCHEMA_URL)
        .build()
}
