//! Envoy's own 504, where a route waits for the provider no longer: the provider has read the prompt, and bills it.

use serde_json::{Value, json};
use tollgate_tests::{event, number, send};

use super::{Budget, CHAT, PRICE, ask, charge, key, shared};

/// Of requests with this header Envoy waits for the answer only so long.
const HEADER: &str = "x-test-impatient";
const PATIENCE: &str = "0.3s";
/// Output tokens that are reserved, and never come.
const TOKENS: u64 = 1_000;

/// Puts the route of an impatient client before all others.
pub(super) fn impatient_route(envoy: &mut Value) {
    let manager =
        &mut envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
    let route = json!({
        "match": {"prefix": "/", "headers": [{"name": HEADER, "present_match": true}]},
        "route": {"cluster": "openai", "timeout": PATIENCE},
    });
    routes.as_array_mut().unwrap().insert(0, route);
}

#[tokio::test]
async fn a_route_that_times_out_costs_the_prompt_and_gives_the_rest_of_the_reservation_back() {
    let stack = shared().await;
    let key = key(&stack, "impatient").await;
    let budget = Budget::of_workspace(&stack, "impatient", "1.00", json!({})).await;
    let request = stack.http.post(format!("{}{CHAT}", stack.gateway));
    let request = request.bearer_auth(&key).header(HEADER, "yes");
    let request = request
        .header("x-mock-fault", "slow=600000")
        .json(&ask(1, TOKENS));

    let answer = send(request).await.unwrap();
    assert_eq!(
        (answer.status, answer.text()),
        (504, "upstream request timeout".to_owned())
    );
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["status"], &event["error_code"], &event["usage_status"]),
        (&json!(504), &json!("upstream_timeout"), &json!("estimated")),
        "{event}"
    );
    let prompt = number(&event, "input_tokens") * PRICE.0;
    let (charged, reserved) = charge(&event, &budget);
    assert!(prompt > 0 && reserved >= prompt + TOKENS * PRICE.1, "{event}");
    assert_eq!((number(&event, "output_tokens"), charged), (0, prompt), "{event}");
    let standing = budget.has_spent(prompt).await;
    assert_eq!((standing.overrun, standing.debt), (0, 0), "{standing:?}");
}
