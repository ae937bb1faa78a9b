//! Events: once each, in order, and read as a tail.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{ADMIN, Sidecar, event, expect, tail};

fn ids(page: &Value) -> Vec<&str> {
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_repeated_batch_adds_nothing() {
    let sidecar = Sidecar::start().await;
    let batch = [event("a", "w"), event("b", "w")];
    assert_eq!(
        sidecar.send_events(&batch).await,
        json!({"accepted": 2, "duplicates": 0, "rejected": 0})
    );
    let again = [event("b", "w"), event("c", "w"), event("c", "w")];
    assert_eq!(
        sidecar.send_events(&again).await,
        json!({"accepted": 1, "duplicates": 2, "rejected": 0})
    );
    assert_eq!(ids(&sidecar.get("/admin/v1/events").await), ["a", "b", "c"]);
}

#[tokio::test]
async fn events_are_summed_up_once_many_wait_though_nobody_asks() {
    let sidecar = Sidecar::start().await;
    let batch: Vec<Value> = (0..1_000).map(|n| event(&format!("e{n}"), "w")).collect();
    let waiting = "SELECT e.value - r.value FROM counters e, counters r WHERE e.name = 'event' AND r.name = 'rolled_up'";
    // Repeated ones take numbers, too. The sixth is for the sidecar, which sums up what is there when it starts.
    for _ in 0..6 {
        sidecar.send_events(&batch).await;
        assert!(sidecar.sql(waiting).await < 5_000);
    }
    let requests =
        "SELECT SUM(requests) FROM rollups WHERE step = 86400000 AND dimension = 'user' AND scope = 'w'";
    assert_eq!(sidecar.sql(requests).await, 1_000);
}

#[tokio::test]
async fn every_field_is_shown_as_it_was_sent() {
    let sidecar = Sidecar::start().await;
    let sent = event("a", "w");
    sidecar.send_events(std::slice::from_ref(&sent)).await;
    let page = sidecar.get("/admin/v1/events").await;
    let shown = page["events"][0].as_object().unwrap();
    for (field, value) in sent.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field}");
    }
    // Fields that nobody knew are there too.
    for field in ["user", "session", "error_code"] {
        assert_eq!(shown[field], Value::Null, "{field}");
    }
}

#[tokio::test]
async fn a_malformed_event_is_kept_aside_and_the_others_are_not_lost() {
    let sidecar = Sidecar::start().await;
    let batch = [event("a", "w"), json!({"event_id": "bad"}), event("b", "w")];
    assert_eq!(
        sidecar.send_events(&batch).await,
        json!({"accepted": 2, "duplicates": 0, "rejected": 1})
    );
    assert_eq!(ids(&sidecar.get("/admin/v1/events").await), ["a", "b"]);
}

#[tokio::test]
async fn pages_are_in_insertion_order_and_meet_without_gap_or_overlap() {
    let sidecar = Sidecar::start().await;
    let sent: Vec<Value> = (0..25).map(|i| event(&format!("e{i:02}"), "w")).collect();
    for batch in sent.chunks(7) {
        sidecar.send_events(batch).await;
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = sidecar
            .get(&format!("/admin/v1/events?limit=4&after={after}"))
            .await;
        if ids(&page).is_empty() {
            break;
        }
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        after = page["next"].as_str().unwrap().to_owned();
    }
    let expected: Vec<String> = (0..25).map(|i| format!("e{i:02}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_cursor_of_an_empty_page_shows_what_comes_later() {
    let sidecar = Sidecar::start().await;
    let empty = sidecar.get("/admin/v1/events?workspace=mine").await;
    let start = empty["next"].as_str().unwrap();
    sidecar
        .send_events(&[event("theirs", "theirs"), event("mine", "mine")])
        .await;
    let page = sidecar
        .get(&format!("/admin/v1/events?workspace=mine&after={start}"))
        .await;
    assert_eq!(ids(&page), ["mine"]);
    let end = page["next"].as_str().unwrap();
    let page = sidecar
        .get(&format!("/admin/v1/events?workspace=mine&after={end}"))
        .await;
    assert!(ids(&page).is_empty());
}

#[tokio::test]
async fn events_are_filtered_by_workspace_and_by_key() {
    let sidecar = Sidecar::start().await;
    sidecar
        .send_events(&[event("a", "one"), event("b", "two"), event("c", "one")])
        .await;
    assert_eq!(
        ids(&sidecar.get("/admin/v1/events?workspace=one").await),
        ["a", "c"]
    );
    assert_eq!(ids(&sidecar.get("/admin/v1/events?key=key-of-two").await), ["b"]);
    assert!(ids(&sidecar.get("/admin/v1/events?workspace=one&key=key-of-two").await).is_empty());
}

#[tokio::test]
async fn events_survive_a_restart() {
    let mut sidecar = Sidecar::start().await;
    sidecar.send_events(&[event("a", "w")]).await;
    sidecar.restart().await;
    assert_eq!(ids(&sidecar.get("/admin/v1/events").await), ["a"]);
}

#[tokio::test]
async fn concurrent_readers_of_the_tail_miss_nothing() {
    let sidecar = std::sync::Arc::new(Sidecar::start().await);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move {
                for batch in 0..10 {
                    let events: Vec<Value> = (0..5)
                        .map(|i| event(&format!("{writer}-{batch}-{i}"), "w"))
                        .collect();
                    sidecar.send_events(&events).await;
                }
            })
        })
        .collect();
    tail(&sidecar, 200).await;
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_of_a_thousand_is_taken_whole() {
    let sidecar = Sidecar::start().await;
    let batch: Vec<Value> = (0..1000).map(|i| event(&format!("e{i}"), "w")).collect();
    assert_eq!(
        sidecar.send_events(&batch).await,
        json!({"accepted": 1000, "duplicates": 0, "rejected": 0})
    );
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_by_name() {
    let sidecar = Sidecar::start().await;
    let response = sidecar
        .request(Method::GET, "/admin/v1/events?after=17")
        .bearer_auth(ADMIN)
        .send()
        .await
        .unwrap();
    let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(problem["errors"][0]["pointer"], "after");
}

#[tokio::test]
async fn the_newest_are_read_without_the_old_ones_and_then_backwards_to_the_first() {
    let sidecar = Sidecar::start().await;
    for i in 0..7 {
        let workspace = if i % 2 == 0 { "even" } else { "odd" };
        sidecar.send_events(&[event(&format!("e{i}"), workspace)]).await;
    }
    let newest = sidecar.get("/admin/v1/events?newest=true&limit=3").await;
    assert_eq!(ids(&newest), ["e4", "e5", "e6"]);
    let before = newest["previous"].as_str().unwrap();
    let earlier = sidecar
        .get(&format!("/admin/v1/events?newest=true&limit=3&before={before}"))
        .await;
    assert_eq!(ids(&earlier), ["e1", "e2", "e3"]);
    let before = earlier["previous"].as_str().unwrap();
    let first = sidecar
        .get(&format!("/admin/v1/events?newest=true&limit=3&before={before}"))
        .await;
    assert_eq!((ids(&first), first.get("previous")), (vec!["e0"], None));

    let filtered = sidecar
        .get("/admin/v1/events?newest=true&limit=2&workspace=odd")
        .await;
    assert_eq!(ids(&filtered), ["e3", "e5"]);
    sidecar.send_events(&[event("e7", "odd")]).await;
    let next = filtered["next"].as_str().unwrap();
    let since = sidecar
        .get(&format!("/admin/v1/events?workspace=odd&after={next}"))
        .await;
    assert_eq!(ids(&since), ["e7"], "what has come since, once");
}
