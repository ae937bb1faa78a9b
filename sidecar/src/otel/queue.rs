//! What waits to be exported: bounded, and what becomes of each span is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};

use crate::metrics::{Metrics, SpanOutcome};

/// The SDK's processor, which batches spans and exports them on a thread of its own. It tells nobody of what it drops:
/// so nothing is given to it for which it has no room.
#[derive(Debug)]
pub(super) struct Queue {
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    most: usize,
    metrics: Metrics,
}

/// An exporter whose spans wait no longer, and are counted.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    waiting: Arc<AtomicUsize>,
    metrics: Metrics,
}

// === impl Queue ===

impl Queue {
    /// A queue in which at most `most` spans wait for `exporter`.
    pub(super) fn new(exporter: impl SpanExporter + 'static, most: usize, metrics: Metrics) -> Self {
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Counted {
            exporter,
            waiting: Arc::clone(&waiting),
            metrics: metrics.clone(),
        };
        let config = BatchConfigBuilder::default().with_max_queue_size(most).build();
        Self {
            batches: BatchSpanProcessor::new(counted, config),
            waiting,
            most,
            metrics,
        }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let room = |waiting: usize| (waiting < self.most).then_some(waiting + 1);
        match self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
        {
            Ok(_) => self.batches.on_end(span),
            Err(_) => self.metrics.count_spans(SpanOutcome::QueueFull, 1),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

// === impl Counted ===

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        let exported = self.exporter.export(batch).await;
        let outcome = match exported {
            Ok(()) => SpanOutcome::Exported,
            Err(_) => SpanOutcome::ExportFailed,
        };
        self.metrics.count_spans(outcome, spans);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
