//! A worker: the filter's code of one VM, driven as `src/stream.rs` and `src/upkeep.rs` drive it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tollgate_core::budget::purse::WorkerTag;
use tollgate_core::config::Config;
use tollgate_core::exchange::{Ask, Closing, Env, Exchange, Ids, Money, Outside, Step};
use tollgate_core::headers::Headers;
use tollgate_core::journal::Writer;
use tollgate_core::policy::Paused;
use tollgate_core::time::UnixMillis;
use tollgate_core::turn;
use tollgate_core::wire::LeaseReport;

use crate::cells::WorkerCells;
use crate::gateway::{Act, Effect, Message, Reply, Scene};
use crate::plan::{Outcome, Request, TIERS};

/// As in `src/upkeep.rs`.
const TIMEOUT_MS: u64 = 5_000;
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How often the list of changes is asked for. The filter asks more often, for the sake of keys.
const FEED_EVERY: Duration = Duration::from_secs(3);

/// How long a request waits for the sidecar, beyond what the sidecar may hold it.
const ASK_TIMEOUT_MS: u64 = 1_000;

/// One VM.
pub(crate) struct Worker {
    pub(crate) journal: Writer,
    pub(crate) money: Money,
    exchanges: BTreeMap<u64, Open>,
    /// Questions of exchanges that are not answered.
    asked: BTreeMap<u64, u64>,
    batch: Option<u64>,
    feed: Option<u64>,
    report: Option<(u64, UnixMillis)>,
    cursor: u32,
    /// Calls of the host until the VM dies.
    pub(crate) dies_after: Option<u32>,
    /// Until when it does nothing.
    pub(crate) stalled_until: u64,
}

struct Open {
    exchange: Exchange,
    event_id: String,
    body: Vec<u8>,
    /// The service tier with which the provider answers, as a member of the answer.
    answered_tier: String,
}

// === impl Worker ===

impl Worker {
    pub(crate) fn new(config: &Config, name: [u8; 16]) -> Self {
        Self {
            journal: Writer::new(name, config.max_events_per_worker),
            money: Money::new(&config.budgets, name),
            exchanges: BTreeMap::new(),
            asked: BTreeMap::new(),
            batch: None,
            feed: None,
            report: None,
            cursor: 0,
            dies_after: None,
            stalled_until: 0,
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dies_after == Some(0)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.exchanges.is_empty() && self.journal.pending() == 0
    }

    pub(crate) fn act(&mut self, act: Act, scene: &Scene<'_, '_>) {
        match act {
            Act::Begin { number, request } => self.begin(number, &request, scene),
            Act::Tick => self.tick(scene),
            Act::Answered { call, reply } => self.answered(call, &reply, scene),
            Act::Provider {
                number,
                outcome,
                prompt_tokens,
                output_tokens,
            } => self.provider(number, outcome, prompt_tokens, output_tokens, scene),
            Act::Leaves { number } => self.finish(number, None, "downstream_remote_disconnect", scene),
        }
    }

    fn begin(&mut self, number: u64, request: &Request, scene: &Scene<'_, '_>) {
        let ids = Ids::new(scene.now, u128::from(number).to_be_bytes());
        let event_id = ids.event.clone();
        let mut exchange = Exchange::new(Rc::clone(scene.config), ids, scene.now);
        let stream = request.outcome == Outcome::Cut;
        let (asked, answered, _) = TIERS[request.tier];
        let member = |tier: &str| format!(r#""service_tier":"{tier}","#);
        let tier = asked.map(member).unwrap_or_default();
        let body = format!(
            r#"{{"model":"m",{tier}"stream":{stream},"max_tokens":{},"messages":[{{"role":"user","content":"hi"}}]}}"#,
            request.max_tokens
        )
        .into_bytes();
        let credential = format!("Bearer tg_test_{}", request.workspace);
        let pairs: &[(&[u8], &[u8])] = &[
            (b":method", b"POST"),
            (b":path", b"/v1/chat/completions"),
            (b"authorization", credential.as_bytes()),
        ];
        let step = self.env(scene, |env| {
            exchange.request_headers(Headers::new(pairs), false, Outside::default(), env)
        });
        let step = if step == Step::Hold {
            exchange.request_data(body.len(), true)
        } else {
            step
        };
        let open = Open {
            exchange,
            event_id,
            body,
            answered_tier: answered.map(member).unwrap_or_default(),
        };
        self.exchanges.insert(number, open);
        self.go_on(number, step, scene);
    }

    /// Performs steps until one waits for somebody.
    fn go_on(&mut self, number: u64, first: Step, scene: &Scene<'_, '_>) {
        let mut step = first;
        loop {
            let mut open = self.exchanges.remove(&number).unwrap();
            step = match step {
                Step::ReadBody => self.env(scene, |env| open.exchange.request_body(&open.body, env)),
                Step::Ask(Ask::Lease(ask)) => {
                    let timeout_ms = ask.wait_ms + ASK_TIMEOUT_MS;
                    let call = call(scene, Message::Lease(ask), timeout_ms);
                    self.asked.insert(call, number);
                    self.exchanges.insert(number, open);
                    return;
                }
                Step::Release(_) if scene.cells.release_fails() => {
                    self.env(scene, |env| open.exchange.release_failed(env))
                }
                Step::Release(_) => {
                    let event_id = open.event_id.clone();
                    scene.cells.does(Effect::Reached { number, event_id });
                    self.exchanges.insert(number, open);
                    return;
                }
                Step::Refuse(reply) => {
                    self.exchanges.insert(number, open);
                    return self.finish(number, Some(reply.status), "", scene);
                }
                other => panic!("{other:?}"),
            };
            self.exchanges.insert(number, open);
        }
    }

    fn answered(&mut self, call: u64, reply: &Reply, scene: &Scene<'_, '_>) {
        if let Some(number) = self.asked.remove(&call) {
            // The client may have left meanwhile.
            let Some(mut open) = self.exchanges.remove(&number) else {
                return;
            };
            let step = self.env(scene, |env| open.exchange.answered(reply.as_answer(), env));
            self.exchanges.insert(number, open);
            self.go_on(number, step, scene);
        } else if self.batch.take_if(|batch| *batch == call).is_some() {
            let is_sent = matches!(reply, Reply::Events) || scene.faults.forget_unsent_events;
            self.env(scene, |env| {
                if is_sent {
                    env.journal.sent();
                } else {
                    env.journal.unsent();
                }
            });
        } else if self.feed.take_if(|feed| *feed == call).is_some() {
            if let Reply::Version(version) = reply {
                let _ = self.env(scene, |env| env.money.purse().learn_version(env.cells, *version));
            }
        } else if let Some((_, sent_at)) = self.report.take_if(|(report, _)| *report == call)
            && let Reply::Report(answer) = reply
        {
            let _ = self.env(scene, |env| {
                let now = env.now.millis();
                env.money.purse().reported(env.cells, answer, sent_at, now)
            });
        }
    }

    fn provider(
        &mut self,
        number: u64,
        outcome: Outcome,
        prompt_tokens: u64,
        output_tokens: u64,
        scene: &Scene<'_, '_>,
    ) {
        let Some(mut open) = self.exchanges.remove(&number) else {
            return;
        };
        let tier = &open.answered_tier;
        let (status, kind, body): (&[u8], &[u8], String) = match outcome {
            Outcome::Whole(_) | Outcome::Dearer => (
                b"200",
                b"application/json",
                format!(
                    r#"{{"model":"m",{tier}"choices":[{{"message":{{"content":"Hi"}}}}],"usage":{{"prompt_tokens":{prompt_tokens},"completion_tokens":{output_tokens}}}}}"#
                ),
            ),
            Outcome::Cut => (
                b"200",
                b"text/event-stream",
                "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n".to_owned(),
            ),
            Outcome::Failed => (b"500", b"application/json", "{}".to_owned()),
            Outcome::Silent => {
                self.exchanges.insert(number, open);
                return self.finish(number, Some(503), "upstream_reset_before_response_started", scene);
            }
        };
        let pairs: &[(&[u8], &[u8])] = &[(b":status", status), (b"content-type", kind)];
        open.exchange.response_headers(Headers::new(pairs), false);
        let is_whole = outcome != Outcome::Cut;
        self.env(scene, |env| {
            open.exchange.response_data(body.as_bytes(), is_whole, env)
        });
        self.exchanges.insert(number, open);
        if is_whole {
            self.finish(number, None, "", scene);
        }
    }

    /// The stream is over.
    fn finish(&mut self, number: u64, status: Option<u16>, details: &'static str, scene: &Scene<'_, '_>) {
        let Some(mut open) = self.exchanges.remove(&number) else {
            return;
        };
        let closing = Closing {
            status,
            details: Some(details.into()),
        };
        let finished = self
            .env(scene, |env| open.exchange.finish(&closing, env))
            .unwrap();
        let finished = Box::new(finished);
        scene.cells.does(Effect::Ended { number, finished });
    }

    fn tick(&mut self, scene: &Scene<'_, '_>) {
        let batch = self.env(scene, |env| env.journal.tick(env.cells, env.now));
        if let Some(batch) = batch {
            self.batch = Some(call(scene, Message::Events(batch.body), TIMEOUT_MS));
        }
        self.env(scene, |env| {
            for worker in env.journal.take_lost() {
                if !scene.faults.skip_write_off {
                    let _ = env.money.purse().worker_lost(env.cells, WorkerTag::of(worker));
                }
            }
            env.money.tick(env.cells);
            env.money.flush(env.cells, env.now.millis());
        });
        if self.feed.is_none()
            && turn::take(scene.cells, "tollgate/1/feed/turn", FEED_EVERY, scene.now) == Ok(true)
        {
            self.feed = Some(call(scene, Message::Version, TIMEOUT_MS));
        }
        self.report_leases(scene);
    }

    fn report_leases(&mut self, scene: &Scene<'_, '_>) {
        if self.report.is_some()
            || turn::take(scene.cells, "tollgate/1/report/turn", REPORT_EVERY, scene.now) != Ok(true)
        {
            return;
        }
        let mut cursor = self.cursor;
        let (report, sent_at) = self.env(scene, |env| {
            let sent_at = env.now.millis();
            let purse = env.money.purse();
            let holds = purse.report(env.cells, &mut cursor, sent_at).unwrap_or_default();
            let instance = env.money.instance(env.cells).unwrap_or_default();
            let report = LeaseReport {
                gateway_id: "g".to_owned(),
                instance,
                holds,
            };
            (report, sent_at)
        });
        self.cursor = cursor;
        if report.holds.is_empty() {
            return;
        }
        scene.cells.does(Effect::Held {
            holds: report.holds.clone(),
            is_alone: scene.is_alone,
        });
        self.report = Some((call(scene, Message::Report(report), TIMEOUT_MS), sent_at));
    }

    fn env<T>(&mut self, scene: &Scene<'_, '_>, act: impl FnOnce(&mut Env<'_>) -> T) -> T {
        let cells: &WorkerCells<'_> = scene.cells;
        act(&mut Env {
            now: scene.now,
            cells,
            journal: &mut self.journal,
            money: &mut self.money,
            paused: &Paused::default(),
        })
    }
}

fn call(scene: &Scene<'_, '_>, message: Message, timeout_ms: u64) -> u64 {
    let call = scene.next_call.get() + 1;
    scene.next_call.set(call);
    scene.cells.does(Effect::Called {
        call,
        message,
        timeout_ms,
    });
    call
}
