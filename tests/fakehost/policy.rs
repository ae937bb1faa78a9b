//! The ledger's policy: from the feed to every worker, without a restart.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_fakehost::{Exchange, Host};

use crate::gateway::{KNOWN, answer, assert_sound, boot_workers, chat, config, moderated};
use crate::sidecar::{Ledger, verdict};

/// The feed is read every half second, by whichever worker's tick comes first; then each needs one of its own.
const SOON: Duration = Duration::from_secs(1);

fn policy(version: u64, amount: u64) -> Value {
    let limit =
        json!({"name": "ledgers", "count": "requests", "amount": amount, "period": "1h", "per": ["key"]});
    json!({"version": version, "limits": [limit]})
}

/// Lets the gateway hear of a policy.
fn tell(host: &Host, sidecar: &mut Ledger, policy: Value) {
    sidecar.policy = policy;
    sidecar.collect_for(host, SOON);
}

fn status(host: &Host, worker: usize) -> u16 {
    let exchange = host.worker(worker).send(chat(KNOWN));
    finish(host, &exchange)
}

fn finish(host: &Host, exchange: &Exchange) -> u16 {
    if exchange.upstream().reached() {
        exchange.respond(&answer());
    }
    assert_sound(host, exchange);
    exchange.client().status()
}

fn warnings(host: &Host) -> Vec<String> {
    let lines = host.log().into_iter().map(|line| line.message);
    lines.filter(|text| text.contains("policy")).collect()
}

#[test]
fn a_limit_of_the_ledger_holds_in_every_worker_and_goes_as_it_came() {
    let host = boot_workers(&config(), 2);
    let mut sidecar = Ledger::default();
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 200]);
    tell(&host, &mut sidecar, policy(1, 2));
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 200]);
    assert_eq!(
        [status(&host, 0), status(&host, 1)],
        [429, 429],
        "both count together"
    );
    tell(&host, &mut sidecar, policy(2, 3));
    assert_eq!([status(&host, 1), status(&host, 0)], [200, 429], "raised by one");
    tell(&host, &mut sidecar, json!({"version": 3}));
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 200], "deleted");
    assert_eq!(
        sidecar.policies_asked, 3,
        "one worker asks for all, and once a version"
    );
}

#[test]
fn a_reset_gives_a_static_limit_back_in_every_worker_once() {
    let mut config = config();
    config["limits"][0]["amount"] = json!(1);
    let host = boot_workers(&config, 2);
    let mut sidecar = Ledger::default();
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 429]);
    let reset = json!({"limit": "requests", "subject": {"workspace": "acme"}, "generation": 5});
    tell(&host, &mut sidecar, json!({"version": 1, "resets": [reset]}));
    assert_eq!([status(&host, 1), status(&host, 0)], [200, 429], "once for both");
    let other = json!({"limit": "requests", "subject": {"workspace": "other"}, "generation": 6});
    tell(
        &host,
        &mut sidecar,
        json!({"version": 2, "resets": [reset, other]}),
    );
    assert_eq!(
        [status(&host, 0), status(&host, 1)],
        [429, 429],
        "heard of again, it gives nothing"
    );
}

#[test]
fn a_policy_that_does_not_fit_is_refused_and_the_one_before_goes_on() {
    let host = boot_workers(&config(), 2);
    let mut sidecar = Ledger::default();
    tell(&host, &mut sidecar, policy(1, 1));
    let mut clash = policy(2, 9);
    clash["limits"][0]["name"] = json!("requests");
    tell(&host, &mut sidecar, clash);
    assert_eq!(
        [status(&host, 0), status(&host, 1)],
        [200, 429],
        "version 1 is in force"
    );
    // The two workers, and the main thread's VM.
    assert_eq!(
        host.metric("tollgate_policy_refused_total"),
        3,
        "each has compiled it once"
    );
    let told = warnings(&host);
    let reason = "policy.limits[0].name: `requests` is limits[0]'s name already";
    assert!(told.iter().any(|text| text.contains(reason)), "{told:#?}");
    assert_eq!(sidecar.policies_asked, 2, "a bad version is not asked for again");
    tell(&host, &mut sidecar, policy(3, 5));
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 200], "a good one is");
}

#[test]
fn whom_an_operator_holds_is_refused_in_every_worker_whoever_let_them_in() {
    let host = boot_workers(&config(), 2);
    let mut sidecar = Ledger::default();
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 200]);
    tell(
        &host,
        &mut sidecar,
        json!({"version": 1, "paused": {"workspaces": ["acme"]}}),
    );
    assert_eq!(
        [status(&host, 0), status(&host, 1)],
        [403, 403],
        "a key of the configuration"
    );
    tell(
        &host,
        &mut sidecar,
        json!({"version": 2, "paused": {"workspaces": ["other"]}}),
    );
    assert_eq!([status(&host, 0), status(&host, 1)], [200, 200], "resumed");
}

#[test]
fn an_operator_can_hold_and_resume_where_the_rest_of_the_policy_does_not_fit() {
    let host = boot_workers(&config(), 1);
    let mut sidecar = Ledger::default();
    tell(&host, &mut sidecar, policy(1, 2));
    let mut clash = policy(2, 9);
    clash["limits"][0]["name"] = json!("requests");
    clash["paused"] = json!({"workspaces": ["acme"]});
    tell(&host, &mut sidecar, clash.clone());
    assert_eq!(status(&host, 0), 403);
    clash["version"] = json!(3);
    clash["paused"] = json!({});
    tell(&host, &mut sidecar, clash);
    assert_eq!(
        [status(&host, 0), status(&host, 0), status(&host, 0)],
        [200, 200, 429],
        "the limits of version 1 have stayed"
    );
}

#[test]
fn what_the_sidecar_sends_instead_of_a_policy_changes_nothing() {
    let host = boot_workers(&config(), 1);
    let mut sidecar = Ledger::default();
    tell(&host, &mut sidecar, policy(1, 1));
    assert_eq!(status(&host, 0), 200);
    for nonsense in [
        json!([]),
        json!({"version": "two"}),
        json!({"version": 2, "limits": [{"name": "a"}]}),
    ] {
        tell(&host, &mut sidecar, nonsense);
        assert_eq!(status(&host, 0), 429);
    }
    assert!(host.metric("tollgate_policy_refused_total") > 0);
}

#[test]
fn an_exchange_keeps_the_configuration_that_it_began_with() {
    let mut config = moderated(false);
    config["moderation"][0]["timeout"] = json!("10s");
    let host = boot_workers(&config, 1);
    let mut sidecar = Ledger::default();
    let exchange = host.worker(0).send(chat(KNOWN));
    tell(&host, &mut sidecar, policy(1, 1));
    // It took from no limit of the ledger, and settles with the limits that it took from.
    host.callout("/v1/moderations").answer(verdict("allow"));
    assert_eq!(finish(&host, &exchange), 200);
    let next = host.worker(0).send(chat(KNOWN));
    host.callout("/v1/moderations").answer(verdict("allow"));
    assert_eq!(finish(&host, &next), 200);
    assert_eq!(status(&host, 0), 429);
}

#[test]
fn a_new_configuration_and_a_new_vm_have_the_policy_from_their_first_request_on() {
    let mut host = boot_workers(&config(), 1);
    let mut sidecar = Ledger::default();
    tell(&host, &mut sidecar, policy(1, 1));
    assert_eq!(status(&host, 0), 200);
    host.update_config(config().to_string()).unwrap();
    assert_eq!(status(&host, 0), 429);
    host.crash(0);
    assert_eq!(status(&host, 0), 429);
}

#[test]
fn a_gateway_whose_sidecar_is_away_runs_with_what_it_has() {
    let host = boot_workers(&config(), 1);
    assert_eq!(status(&host, 0), 200, "its own limits");
    let mut sidecar = Ledger::default();
    tell(&host, &mut sidecar, policy(1, 1));
    for _ in 0..8 {
        host.advance(Duration::from_millis(500));
        for callout in host.callouts() {
            callout.answer(tollgate_fakehost::Answer::refused());
        }
    }
    assert_eq!(
        [status(&host, 0), status(&host, 0)],
        [200, 429],
        "and the last policy that it heard of"
    );
}
