//! What an exchange costs in host calls. Each costs Envoy's worker between a tenth of a microsecond and several,
//! so each kind is bounded: who adds one must raise a number here, and say why.

use serde_json::{Value, json};
use tollgate_fakehost::{Call, CallCounts, Host};

use crate::gateway::{KNOWN, REMOTE, answer, boot, boot_beside, chat, config, stream_answer, streaming};
use crate::sidecar::{Ledger, key_found, three_budgets};

/// Everything that needs no callout a request: a key that the sidecar resolved, limits of every kind in four
/// scopes, validation, the journal. No access log, whose fields cost a call each.
fn governed() -> Value {
    let mut config = config();
    config["limits"] = json!([
        {"name": "key-requests", "count": "requests", "amount": 10_000, "period": "1m", "per": ["key"]},
        {"name": "key-tokens", "algorithm": "sliding_window", "count": "tokens", "amount": 1_000_000,
         "period": "1h", "per": ["key"]},
        {"name": "key-concurrent", "count": "concurrent", "amount": 100, "per": ["key"]},
        {"name": "workspace-requests", "count": "requests", "amount": 10_000, "period": "1h", "per": ["workspace"]},
        {"name": "workspace-tokens", "count": "tokens", "amount": 1_000_000, "period": "1h", "per": ["workspace"]},
        {"name": "user-output", "count": "output_tokens", "amount": 1_000_000, "period": "1h",
         "per": ["user", "model"]},
        {"name": "all-requests", "count": "requests", "amount": 100_000, "period": "1m"},
    ]);
    config["validation"] = json!([{"rules": {
        "max_messages": 200, "max_prompt_tokens": 100_000, "allowed_roles": ["system", "user", "assistant"],
        "parameters": {"temperature": 1.5}, "max_output_tokens": 4_096,
    }}]);
    config["access_log"] = json!({"fields": []});
    config
}

/// A host that knows the key and has served some exchanges, so that nothing is done for the first time.
fn warm() -> Host {
    warm_with(&governed())
}

fn warm_with(config: &Value) -> Host {
    warm_beside(config, &mut Ledger::default())
}

fn warm_beside(config: &Value, sidecar: &mut Ledger) -> Host {
    warm_workers(config, 1, sidecar)
}

fn warm_workers(config: &Value, workers: usize, sidecar: &mut Ledger) -> Host {
    let host = boot_beside(config, workers, sidecar);
    let exchange = host.worker(0).send(chat(REMOTE));
    host.callout("/v1/keys/resolve").answer(key_found());
    host.answer_callouts(|request| sidecar.answer(request));
    exchange.respond(&answer());
    for _ in 0..3 {
        host.worker(0).send(chat(REMOTE)).respond(&answer());
        host.worker(0).send(streaming(REMOTE)).respond(&stream_answer());
    }
    sidecar.collect_for(&host, std::time::Duration::from_secs(2));
    host
}

/// The same, busy.
fn warm_since_tick() -> Host {
    since_tick(warm())
}

/// Once the worker has served two exchanges since other VMs wrote at their ticks.
fn since_tick(host: Host) -> Host {
    for _ in 0..2 {
        host.worker(0).send(chat(REMOTE)).respond(&answer());
    }
    host
}

fn made(host: &Host, act: impl FnOnce()) -> CallCounts {
    let before = host.calls();
    act();
    host.calls().since(&before)
}

/// Asserts that no kind of call was made more often than it may be, and none that is not named.
fn assert_within(what: &str, made: &CallCounts, bounds: &[(Call, u64)]) {
    let over: Vec<_> = made
        .iter()
        .filter(|(call, count)| {
            let bound = bounds.iter().find(|(bounded, _)| bounded == call);
            *count > bound.map_or(0, |(_, most)| *most)
        })
        .collect();
    let all: Vec<_> = made.iter().collect();
    assert!(
        over.is_empty(),
        "{what}: too often: {over:?}; all {}: {all:?}",
        made.total()
    );
}

/// What an answer in one piece may cost.
const IN_ONE_PIECE: [(Call, u64); 9] = [
    (Call::GetCurrentTimeNanoseconds, 4),
    (Call::GetBufferBytes, 2),
    (Call::GetHeaderMapPairs, 2),
    // Only `accept-encoding`: what is told of limits and costs has no namesake that the host would have to look for.
    (Call::ReplaceHeaderMapValue, 1),
    (Call::AddHeaderMapValue, 10),
    (Call::RemoveHeaderMapValue, 1),
    // The key.
    (Call::GetSharedData, 1),
    // The journal: before the provider is called, and after. Of the limits of somebody busy a worker has a share.
    (Call::SetSharedData, 2),
    // Histograms. What counters are to grow by is told with the tick.
    (Call::RecordMetric, 3),
];

#[test]
fn an_answer_in_one_piece_costs_few_host_calls() {
    let host = warm_since_tick();
    let made = made(&host, || host.worker(0).send(chat(REMOTE)).respond(&answer()));
    assert_within("an exchange", &made, &IN_ONE_PIECE);
}

#[test]
fn limits_that_are_not_plentiful_are_counted_in_the_cells() {
    let mut config = governed();
    for limit in config["limits"].as_array_mut().unwrap() {
        let is_tokens = limit["count"].as_str().unwrap().ends_with("tokens");
        limit["amount"] = if is_tokens { 60_000 } else { 30 }.into();
    }
    let host = since_tick(warm_with(&config));
    let made = made(&host, || host.worker(0).send(chat(REMOTE)).respond(&answer()));
    let mut bounds = IN_ONE_PIECE;
    for (call, most) in &mut bounds {
        // Four groups of limits taken, three of them settled. What they have counted, a worker that is alone remembers.
        *most += if *call == Call::SetSharedData { 7 } else { 0 };
    }
    assert_within("an exchange under small limits", &made, &bounds);
}

#[test]
fn three_budgets_cost_no_shared_data_and_a_tick_one_read_and_one_write_each() {
    let mut sidecar = Ledger::leasing(three_budgets());
    let host = warm_beside(&governed(), &mut sidecar);
    let exchanges = |count: usize| {
        for _ in 0..count {
            host.worker(0).send(chat(REMOTE)).respond(&answer());
        }
    };
    // What was not needed has been given back meanwhile: the ledger is asked for more, and then the leases are looked at.
    for _ in 0..8 {
        let exchange = host.worker(0).send(chat(REMOTE));
        host.answer_callouts(|request| sidecar.answer(request));
        exchange.respond(&answer());
    }
    let made_by = |count| made(&host, || exchanges(count));
    let (one, twenty) = (made_by(1), made_by(20));
    let mut bounds = IN_ONE_PIECE;
    for (call, most) in &mut bounds {
        // The headers that tell of the tightest budget.
        *most += if *call == Call::AddHeaderMapValue { 3 } else { 0 };
    }
    assert_within("an exchange under three budgets", &one, &bounds);
    for call in [Call::GetSharedData, Call::SetSharedData] {
        assert_eq!(twenty.of(call), 20 * one.of(call), "{twenty:?}");
    }
    let tick = |host: &Host| {
        let made = made(host, || host.tick_all());
        (made.of(Call::GetSharedData), made.of(Call::SetSharedData))
    };
    // The first writes down what was used (and sends events), the second gives back what was not used since, and the
    // third finds nothing to do for budgets.
    let (busy, unused, idle) = (tick(&host), tick(&host), tick(&host));
    assert_eq!((unused.0 - idle.0, unused.1 - idle.1), (3, 3));
    assert!(
        busy.0 <= unused.0 + 4 && busy.1 == unused.1,
        "{busy:?} {unused:?}"
    );
}

#[test]
fn a_stream_costs_few_host_calls_and_one_an_event() {
    let host = warm_since_tick();
    let made = made(&host, || {
        host.worker(0).send(streaming(REMOTE)).respond(&stream_answer());
    });
    let bounds = [
        (Call::GetCurrentTimeNanoseconds, 4),
        // The request, and four events.
        (Call::GetBufferBytes, 5),
        // The request, whose usage is asked for, and the event that the client did not ask for.
        (Call::SetBufferBytes, 2),
        (Call::GetHeaderMapPairs, 2),
        // `accept-encoding`, and the length of the body that asks for usage.
        (Call::ReplaceHeaderMapValue, 2),
        (Call::AddHeaderMapValue, 9),
        (Call::RemoveHeaderMapValue, 2),
        (Call::GetSharedData, 1),
        (Call::SetSharedData, 2),
        (Call::RecordMetric, 3),
    ];
    assert_within("a stream of four events", &made, &bounds);
}

#[test]
fn workers_in_turn_are_not_in_each_other_s_way() {
    let host = warm_workers(&governed(), 2, &mut Ledger::default());
    let both = || {
        for worker in [0, 1] {
            host.worker(worker).send(chat(REMOTE)).respond(&answer());
        }
    };
    for _ in 0..10 {
        both();
    }
    let made = made(&host, || (0..10).for_each(|_| both()));
    // Of each exchange: the key, and the journal.
    assert!(made.of(Call::GetSharedData) <= 20, "{made:?}");
    assert!(made.of(Call::SetSharedData) <= 20 * 2, "{made:?}");
}

#[test]
fn keeping_what_is_said_costs_no_host_call_and_not_keeping_it_costs_none_either() {
    let counted = |conversations: Value| {
        let mut config = governed();
        config["conversations"] = conversations;
        let host = warm_with(&config);
        let calls = made(&host, || {
            host.worker(0).send(streaming(REMOTE)).respond(&stream_answer());
        });
        let idle = made(&host, || host.tick_all());
        (calls.iter().collect::<Vec<_>>(), idle.total())
    };
    let none = counted(json!([]));
    assert_eq!(counted(json!([{}])).0, none.0);
    assert_eq!(counted(json!([{"match": {"models": ["o3"]}}])), none);
}

#[test]
fn an_event_on_its_way_to_the_sidecar_costs_no_host_call_and_one_where_no_traffic_follows() {
    let second = std::time::Duration::from_secs(1);
    let (host, mut sidecar) = (warm(), Ledger::default());
    let idle = made(&host, || sidecar.collect_for(&host, second));
    let mut exchanges_for_a_second = || {
        for _ in 0..4 {
            for _ in 0..25 {
                host.worker(0).send(chat(REMOTE)).respond(&answer());
            }
            sidecar.collect_for(&host, second / 4);
        }
    };
    exchanges_for_a_second();
    let busy = made(&host, &mut exchanges_for_a_second);
    assert_eq!(sidecar.all().len(), 200);
    // What exchanges themselves cost, a few wrong guesses of versions after each tick, and that there is something to
    // send; nothing of the journal is read.
    let more = |call| busy.of(call).saturating_sub(idle.of(call));
    assert!(
        more(Call::SetSharedData) <= 100 * 2 + 4 * 12,
        "{busy:?}, idle {idle:?}"
    );
    assert!(more(Call::GetSharedData) <= 100 + 32, "{busy:?}, idle {idle:?}");
    assert!(more(Call::IncrementMetric) <= 4 * 4, "{busy:?}, idle {idle:?}");
    // The cells that no record was written over are emptied.
    let rest = made(&host, || sidecar.collect_for(&host, second));
    assert_eq!(
        rest.of(Call::SetSharedData) - idle.of(Call::SetSharedData),
        25,
        "{rest:?}, idle {idle:?}"
    );
}

#[test]
fn counters_are_told_with_the_tick_and_at_once_where_none_will_come() {
    let mut host = boot(&config());
    let requests = |host: &Host| {
        let metrics = host.metrics().into_iter();
        let counted = metrics.filter(|(name, _)| name.starts_with("tollgate_requests_total;"));
        counted.map(|(_, metric)| metric.value()).sum::<u64>()
    };
    let exchange = |host: &Host| host.worker(0).send(chat(KNOWN));
    exchange(&host).respond(&answer());
    exchange(&host).respond(&answer());
    assert_eq!(requests(&host), 0);
    host.tick_all();
    assert_eq!(requests(&host), 2);
    host.tick_all();
    assert_eq!(requests(&host), 2);
    // A configuration that was replaced soon ticks no more.
    exchange(&host).respond(&answer());
    let under_way = exchange(&host);
    let mut next = config();
    next["gateway_id"] = "next".into();
    host.update_config(next.to_string()).unwrap();
    under_way.respond(&answer());
    assert_eq!(requests(&host), 4);
}
