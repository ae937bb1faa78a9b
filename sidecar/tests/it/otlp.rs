//! Export by OTLP: what a collector receives of settled exchanges, and what becomes of it where there is none.

use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tollgate_tests::collector::otlp::metrics::v1::metric::Data;
use tollgate_tests::collector::otlp::metrics::v1::number_data_point::Value as Number;
use tollgate_tests::collector::otlp::trace::v1::Status;
use tollgate_tests::collector::otlp::trace::v1::span::SpanKind;
use tollgate_tests::collector::otlp::trace::v1::status::StatusCode;
use tollgate_tests::collector::{Collector, attributes};

use super::metrics::metric;
use super::support::{GATEWAY, Sidecar, event, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.41.0";

/// The attributes and the number of each point of a metric: for a histogram the count.
fn points(collector: &Collector, name: &str) -> Vec<(Map<String, Value>, u64)> {
    let mut points = Vec::new();
    for metric in collector
        .metrics()
        .into_iter()
        .filter(|metric| metric.name == name)
    {
        match metric.data.unwrap() {
            Data::Histogram(histogram) => {
                let all = histogram.data_points.iter();
                points.extend(all.map(|point| (attributes(&point.attributes), point.count)));
            }
            Data::Sum(sum) => points.extend(sum.data_points.iter().map(|point| {
                let Some(Number::AsInt(value)) = point.value else {
                    panic!("{point:?}");
                };
                (attributes(&point.attributes), value as u64)
            })),
            other => panic!("{other:?}"),
        }
    }
    points
}

fn to(url: &str) -> String {
    format!("otlp: {{endpoint: '{url}', headers: {{x-tenant: {{value: platform}}}}}}\n")
}

#[tokio::test]
async fn a_settled_exchange_is_one_span_in_the_words_of_the_conventions() {
    let (collector, url) = Collector::start().await.unwrap();
    let mut sidecar = Sidecar::start_with(&to(&url)).await;
    // Delivered twice, and once more within a batch.
    let one = event("a", "w");
    sidecar.send_events(&[one.clone(), one.clone()]).await;
    sidecar.send_events(std::slice::from_ref(&one)).await;
    sidecar.shut_down().await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let span = &spans[0];
    assert_eq!(
        (hex::encode(&span.trace_id), hex::encode(&span.parent_span_id)),
        (TRACE.to_owned(), PARENT.to_owned())
    );
    assert_eq!(
        (span.name.as_str(), span.kind()),
        ("chat gpt-4", SpanKind::Client)
    );
    let ms = |text: &Value| {
        text.as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_millisecond() as u64
    };
    let start = ms(&one["time"]) * 1_000_000;
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (start, start + 812_000_000)
    );
    assert_eq!(
        span.status.as_ref().map_or(StatusCode::Unset, Status::code),
        StatusCode::Unset
    );
    assert_eq!(
        Value::Object(attributes(&span.attributes)),
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4",
            "gen_ai.request.stream": true, "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.time_to_first_chunk": 0.095, "gen_ai.usage.input_tokens": 11,
            "gen_ai.usage.output_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 5,
            "gen_ai.usage.cache_creation.input_tokens": 0, "gen_ai.usage.reasoning.output_tokens": 3,
            "http.response.status_code": 200, "openai.request.service_tier": "auto",
            "openai.response.service_tier": "priority", "tollgate.cost_nanousd": 97_500, "tollgate.decision": "allow",
            "tollgate.downgraded_model": "gpt-4o", "tollgate.event_id": "a", "tollgate.gateway_id": "gw-1",
            "tollgate.key_id": "key-of-w", "tollgate.region": "eu", "tollgate.request_id": "req-a",
            "tollgate.usage_status": "complete", "tollgate.workspace": "w"
        })
    );
    let received = collector.received();
    let resource = &received.traces[0].resource_spans[0];
    assert_eq!(resource.scope_spans[0].schema_url, SCHEMA);
    let service = attributes(&resource.resource.as_ref().unwrap().attributes);
    assert_eq!(service["service.name"], "tollgate-sidecar");
    assert_eq!(received.headers[0]["x-tenant"], "platform");
}

#[tokio::test]
async fn what_a_trace_does_not_record_is_not_exported_and_without_one_a_trace_begins() {
    let (collector, url) = Collector::start().await.unwrap();
    let mut sidecar = Sidecar::start_with(&to(&url)).await;
    let mut unsampled = event("unsampled", "w");
    unsampled["trace_sampled"] = json!(false);
    let mut refused = event("refused", "w");
    for field in [
        "trace_id",
        "parent_span_id",
        "trace_sampled",
        "dialect",
        "request_model",
    ] {
        refused.as_object_mut().unwrap().remove(field);
    }
    refused["status"] = json!(404);
    refused["error_code"] = json!("unknown_endpoint");
    refused["usage_status"] = json!("none");
    sidecar.send_events(&[unsampled, refused]).await;
    sidecar.shut_down().await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let told = attributes(&spans[0].attributes);
    assert_eq!(told["tollgate.event_id"], "refused");
    assert_eq!(told["error.type"], "unknown_endpoint");
    assert_eq!(told["tollgate.decision"], "unknown_endpoint");
    assert!(!told.contains_key("gen_ai.usage.input_tokens"), "{told:?}");
    assert_eq!(spans[0].status.as_ref().unwrap().code(), StatusCode::Error);
    assert!(spans[0].parent_span_id.is_empty());
    assert_ne!(hex::encode(&spans[0].trace_id), TRACE);
}

#[tokio::test]
async fn a_gateways_questions_are_spans_in_the_requests_trace() {
    let (collector, url) = Collector::start().await.unwrap();
    let policy = "moderation: {policies: {p: {rules: [{name: a, category: c, action: block, words: [secretword]}]}}}\n";
    let mut sidecar = Sidecar::start_with(&format!("{}{policy}", to(&url))).await;
    let question = json!({"policy": "p", "phase": "input", "request_id": "r", "texts": ["secretword"]});
    let ask = |sidecar: &Sidecar| {
        sidecar
            .request(reqwest::Method::POST, "/v1/moderations")
            .bearer_auth(GATEWAY)
            .json(&question)
    };
    let traced = ask(&sidecar)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("tracestate", "congo=t61rcWkgMzE");
    assert_eq!(traced.send().await.unwrap().status(), 200);
    // One that is part of no trace, and one of a trace that nobody records.
    assert_eq!(ask(&sidecar).send().await.unwrap().status(), 200);
    let unsampled = ask(&sidecar).header("traceparent", format!("00-{TRACE}-{PARENT}-00"));
    assert_eq!(unsampled.send().await.unwrap().status(), 200);
    sidecar.shut_down().await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let span = &spans[0];
    assert_eq!(
        (hex::encode(&span.trace_id), hex::encode(&span.parent_span_id)),
        (TRACE.to_owned(), PARENT.to_owned())
    );
    assert_eq!(span.trace_state, "congo=t61rcWkgMzE");
    assert_eq!(
        (span.name.as_str(), span.kind()),
        ("POST /v1/moderations", SpanKind::Server)
    );
    let told = attributes(&span.attributes);
    assert_eq!(
        (&told["http.route"], &told["http.response.status_code"]),
        (&json!("/v1/moderations"), &json!(200))
    );
    assert!(
        !format!("{spans:?}").contains("secretword"),
        "no text is exported"
    );
}

#[tokio::test]
async fn exchanges_are_measured_as_the_conventions_say() {
    let (collector, url) = Collector::start().await.unwrap();
    let mut sidecar = Sidecar::start_with(&to(&url)).await;
    let mut refused = event("r", "w");
    refused["status"] = json!(429);
    refused["error_code"] = json!("rate_limit_exceeded");
    refused["usage_status"] = json!("none");
    sidecar
        .send_events(&[event("a", "w"), event("b", "w"), refused])
        .await;
    sidecar.send_events(&[event("b", "w")]).await;
    sidecar.shut_down().await;

    let about = json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4",
        "gen_ai.response.model": "gpt-4o-2024-08-06"
    });
    let with = |name: &str, value: &str| {
        let mut all = about.as_object().unwrap().clone();
        all.insert(name.to_owned(), json!(value));
        all
    };
    assert_eq!(
        points(&collector, "gen_ai.client.operation.duration"),
        [(about.as_object().unwrap().clone(), 2)]
    );
    let mut tokens = points(&collector, "gen_ai.client.token.usage");
    tokens.sort_by_key(|(told, _)| told["gen_ai.token.type"].to_string());
    let expected = ["input", "output"].map(|kind| (with("gen_ai.token.type", kind), 2));
    assert_eq!(tokens, expected);
    assert_eq!(
        points(&collector, "tollgate.cost_nanousd"),
        [(with("tollgate.workspace", "w"), 2 * 97_500)]
    );
    let refusals = points(&collector, "tollgate.refusals");
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(
        (&refusals[0].0["error.type"], refusals[0].1),
        (&json!("rate_limit_exceeded"), 1)
    );

    let metrics = collector.metrics();
    let bounds = |name: &str| {
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        let Some(Data::Histogram(histogram)) = &metric.data else {
            panic!("{metric:?}");
        };
        let bounds = &histogram.data_points[0].explicit_bounds;
        (metric.unit.clone(), bounds.len(), bounds[0], bounds[13])
    };
    assert_eq!(
        bounds("gen_ai.client.token.usage"),
        ("{token}".to_owned(), 14, 1.0, 67_108_864.0)
    );
    assert_eq!(
        bounds("gen_ai.client.operation.duration"),
        ("s".to_owned(), 14, 0.01, 81.92)
    );
}

#[tokio::test]
async fn a_collector_that_never_answers_costs_spans_that_are_counted_and_nothing_else() {
    // It takes connections, and says nothing on them.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    let otlp =
        format!("otlp: {{endpoint: '{url}', timeout: 200ms, max_queued_spans: 10}}\nshutdown_timeout: 3s\n");
    let mut sidecar = Sidecar::start_with(&otlp).await;
    let sent: Vec<Value> = (0..40).map(|n| event(&format!("e{n}"), "w")).collect();
    assert_eq!(sidecar.send_events(&sent).await["accepted"], 40);
    let dropped = async |result: &str| {
        let labels = format!(r#"result="{result}""#);
        let lines = metric(&sidecar, "tollgate_sidecar_otlp_spans_total", &[&labels]).await;
        let count = lines
            .first()
            .and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        count.unwrap_or_default()
    };
    // At most ten were on their way, and ten waited, while the others came.
    assert!(dropped("queue_full").await >= 20);
    let all = || async { dropped("queue_full").await + dropped("export_failed").await };
    eventually(all, |all| *all == 40).await;
    assert_eq!(dropped("exported").await, 0);
    sidecar.shut_down().await;
}
