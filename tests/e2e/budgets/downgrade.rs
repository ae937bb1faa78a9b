//! A budget that runs low is spent on a cheaper model, and everybody is told.

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::{send, settled};

use super::{Budget, CHAT, MODEL, PRICE, ask, budgets_are_known, cost_served, key};

const CHEAPER: &str = "gpt-4o-mini";
const WORDS: u64 = 100;

#[tokio::test]
async fn under_forty_percent_another_model_answers_and_the_event_names_both() {
    let stack = Stack::builder()
        .filter_config(|config| {
            config["budgets"]["downgrades"] = json!([{"below_percent": 40, "models": {MODEL: CHEAPER}}]);
        })
        .start()
        .await
        .unwrap();
    let key = key(&stack, "thrifty").await;
    // An answer of a hundred words takes more than 60 % of it; two do not fit.
    let amount = WORDS * PRICE.1 * 16 / 10;
    let budget = Budget::of_workspace(&stack, "thrifty", &format!("0.{amount:09}"), json!({})).await;
    budgets_are_known(&stack).await;
    let call = async || {
        let request = stack
            .http
            .post(format!("{}{CHAT}", stack.gateway))
            .bearer_auth(&key);
        send(request.json(&ask(WORDS, WORDS))).await.unwrap()
    };

    let first = call().await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.header("x-tollgate-warning"), "");
    budget.has_spent(cost_served(&stack).await).await;
    let second = call().await;
    assert_eq!(second.status, 200, "{}", second.text());
    let warning = second.header("x-tollgate-warning");
    assert!(
        warning.contains(&format!("model {MODEL} replaced by {CHEAPER}")),
        "{warning}"
    );

    let ids = [&first, &second].map(|answer| answer.header("x-tollgate-request-id").to_owned());
    let events = settled(&stack, &ids).await.unwrap();
    let models = ids.each_ref().map(|id| {
        let event = &events[id];
        (event["request_model"].clone(), event["downgraded_model"].clone())
    });
    assert_eq!(
        models,
        [(json!(MODEL), json!(null)), (json!(MODEL), json!(CHEAPER)),]
    );
    let asked = stack.mock.requests().await.unwrap();
    let asked: Vec<Value> = asked
        .iter()
        .map(|request| {
            serde_json::from_str::<Value>(request["body"].as_str().unwrap()).unwrap()["model"].clone()
        })
        .collect();
    assert_eq!(asked, [MODEL, CHEAPER], "what the provider was asked for");
    // The cheaper one is charged at its own price.
    let (first, second) = (&events[&ids[0]], &events[&ids[1]]);
    let cost = |event: &Value| event["cost_nanousd"].as_u64().unwrap();
    assert!(
        cost(second) > 0 && cost(second) * 10 < cost(first),
        "{first} {second}"
    );
    budget.has_spent(cost(first) + cost(second)).await;
}
