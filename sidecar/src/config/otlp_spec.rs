//! Export by OTLP, as it is written, with OpenTelemetry's own variables on top.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use tollgate_core::config::{Fault, Span};

/// The one encoding that there is here.
const PROTOCOL: &str = "http/protobuf";

/// Export of spans and metrics by OTLP (`http/protobuf`): see `docs/operations.md`. Nothing is exported unless there is an
/// endpoint, here or in a variable of OpenTelemetry's: `OTEL_EXPORTER_OTLP_ENDPOINT`, and `…_TRACES_ENDPOINT` and
/// `…_METRICS_ENDPOINT` for one of both. Variables go before the file.
///
/// ```yaml
/// otlp:
///   endpoint: http://otel-collector:4318
///   headers:
///     authorization: {value: replace-with-the-collectors-token}
/// ```
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OtlpSpec {
    /// The collector's URL; `/v1/traces` and `/v1/metrics` are added to it.
    pub endpoint: Option<String>,
    /// Headers of every export, beside those of `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: BTreeMap<String, OtlpHeaderSpec>,
    /// How long an export may take (`OTEL_EXPORTER_OTLP_TIMEOUT`).
    pub timeout: Span,
    /// How often metrics are exported (`OTEL_METRIC_EXPORT_INTERVAL`).
    pub metrics_interval: Span,
    /// How many spans may wait to be exported; those beyond are dropped, and counted in the sidecar's own metrics
    /// (`OTEL_BSP_MAX_QUEUE_SIZE`).
    pub max_queued_spans: u64,
    /// Where spans go, if not under `endpoint`.
    #[serde(skip)]
    pub(super) traces_endpoint: Option<String>,
    /// Where metrics go, if not under `endpoint`.
    #[serde(skip)]
    pub(super) metrics_endpoint: Option<String>,
    #[serde(skip)]
    pub(super) without_traces: bool,
    #[serde(skip)]
    pub(super) without_metrics: bool,
}

/// Where a header's value is: one of these.
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OtlpHeaderSpec {
    /// Here.
    pub value: Option<String>,
    /// In this variable of the environment.
    pub env: Option<String>,
    /// In this file, white space around it left out.
    pub file: Option<String>,
}

// === impl OtlpSpec ===

impl OtlpSpec {
    /// Takes over one of OpenTelemetry's variables, if it is one that counts here. Others are the SDK's to read. An empty
    /// one is the same as none.
    ///
    /// # Errors
    /// What is wrong with its value.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        match name {
            "OTEL_SDK_DISABLED" => {
                let is_disabled = value.eq_ignore_ascii_case("true");
                self.without_traces |= is_disabled;
                self.without_metrics |= is_disabled;
            }
            "OTEL_TRACES_EXPORTER" => self.without_traces |= is_none(value)?,
            "OTEL_METRICS_EXPORTER" => self.without_metrics |= is_none(value)?,
            "OTEL_EXPORTER_OTLP_ENDPOINT" => self.endpoint = Some(value.to_owned()),
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" => self.traces_endpoint = Some(value.to_owned()),
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" => self.metrics_endpoint = Some(value.to_owned()),
            "OTEL_EXPORTER_OTLP_PROTOCOL"
            | "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
            | "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
                if value != PROTOCOL =>
            {
                return Err(format!("only {PROTOCOL} is spoken here"));
            }
            "OTEL_EXPORTER_OTLP_TIMEOUT" => self.timeout = millis(value)?,
            "OTEL_METRIC_EXPORT_INTERVAL" => self.metrics_interval = millis(value)?,
            "OTEL_BSP_MAX_QUEUE_SIZE" => self.max_queued_spans = number(value)?,
            _ => {}
        }
        Ok(())
    }

    /// Reads the headers that are in the environment.
    ///
    /// # Errors
    /// Each that is not there.
    pub(super) fn read_env(&mut self, vars: &[(String, String)]) -> Result<(), Fault> {
        for (name, header) in &mut self.headers {
            let Some(variable) = header.env.as_ref().filter(|_| header.value.is_none()) else {
                continue;
            };
            let found = vars.iter().find(|(name, _)| name == variable);
            let (_, value) = found.ok_or_else(|| {
                Fault::at(
                    format!("otlp.headers.{name}.env"),
                    format!("the environment has no {variable}"),
                )
            })?;
            header.value = Some(value.clone());
            header.env = None;
        }
        Ok(())
    }
}

impl Default for OtlpSpec {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers: BTreeMap::new(),
            timeout: Span::from_millis(10_000),
            metrics_interval: Span::from_millis(60_000),
            max_queued_spans: 2_048,
            traces_endpoint: None,
            metrics_endpoint: None,
            without_traces: false,
            without_metrics: false,
        }
    }
}

// === impl OtlpHeaderSpec ===

impl OtlpHeaderSpec {
    /// The value.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn read(&self) -> Result<String, String> {
        match (&self.value, &self.env, &self.file) {
            (Some(value), None, None) => Ok(value.clone()),
            (None, None, Some(file)) => std::fs::read_to_string(file)
                .map(|text| text.trim().to_owned())
                .map_err(|error| format!("cannot read {file}: {error}")),
            _ => Err("expected one of value, env and file".to_owned()),
        }
    }
}

impl fmt::Debug for OtlpHeaderSpec {
    /// A value may be a secret, and is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpHeaderSpec")
            .field("env", &self.env)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Of `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER`.
fn is_none(value: &str) -> Result<bool, String> {
    match value {
        "none" => Ok(true),
        "otlp" => Ok(false),
        _ => Err("expected otlp or none".to_owned()),
    }
}

fn millis(value: &str) -> Result<Span, String> {
    number(value).map(Span::from_millis)
}

fn number(value: &str) -> Result<u64, String> {
    value
        .trim()
        .parse()
        .map_err(|_| "expected a whole number".to_owned())
}
