//! A raise on real parts: while it lasts more is spent, and not a moment longer.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tollgate_stack::{Stack, wait};
use tollgate_tests::{SETTLED, post};

use super::{Budget, CHAT, DOLLAR, ask, budgets_are_known, key};

/// A raise lasts at least as long as a lease, which is two minutes unless configured.
const LEASE_TTL: &str = "2s";
const LASTS: Duration = Duration::from_secs(4);
/// How long after its end a raise may still be spent from.
const LATE: Duration = Duration::from_millis(50);
/// So many refusals in a row come from every worker.
const REFUSED: u32 = 6;
/// Less than any request needs, in nano-dollars.
const AMOUNT: u64 = 1_000;

#[tokio::test]
async fn when_a_raise_ends_the_amount_before_it_holds_again() {
    let stack = Stack::builder()
        .sidecar_env("TOLLGATE_SIDECAR__BUDGETS__LEASE_TTL", LEASE_TTL)
        .start()
        .await
        .unwrap();
    let key = key(&stack, "raised").await;
    let budget = Budget::of_workspace(&stack, "raised", "0.000001", json!({})).await;
    budgets_are_known(&stack).await;
    // When it was asked, and what came of it.
    let call = async || {
        let asked = Timestamp::now();
        let answer = post(&stack, CHAT, &key, &ask(20, 40)).await.unwrap();
        (asked, answer.status)
    };
    wait::until(SETTLED, "the budget refuses nothing", async || {
        Ok((call().await.1 == 402).then_some(()))
    })
    .await
    .unwrap();

    let ends = Timestamp::now() + LASTS;
    let raise = json!({"amount": "1", "until": ends, "reason": "the launch"});
    let raises = format!("/admin/v1/budgets/{}/raises", budget.id);
    stack.admin.post(&raises, &raise).await.unwrap();
    assert_eq!(budget.standing().await.unwrap().amount, AMOUNT + DOLLAR);

    let (mut served, mut refused_since) = (0, 0);
    wait::until(SETTLED, "the raise does not end", async || {
        match call().await {
            (asked, 200) => {
                assert!(
                    asked < ends + LATE,
                    "spent from at {asked}, and it ended at {ends}"
                );
                served += 1;
            }
            (asked, 402) => refused_since += u32::from(asked >= ends),
            (_, other) => panic!("answered {other}"),
        }
        Ok((refused_since >= REFUSED).then_some(()))
    })
    .await
    .unwrap();
    assert!(served > 0, "nothing was spent from it while it lasted");
    let standing = budget.standing().await.unwrap();
    assert_eq!(standing.amount, AMOUNT, "as it was before: {standing:?}");
    assert!(
        standing.spent < DOLLAR,
        "it is its end that refuses: {standing:?}"
    );
}
