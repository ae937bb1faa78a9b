//! Exports: CSV that a spreadsheet and a FOCUS reader take as it is.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{ADMIN, Sidecar, event};

/// Downloads, and reads each row by the names of its columns.
async fn download(sidecar: &Sidecar, path: &str) -> Vec<HashMap<String, String>> {
    let response = sidecar
        .request(Method::GET, path)
        .bearer_auth(ADMIN)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    assert!(
        headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment; filename=")
    );
    let text = response.text().await.unwrap();
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .map(Result::unwrap)
        .collect()
}

#[tokio::test]
async fn events_of_a_period_are_all_there_by_their_time() {
    let sidecar = Sidecar::start().await;
    let at = |n: usize| format!("2026-01-{:02}T{:02}:00:00Z", n % 28 + 1, n % 24);
    let sent: Vec<Value> = (0..2_500)
        .map(|n| {
            let mut one = event(&format!("e{n}"), if n % 2 == 0 { "even" } else { "odd" });
            one["time"] = json!(at(n));
            one
        })
        .collect();
    for batch in sent.chunks(1_000) {
        sidecar.send_events(batch).await;
    }
    let path =
        "/admin/v1/exports/events.csv?from=2026-01-01T00:00:00Z&to=2026-01-15T00:00:00Z&workspace=even";
    let rows = download(&sidecar, path).await;
    let mut expected: Vec<(String, String)> = (0..2_500)
        .filter(|n| n % 2 == 0 && n % 28 < 14)
        .map(|n| (at(n), format!("e{n}")))
        .collect();
    expected.sort();
    let mut shown: Vec<(String, String)> = rows
        .iter()
        .map(|row| (row["time"].clone(), row["event_id"].clone()))
        .collect();
    assert!(shown.is_sorted_by_key(|(time, _)| time.clone()));
    shown.sort();
    assert_eq!(shown, expected);
    let first = &rows[0];
    for (column, value) in [
        ("workspace", "even"),
        ("endpoint", "chat_completions"),
        ("cost_usd", "0.0000975"),
        ("input_tokens", "11"),
        ("user", ""),
        ("stream", "true"),
        ("request_service_tier", "auto"),
        ("response_service_tier", "priority"),
    ] {
        assert_eq!(first[column], value, "{column}");
    }
}

#[tokio::test]
async fn a_model_that_is_a_formula_is_text() {
    let sidecar = Sidecar::start().await;
    let mut one = event("a", "w");
    one["request_model"] = json!("=cmd|'/c calc'!A1");
    one["downgraded_model"] = Value::Null;
    sidecar.send_events(&[one]).await;
    let period = "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z";
    for (path, column) in [
        ("events.csv", "request_model"),
        ("focus.csv", "SkuId"),
        ("stats.csv", "group"),
    ] {
        let more = if path == "stats.csv" {
            "&group_by=model"
        } else {
            ""
        };
        let rows = download(&sidecar, &format!("/admin/v1/exports/{path}?{period}{more}")).await;
        assert_eq!(rows[0][column], "'=cmd|'/c calc'!A1", "{path}");
    }
}

#[tokio::test]
async fn costs_in_focus_are_those_of_the_events() {
    let sidecar = Sidecar::start().await;
    let mut batch = Vec::new();
    for day in 1..=3 {
        for (n, workspace) in ["acme", "acme", "beta"].iter().enumerate() {
            let mut one = event(&format!("{day}-{n}"), workspace);
            one["time"] = json!(format!("2026-01-0{day}T23:59:59.999Z"));
            one["user"] = json!("ann");
            batch.push(one);
        }
    }
    let mut refused = event("refused", "acme");
    refused["usage_status"] = json!("none");
    batch.push(refused);
    sidecar.send_events(&batch).await;
    let rows = download(
        &sidecar,
        "/admin/v1/exports/focus.csv?from=2026-01-01T12:00:00Z&to=2026-01-02T12:00:00Z",
    )
    .await;
    let found: Vec<(&str, &str, &str)> = rows
        .iter()
        .map(|row| {
            (
                row["ChargePeriodStart"].as_str(),
                row["SubAccountId"].as_str(),
                row["BilledCost"].as_str(),
            )
        })
        .collect();
    // 97,500 nano-dollars each.
    assert_eq!(
        found,
        [
            ("2026-01-01T00:00:00Z", "acme", "0.000195"),
            ("2026-01-01T00:00:00Z", "beta", "0.0000975"),
            ("2026-01-02T00:00:00Z", "acme", "0.000195"),
            ("2026-01-02T00:00:00Z", "beta", "0.0000975"),
        ]
    );
    for (column, value) in [
        ("BillingCurrency", "USD"),
        ("BillingPeriodStart", "2026-01-01T00:00:00Z"),
        ("BillingPeriodEnd", "2026-02-01T00:00:00Z"),
        ("ChargePeriodEnd", "2026-01-02T00:00:00Z"),
        ("ChargeCategory", "Usage"),
        ("ConsumedQuantity", "36"),
        ("ConsumedUnit", "Tokens"),
        ("ProviderName", "openai"),
        ("ServiceCategory", "AI and Machine Learning"),
        ("ResourceId", "key-of-acme"),
        ("SkuId", "gpt-4o"),
        ("Tags", "{\"user\":\"ann\"}"),
        ("x_Requests", "2"),
    ] {
        assert_eq!(rows[0][column], value, "{column}");
    }
}
