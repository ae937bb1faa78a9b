//! A price that changes while a request is under way: the request is charged at the price at which it was reserved.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_stack::{Stack, wait};
use tollgate_tests::{SETTLED, number, post, send};

use super::{Budget, CHAT, MODEL, PRICE, ask, budgets_are_known, charge, key};

const TIMES: u64 = 3;
const RELOADS: &str = "extension_config_discovery.http_filter.tollgate.config_reload";
/// What the provider takes until it answers: longer than Envoy takes to take a configuration.
const SLOW: Duration = Duration::from_secs(6);
/// How long a price that is set may take.
const PROMPTLY: Duration = Duration::from_secs(2);
/// Until other workers have sent the events of one that is gone.
const ADOPTED: Duration = Duration::from_secs(60);

/// What a call costs, as its answer says, in nano-dollars.
async fn told_cost(stack: &Stack, key: &str) -> u64 {
    let answer = post(stack, CHAT, key, &ask(20, 40)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let usd: f64 = answer.header("x-tollgate-cost").parse().unwrap();
    (usd * 1e9).round() as u64
}

#[tokio::test]
async fn a_price_that_an_operator_sets_holds_within_two_seconds_until_it_is_deleted() {
    let stack = Stack::builder().start().await.unwrap();
    let key = key(&stack, "priced").await;
    let before = told_cost(&stack, &key).await;
    let per_token = |nanousd: u64| nanousd as f64 / 1e9;
    let dearer = (PRICE.0 * TIMES, PRICE.1 * TIMES);
    let price = json!({
        "id": MODEL,
        "price": {"input_cost_per_token": per_token(dearer.0), "output_cost_per_token": per_token(dearer.1)},
    });
    stack.admin.post("/admin/v1/prices", &price).await.unwrap();
    let costs = async |expected: u64| {
        let what = format!("no call costs {expected}");
        wait::until(PROMPTLY, &what, async || {
            Ok((told_cost(&stack, &key).await == expected).then_some(()))
        })
        .await
        .unwrap();
    };
    costs(before * TIMES).await;
    let url = format!("{}/admin/v1/prices/{MODEL}", stack.sidecar);
    let deleted = stack.http.delete(url).bearer_auth(&stack.admin_token);
    assert_eq!(send(deleted).await.unwrap().status, 204);
    costs(before).await;
}

/// What an event's usage costs.
fn cost(event: &Value, price: (u64, u64)) -> u64 {
    number(event, "input_tokens") * price.0 + number(event, "output_tokens") * price.1
}

#[tokio::test]
async fn a_request_is_charged_at_the_price_at_which_it_was_reserved() {
    let mut stack = Stack::builder().hot_reload().start().await.unwrap();
    let key = key(&stack, "dearer").await;
    let budget = Budget::of_workspace(&stack, "dearer", "10.00", json!({})).await;
    budgets_are_known(&stack).await;
    let (http, url) = (stack.http.clone(), format!("{}{CHAT}", stack.gateway));
    let call = |fault: String| {
        let request = http.post(&url).bearer_auth(&key).header("x-mock-fault", fault);
        tokio::spawn(send(request.json(&ask(20, 40))))
    };

    let under_way = call(format!("slow={}", SLOW.as_millis()));
    wait::until(SETTLED, "the provider has no request", async || {
        Ok((!stack.mock.requests().await?.is_empty()).then_some(()))
    })
    .await
    .unwrap();
    let reloads = stack.envoy_stat(RELOADS).await.unwrap();
    let dearer = (PRICE.0 * TIMES, PRICE.1 * TIMES);
    let per_token = |nanousd: u64| nanousd as f64 / 1e9;
    let price =
        json!({"input_cost_per_token": per_token(dearer.0), "output_cost_per_token": per_token(dearer.1)});
    stack
        .reload_filter(|config| config["prices"]["catalogue"][MODEL] = price)
        .unwrap();
    wait::until(SETTLED, "Envoy did not take the configuration", async || {
        Ok((stack.envoy_stat(RELOADS).await? > reloads).then_some(()))
    })
    .await
    .unwrap();
    let after = call("slow=0".to_owned()).await.unwrap().unwrap();
    assert!(
        !under_way.is_finished(),
        "it was answered before the price changed"
    );
    let before = under_way.await.unwrap().unwrap();

    let ids = [&before, &after].map(|answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-tollgate-request-id").to_owned()
    });
    // What was under way ends in a filter that is not there for new requests: others send its events for it.
    let events = wait::until(ADOPTED, "not every request has its event", async || {
        let events = stack.admin.events("workspace=dearer").await?;
        let of = |id: &String| {
            events
                .iter()
                .find(|event| event["request_id"] == json!(id))
                .cloned()
        };
        Ok(of(&ids[0]).zip(of(&ids[1])))
    });
    let (before, after) = &events.await.unwrap();
    for (event, price) in [(before, PRICE), (after, dearer)] {
        let (charged, reserved) = charge(event, &budget);
        assert_eq!(charged, cost(event, price), "{event}");
        assert!(reserved >= charged, "{event}");
    }
    let standing = budget.has_spent(cost(before, PRICE) + cost(after, dearer)).await;
    assert_eq!((standing.overrun, standing.debt), (0, 0), "{standing:?}");
}
