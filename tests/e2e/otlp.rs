//! Traces from end to end: what begins at the client goes through Envoy to the provider, and the exchange's span is in it.

use serde_json::json;
use tollgate_stack::{Stack, wait};
use tollgate_tests::collector::otlp::trace::v1::span::SpanKind;
use tollgate_tests::collector::{Collector, attributes};
use tollgate_tests::{SETTLED, chat, event, received_header, send};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[tokio::test]
async fn a_trace_goes_through_to_the_provider_and_has_the_exchanges_span() {
    let (collector, url) = Collector::start().await.unwrap();
    let stack = Stack::builder()
        .sidecar_env("OTEL_EXPORTER_OTLP_ENDPOINT", &url)
        .sidecar_env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20team")
        .sidecar_env("OTEL_SERVICE_NAME", "llm-ledger")
        .sidecar_env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .start()
        .await
        .unwrap();
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let request = stack
        .http
        .post(format!("{}/v1/chat/completions", stack.gateway))
        .bearer_auth(stack.key("unlimited"))
        .header("traceparent", &parent)
        .header("tracestate", "congo=t61rcWkgMzE")
        .json(&chat("echo eins zwei"));
    let answer = send(request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    let provider = &stack.mock.requests().await.unwrap()[0];
    assert_eq!(received_header(provider, "traceparent").unwrap(), [parent]);
    assert_eq!(
        received_header(provider, "tracestate").unwrap(),
        ["congo=t61rcWkgMzE"]
    );

    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["trace_id"], &event["parent_span_id"]),
        (&json!(TRACE), &json!(SPAN))
    );
    let span = wait::until(SETTLED, "no span of the exchange was exported", async || {
        let spans = collector.spans();
        Ok(spans.into_iter().find(|span| span.kind() == SpanKind::Client))
    })
    .await
    .unwrap();
    assert_eq!(
        (hex(&span.trace_id), hex(&span.parent_span_id)),
        (TRACE.to_owned(), SPAN.to_owned())
    );
    assert_eq!(span.name, "chat gpt-4o-mini");
    let told = attributes(&span.attributes);
    for (name, field) in [
        ("gen_ai.provider.name", "provider"),
        ("gen_ai.request.model", "request_model"),
        ("gen_ai.response.model", "response_model"),
        ("gen_ai.request.stream", "stream"),
        ("gen_ai.usage.input_tokens", "input_tokens"),
        ("gen_ai.usage.output_tokens", "output_tokens"),
        ("http.response.status_code", "status"),
        ("tollgate.cost_nanousd", "cost_nanousd"),
        ("tollgate.workspace", "workspace"),
        ("tollgate.key_id", "key_id"),
        ("tollgate.event_id", "event_id"),
    ] {
        assert_eq!(told[name], event[field], "{name}: {told:?}");
    }
    // The key was asked for within the same request.
    let callouts = collector
        .spans()
        .into_iter()
        .filter(|span| span.kind() == SpanKind::Server);
    let callouts: Vec<(String, String)> = callouts.map(|span| (span.name, hex(&span.trace_id))).collect();
    assert!(
        callouts.contains(&("POST /v1/keys/resolve".to_owned(), TRACE.to_owned())),
        "{callouts:?}"
    );
    let received = collector.received();
    assert_eq!(received.headers[0]["x-tenant"], "a team");
    let resource = received.traces[0].resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(attributes(&resource.attributes)["service.name"], "llm-ledger");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
