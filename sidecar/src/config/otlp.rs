//! Export by OTLP, compiled from what is written of it ([`super::otlp_spec`]).

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use tollgate_core::config::Fault;

use super::otlp_spec::OtlpSpec;

const TRACES_PATH: &str = "/v1/traces";
const METRICS_PATH: &str = "/v1/metrics";
/// A span waits in about two kilobytes.
const MAX_QUEUED_SPANS: u64 = 1 << 20;

/// What is exported where. At least one of both endpoints is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Otlp {
    /// Where spans go.
    pub traces: Option<String>,
    /// Where metrics go.
    pub metrics: Option<String>,
    /// Headers of every export.
    pub headers: HashMap<String, String>,
    /// How long an export may take.
    pub timeout: Duration,
    /// How often metrics are exported.
    pub metrics_interval: Duration,
    /// How many spans may wait.
    pub max_queued_spans: usize,
}

// === impl Otlp ===

impl Otlp {
    /// Compiles what is written, and tells every fault. None where nothing is exported.
    pub(super) fn compile(spec: &OtlpSpec, faults: &mut Vec<Fault>) -> Option<Self> {
        let mut signal = |own: &Option<String>, path: &str, is_off: bool| {
            let under = spec.endpoint.as_ref();
            let url = own
                .clone()
                .or_else(|| under.map(|base| format!("{}{path}", base.trim_end_matches('/'))))
                .filter(|_| !is_off)?;
            match check_url(&url) {
                Ok(()) => Some(url),
                Err(message) => {
                    faults.push(Fault::at("otlp.endpoint", message));
                    None
                }
            }
        };
        let traces = signal(&spec.traces_endpoint, TRACES_PATH, spec.without_traces);
        let metrics = signal(&spec.metrics_endpoint, METRICS_PATH, spec.without_metrics);
        let mut headers = HashMap::new();
        for (name, header) in &spec.headers {
            match header.read().and_then(|value| check_header(name, value)) {
                Ok(value) => {
                    headers.insert(name.clone(), value);
                }
                Err(message) => faults.push(Fault::at(format!("otlp.headers.{name}"), message)),
            }
        }
        if spec.max_queued_spans == 0 || spec.max_queued_spans > MAX_QUEUED_SPANS {
            let message = format!("expected 1 to {MAX_QUEUED_SPANS}");
            faults.push(Fault::at("otlp.max_queued_spans", message));
        }
        if spec.metrics_interval.get().is_zero() {
            faults.push(Fault::at(
                "otlp.metrics_interval",
                "expected more than no time, like 60s",
            ));
        }
        (traces.is_some() || metrics.is_some()).then(|| Self {
            traces,
            metrics,
            headers,
            timeout: spec.timeout.get(),
            metrics_interval: spec.metrics_interval.get(),
            max_queued_spans: usize::try_from(spec.max_queued_spans).unwrap_or(usize::MAX),
        })
    }
}

impl fmt::Debug for Otlp {
    /// Headers may hold secrets, and only their names are told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp")
            .field("traces", &self.traces)
            .field("metrics", &self.metrics)
            .field("headers", &self.headers.keys())
            .field("timeout", &self.timeout)
            .field("metrics_interval", &self.metrics_interval)
            .field("max_queued_spans", &self.max_queued_spans)
            .finish()
    }
}

fn check_url(url: &str) -> Result<(), String> {
    let parsed: Uri = url
        .parse()
        .map_err(|_| "expected a URL such as http://otel-collector:4318".to_owned())?;
    let authority = parsed.authority().map(hyper::http::uri::Authority::as_str);
    match (parsed.scheme_str(), authority) {
        (Some("http" | "https"), Some(authority)) if !authority.contains('@') => Ok(()),
        (Some("http" | "https"), Some(_)) => Err("credentials belong in headers, not in the URL".to_owned()),
        _ => Err("expected a URL such as http://otel-collector:4318".to_owned()),
    }
}

fn check_header(name: &str, value: String) -> Result<String, String> {
    name.parse::<HeaderName>()
        .map_err(|_| "is no header's name".to_owned())?;
    value
        .parse::<HeaderValue>()
        .map_err(|_| "its value cannot be sent as a header".to_owned())?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    use super::*;

    const BASE: &str = "database: x.db\nadmin_token: a\ngateway_tokens: [b]\n";

    fn read(yaml: &str, vars: &[(&str, &str)]) -> Result<Option<Otlp>, ConfigError> {
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_yaml(&format!("{BASE}{yaml}"), vars).map(|config| config.otlp)
    }

    #[test]
    fn nothing_is_exported_unless_somebody_says_where() {
        assert_eq!(read("", &[]).unwrap(), None);
        assert_eq!(read("otlp: {timeout: 1s}", &[]).unwrap(), None);
        let vars = [("OTEL_EXPORTER_OTLP_ENDPOINT", "")];
        assert_eq!(read("", &vars).unwrap(), None);
    }

    #[test]
    fn both_signals_are_under_the_endpoint() {
        let otlp = read("otlp: {endpoint: 'http://c:4318/'}", &[]).unwrap().unwrap();
        assert_eq!(otlp.traces.as_deref(), Some("http://c:4318/v1/traces"));
        assert_eq!(otlp.metrics.as_deref(), Some("http://c:4318/v1/metrics"));
    }

    #[test]
    fn the_standard_variables_go_before_the_file() {
        let yaml = "otlp: {endpoint: 'http://file:1', timeout: 3s, max_queued_spans: 5}";
        let vars = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://var:1"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:2/in"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1500"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
        ];
        let otlp = read(yaml, &vars).unwrap().unwrap();
        assert_eq!(otlp.traces.as_deref(), Some("http://var:1/v1/traces"));
        assert_eq!(otlp.metrics.as_deref(), Some("http://metrics:2/in"));
        assert_eq!(otlp.timeout, Duration::from_millis(250));
        assert_eq!(otlp.metrics_interval, Duration::from_millis(1_500));
        assert_eq!(otlp.max_queued_spans, 7);
    }

    #[test]
    fn variables_switch_it_off() {
        let yaml = "otlp: {endpoint: 'http://c:4318'}";
        assert_eq!(read(yaml, &[("OTEL_SDK_DISABLED", "true")]).unwrap(), None);
        let otlp = read(yaml, &[("OTEL_TRACES_EXPORTER", "none")]).unwrap().unwrap();
        assert_eq!((otlp.traces.is_some(), otlp.metrics.is_some()), (false, true));
    }

    #[test]
    fn a_header_is_in_the_file_in_the_environment_or_in_a_file_of_its_own_and_never_printed() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "secret-c\n").unwrap();
        let yaml = format!(
            "otlp: {{endpoint: 'http://c:4318', headers: {{a: {{value: secret-a}}, b: {{env: B}}, c: {{file: '{}'}}}}}}",
            file.display()
        );
        let otlp = read(&yaml, &[("B", "secret-b")]).unwrap().unwrap();
        for name in ["a", "b", "c"] {
            assert_eq!(otlp.headers[name], format!("secret-{name}"));
        }
        assert!(!format!("{otlp:?}").contains("secret"), "{otlp:?}");
    }

    #[test]
    fn every_fault_names_its_path() {
        for (yaml, vars, fault) in [
            ("otlp: {endpoint: collector}", vec![], "otlp.endpoint: "),
            (
                "otlp: {endpoint: 'http://me:pw@c'}",
                vec![],
                "otlp.endpoint: credentials",
            ),
            (
                "otlp: {headers: {a: {}}}",
                vec![],
                "otlp.headers.a: expected one of",
            ),
            (
                "otlp: {headers: {'a b': {value: c}}}",
                vec![],
                "otlp.headers.a b: ",
            ),
            (
                "otlp: {headers: {a: {env: NONE}}}",
                vec![],
                "otlp.headers.a.env: ",
            ),
            (
                "otlp: {headers: {a: {file: /no/such}}}",
                vec![],
                "otlp.headers.a: cannot read",
            ),
            ("otlp: {max_queued_spans: 0}", vec![], "otlp.max_queued_spans: "),
            (
                "",
                vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                "OTEL_EXPORTER_OTLP_PROTOCOL: ",
            ),
            (
                "",
                vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")],
                "OTEL_EXPORTER_OTLP_TIMEOUT: ",
            ),
        ] {
            let told = read(yaml, &vars).unwrap_err().to_string();
            assert!(told.starts_with(fault), "{fault} in {told}");
        }
    }
}
