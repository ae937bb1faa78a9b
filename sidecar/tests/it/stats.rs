//! Statistics: whatever comes in, they are the sums of the events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::money::TestClock;
use super::support::{ADMIN, Sidecar, event, expect};

const NOW: &str = "2026-03-10T12:34:56.789Z";
/// Each adds a batch and holds all statistics against all events so far.
const CASES: usize = 8;
const DAY_MS: i64 = 86_400_000;

/// What the statistics must say of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Expected {
    requests: u64,
    refusals: u64,
    errors: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost_nanousd: u64,
    latencies: Vec<u64>,
}

// === impl Expected ===

impl Expected {
    fn add(&mut self, event: &Value) {
        let (status, code) = (event["status"].as_u64().unwrap(), event["error_code"].as_str());
        let is_refusal = status >= 400 && code.is_some();
        let is_cut = status < 400 && code.is_some_and(|code| code != "client_closed");
        self.requests += 1;
        self.refusals += u64::from(is_refusal);
        self.errors += u64::from((status >= 400 && code.is_none()) || is_cut);
        self.input_tokens += event["input_tokens"].as_u64().unwrap();
        self.output_tokens += event["output_tokens"].as_u64().unwrap();
        self.cost_nanousd += event["cost_nanousd"].as_u64().unwrap();
        if !is_refusal {
            self.latencies.push(event["latency_ms"].as_u64().unwrap());
        }
    }

    fn assert(mut self, shown: &Value, what: &str) {
        for (field, sum) in [
            ("requests", self.requests),
            ("refusals", self.refusals),
            ("errors", self.errors),
            ("input_tokens", self.input_tokens),
            ("output_tokens", self.output_tokens),
        ] {
            assert_eq!(shown[field], sum, "{field} of {what}: {shown}");
        }
        assert_eq!(
            nanos(&shown["cost_usd"]),
            self.cost_nanousd,
            "cost of {what}: {shown}"
        );
        self.latencies.sort_unstable();
        if self.latencies.is_empty() {
            assert_eq!(shown["latency_ms"], Value::Null, "{what}");
        }
        for percent in [50, 95, 99] {
            let rank = (self.latencies.len() * percent).div_ceil(100);
            let Some(exact) = rank.checked_sub(1).map(|at| self.latencies[at]) else {
                continue;
            };
            let told = shown["latency_ms"][format!("p{percent}")].as_u64().unwrap();
            assert!(
                told.abs_diff(exact) <= exact / 50,
                "p{percent} of {what}: told {told}, is {exact}"
            );
        }
    }
}

/// `"0.000000012"` dollars in nano-dollars.
fn nanos(decimal: &Value) -> u64 {
    let text = decimal.as_str().unwrap();
    let (dollars, fraction) = text.split_once('.').unwrap_or((text, ""));
    dollars.parse::<u64>().unwrap() * 1_000_000_000 + format!("{fraction:0<9}").parse::<u64>().unwrap()
}

fn ms(event: &Value) -> i64 {
    event["time"]
        .as_str()
        .unwrap()
        .parse::<Timestamp>()
        .unwrap()
        .as_millisecond()
}

/// Some event of the three days before [`NOW`], or of the seventy, with names of few.
fn any_event() -> impl Strategy<Value = Value> {
    let name = |of: &'static str, some: usize| prop_oneof![4 => (0..some).prop_map(move |n| json!(format!("{of}-{n}"))), 1 => Just(Value::Null)];
    let code = prop_oneof![
        6 => Just((200, Value::Null)),
        1 => Just((200, json!("worker_lost"))),
        1 => Just((0, json!("client_closed"))),
        2 => Just((429, json!("rate_limit_exceeded"))),
        1 => Just((502, Value::Null)),
    ];
    let numbers = (
        prop_oneof![3 => 0_i64..3 * DAY_MS, 1 => 0_i64..70 * DAY_MS],
        0_u64..3_000_000,
        0_u64..5_000,
        0_u64..900,
        0_u64..90_000_000_000,
    );
    let names = (
        name("w", 3),
        name("u", 3),
        name("k", 4),
        name("m", 3),
        name("p", 2),
    );
    ("[a-f]{3}", names, code, numbers).prop_map(|(id, names, (status, code), numbers)| {
        let (ago, latency, input, output, cost) = numbers;
        let time = NOW.parse::<Timestamp>().unwrap().as_millisecond() - ago;
        let mut one = event(&id, "");
        let changes = json!({
            "time": Timestamp::from_millisecond(time).unwrap(), "workspace": names.0, "user": names.1,
            "key_id": names.2, "request_model": names.3, "provider": names.4, "status": status, "error_code": code,
            "latency_ms": latency, "input_tokens": input, "output_tokens": output, "cost_nanousd": cost,
        });
        one.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        one
    })
}

/// Asks for one kind of statistics, and holds every number of them against the events.
async fn check(
    sidecar: &Sidecar,
    events: &[Value],
    (interval, step): (&str, i64),
    group_by: &str,
    workspace: &str,
    days: i64,
) {
    let now = NOW.parse::<Timestamp>().unwrap().as_millisecond();
    // Minutes are kept for two days.
    let from = now
        - if interval == "minute" {
            DAY_MS
        } else {
            days * DAY_MS
        };
    let from = from - from.rem_euclid(step);
    let path = format!(
        "/admin/v1/stats?from={}&to={NOW}&interval={interval}&group_by={group_by}&workspace={workspace}&limit=30",
        Timestamp::from_millisecond(from).unwrap()
    );
    let field = match group_by {
        "key" => "key_id",
        "model" => "request_model",
        "endpoint" => "dialect",
        other => other,
    };
    let mut totals: BTreeMap<Option<&str>, Expected> = BTreeMap::new();
    let mut points: BTreeMap<(i64, Option<&str>), Expected> = BTreeMap::new();
    let in_it = events.iter().filter(|one| ms(one) >= from);
    for one in in_it.filter(|one| workspace.is_empty() || one["workspace"] == workspace) {
        let (time, group) = (ms(one), one[field].as_str());
        totals.entry(group).or_default().add(one);
        points
            .entry((time - time.rem_euclid(step), group))
            .or_default()
            .add(one);
    }
    let shown = sidecar.get(&path).await;
    let all = shown["totals"].as_array().unwrap();
    assert_eq!(
        (all.len(), &shown["others"]),
        (totals.len(), &json!(0)),
        "{path}: {shown}"
    );
    for one in all {
        let expected = totals.remove(&one["group"].as_str()).unwrap_or_default();
        expected.assert(one, &path);
    }
    let series = shown["series"].as_array().unwrap();
    assert_eq!(series.len(), points.len(), "{path}");
    for one in series {
        let expected = points
            .remove(&(ms(one), one["group"].as_str()))
            .unwrap_or_default();
        expected.assert(one, &path);
    }
}

#[tokio::test]
async fn they_are_the_sums_of_the_events_whatever_comes_in() {
    let sidecar = Sidecar::start_at(TestClock::at(NOW).clock(), "").await;
    let mut runner = TestRunner::default();
    // What comes again is the same as nothing.
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for case in 0..CASES {
        // Some that are made of days alone, and some with one or more stretches in them.
        let days = 4 + 9 * i64::try_from(case).unwrap();
        let batch = proptest::collection::vec(any_event(), 0..120)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        sidecar.send_events(&batch).await;
        for one in batch {
            known
                .entry(one["event_id"].as_str().unwrap().to_owned())
                .or_insert(one);
        }
        let events: Vec<Value> = known.values().cloned().collect();
        for interval in [("minute", 60_000), ("hour", 3_600_000), ("day", DAY_MS)] {
            for group_by in [
                "none",
                "workspace",
                "user",
                "key",
                "model",
                "provider",
                "endpoint",
            ] {
                for workspace in ["", "w-1"] {
                    if (group_by, workspace) != ("workspace", "w-1") {
                        check(&sidecar, &events, interval, group_by, workspace, days).await;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn sidecars_that_write_at_once_lose_nothing() {
    let first = Sidecar::start_at(TestClock::at(NOW).clock(), "").await;
    let second = first.beside().await;
    let writers = [("a", &first), ("b", &second), ("c", &first)].map(|(writer, sidecar)| async move {
        for batch in 0..10 {
            let events: Vec<Value> = (0..4)
                .map(|i| event(&format!("{writer}-{batch}-{i}"), "w"))
                .collect();
            sidecar.send_events(&events).await;
        }
    });
    let [a, b, c] = writers;
    tokio::join!(a, b, c);
    let stats = second
        .get("/admin/v1/stats?from=2026-01-01T00:00:00Z&group_by=key")
        .await;
    assert_eq!(stats["totals"][0]["group"], "key-of-w");
    assert_eq!(stats["totals"][0]["requests"], 120);
    assert_eq!(nanos(&stats["totals"][0]["cost_usd"]), 120 * 97_500);
}

#[tokio::test]
async fn groups_past_the_limit_are_told_together() {
    let sidecar = Sidecar::start_at(TestClock::at(NOW).clock(), "").await;
    let events: Vec<Value> = (1..=5_u64)
        .map(|n| {
            let mut one = event(&format!("e{n}"), &format!("w{n}"));
            one["cost_nanousd"] = json!(n);
            one
        })
        .collect();
    sidecar.send_events(&events).await;
    let stats = sidecar
        .get("/admin/v1/stats?from=2026-01-01T00:00:00Z&group_by=workspace&limit=2")
        .await;
    let totals = stats["totals"].as_array().unwrap();
    let groups: Vec<&Value> = totals.iter().map(|one| &one["group"]).collect();
    assert_eq!(groups, [&json!("w5"), &json!("w4"), &Value::Null]);
    assert_eq!(
        (&totals[2]["is_others"], &stats["others"]),
        (&json!(true), &json!(3))
    );
    assert_eq!(
        (&totals[2]["requests"], nanos(&totals[2]["cost_usd"])),
        (&json!(3), 1 + 2 + 3)
    );
    let others = stats["series"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["is_others"] == true);
    assert_eq!(others.unwrap()["requests"], 3);
}

#[tokio::test]
async fn a_mistaken_gateway_breaks_no_sum() {
    let sidecar = Sidecar::start_at(TestClock::at(NOW).clock(), "").await;
    let long = "é".repeat(500);
    for id in ["a", "b"] {
        let mut one = event(id, &long);
        for field in ["input_tokens", "output_tokens", "cost_nanousd", "latency_ms"] {
            one[field] = json!(i64::MAX);
        }
        one["request_model"] = json!(long);
        sidecar.send_events(&[one]).await;
    }
    let from = "from=2026-01-01T00:00:00Z";
    for path in [
        "stats?group_by=model",
        "stats?group_by=workspace&interval=hour",
        "stats?group_by=none",
    ] {
        let stats = sidecar.get(&format!("/admin/v1/{path}&{from}")).await;
        assert_eq!(stats["totals"][0]["requests"], 2, "{path}: {stats}");
    }
    let filtered = sidecar
        .get(&format!("/admin/v1/stats?workspace={long}&{from}"))
        .await;
    assert_eq!(filtered["totals"][0]["requests"], 2);
}

#[tokio::test]
async fn what_is_no_longer_kept_or_too_much_is_refused_by_name() {
    let sidecar = Sidecar::start_at(TestClock::at(NOW).clock(), "").await;
    for (query, pointer) in [
        ("from=2026-03-07T00:00:00Z&interval=minute", "from"),
        ("from=2025-10-01T00:00:00Z&interval=hour", "from"),
        ("from=2026-03-10T00:00:00Z&to=2026-03-09T00:00:00Z", "from"),
        ("from=1926-03-10T00:00:00Z", "interval"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("from=2006-03-10T00:00:00Z&limit=1000", "limit"),
    ] {
        let path = format!("/admin/v1/stats?{query}");
        let response = sidecar
            .request(Method::GET, &path)
            .bearer_auth(ADMIN)
            .send()
            .await
            .unwrap();
        let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}: {problem}");
    }
}

#[tokio::test]
async fn a_month_is_projected_from_the_pace_of_the_last_seven_days() {
    let clock = TestClock::at("2026-03-10T00:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let spent = |id: &str, time: &str, dollars: u64| {
        let mut one = event(id, "acme");
        one["time"] = json!(time);
        one["cost_nanousd"] = json!(dollars * 1_000_000_000);
        one
    };
    // The last is of another month, the one before it of another week.
    sidecar
        .send_events(&[
            spent("a", "2026-03-03T00:00:00Z", 7),
            spent("b", "2026-03-09T10:00:00Z", 7),
            spent("c", "2026-03-02T00:00:00Z", 5),
            spent("d", "2026-02-28T00:00:00Z", 100),
        ])
        .await;
    let shown = sidecar.get("/admin/v1/stats/projection?workspace=acme").await;
    assert_eq!(
        shown,
        json!({
            "month_start": "2026-03-01T00:00:00Z", "month_end": "2026-04-01T00:00:00Z", "cost_usd": "19",
            // Two dollars a day for 22 days more.
            "projected_cost_usd": "63", "pace_from": "2026-03-03T00:00:00Z"
        })
    );
    let other = sidecar.get("/admin/v1/stats/projection?workspace=other").await;
    assert_eq!(
        (&other["cost_usd"], &other["projected_cost_usd"]),
        (&json!("0"), &json!("0"))
    );
}

#[tokio::test]
async fn old_minutes_and_hours_are_forgotten_and_days_are_not() {
    let clock = TestClock::at("2026-01-03T00:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    sidecar.send_events(&[event("a", "w")]).await;
    let rows = "SELECT COUNT(*) FROM rollups WHERE step = ";
    sidecar.get("/admin/v1/stats").await;
    assert!(sidecar.sql(&format!("{rows}60000")).await > 0);
    clock.set("2027-01-03T00:00:00Z");
    let mut sidecar = sidecar;
    // It forgets when it starts, and each hour.
    sidecar.restart().await;
    let left = || async { sidecar.sql(&format!("{rows}60000 OR step = 3600000")).await };
    super::support::eventually(left, |left| *left == 0).await;
    let stats = sidecar.get("/admin/v1/stats?from=2026-01-01T00:00:00Z").await;
    assert_eq!(stats["totals"][0]["requests"], 1);
}
