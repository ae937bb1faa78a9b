//! The sidecar's own metrics: what Prometheus scrapes.

use reqwest::Method;
use serde_json::json;

use super::support::{ADMIN, Sidecar, event};

/// The lines of `/metrics` of a name and with some labels.
pub(crate) async fn metric(sidecar: &Sidecar, name: &str, labels: &[&str]) -> Vec<String> {
    // Nobody need say who asks.
    let response = sidecar.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(
        media_type.starts_with("application/openmetrics-text; version=1.0.0"),
        "{media_type}"
    );
    let text = response.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let sidecar = Sidecar::start().await;
    for id in ["key_a", "key_b"] {
        let path = format!("/admin/v1/keys/{id}");
        sidecar
            .request(Method::GET, &path)
            .bearer_auth(ADMIN)
            .send()
            .await
            .unwrap();
    }
    let counted = metric(
        &sidecar,
        "tollgate_sidecar_http_requests_total",
        &[
            r#"method="GET""#,
            r#"route="/admin/v1/keys/{id}""#,
            r#"status="404""#,
        ],
    )
    .await;
    assert!(counted.len() == 1 && counted[0].ends_with(" 2"), "{counted:?}");
    let timed = metric(
        &sidecar,
        "tollgate_sidecar_http_request_duration_seconds_count",
        &[r#"route="/admin/v1/keys/{id}""#],
    )
    .await;
    assert!(timed.len() == 1 && timed[0].ends_with(" 2"), "{timed:?}");
}

#[tokio::test]
async fn no_label_has_a_value_that_a_client_makes_up() {
    let sidecar = Sidecar::start().await;
    for n in 0..5 {
        let method = Method::from_bytes(format!("BREW{n}").as_bytes()).unwrap();
        let path = format!("/made/up/{n}");
        sidecar.request(method, &path).send().await.unwrap();
    }
    let all = metric(&sidecar, "tollgate_sidecar_http_requests_total", &[]).await;
    assert!(
        all.iter()
            .all(|line| !line.contains("BREW") && !line.contains("made")),
        "{all:?}"
    );
    assert_eq!(all.len(), 1, "{all:?}");
}

#[tokio::test]
async fn events_are_counted_by_what_came_of_them() {
    let sidecar = Sidecar::start().await;
    sidecar.send_events(&[event("a", "w"), event("b", "w")]).await;
    sidecar
        .send_events(&[event("b", "w"), json!({"event_id": "bad"})])
        .await;
    for (result, count) in [("accepted", 2), ("duplicate", 1), ("rejected", 1)] {
        let counted = metric(
            &sidecar,
            "tollgate_sidecar_events_total",
            &[&format!(r#"result="{result}""#)],
        )
        .await;
        assert!(
            counted.len() == 1 && counted[0].ends_with(&format!(" {count}")),
            "{counted:?}"
        );
    }
}
