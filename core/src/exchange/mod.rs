//! The exchange: one request and its response, as one state machine without a host.
//!
//! Envoy's callbacks go in as values, a [`Step`] comes out. Time, storage and the journal come in through
//! [`Env`]. The files are the stages of a request's life: `admit` (headers), `decide` (body: `model`, `limits`), `fund`
//! (budgets), `moderate`, `release`, `respond`, `settle`. Beside them, `reply` has the headers that clients read, and
//! `keep` the texts that are kept.

mod admit;
mod decide;
mod fund;
mod ids;
mod keep;
mod limits;
mod model;
mod moderate;
mod money;
mod prepared;
mod release;
mod reply;
mod respond;
mod settle;
mod step;
#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use ids::Ids;
pub use money::Money;
pub use settle::{Closing, Finished};
pub use step::{Answer, Ask, Moderate, Release, Reply, Step};

use crate::auth::Identity;
use crate::cells::Cells;
use crate::config::{Config, Destination};
use crate::dialect::{Dialect, Family, Meaning};
use crate::journal::Writer;
use crate::key::{KeyHash, KeyRecord};
use crate::limit::headers::Header;
use crate::limit::{Facts, Receipt};
use crate::policy::Paused;
use crate::refusal::Refusal;
use crate::service_tier::ServiceTier;
use crate::time::UnixNanos;
use crate::trace_context::TraceContext;
use fund::Funding;
use moderate::Pending;
use prepared::{Prepared, Released, Withdrawn};
use respond::Response;

/// What an exchange needs from outside at each step.
pub struct Env<'a> {
    /// The time now.
    pub now: UnixNanos,
    /// State that all workers share.
    pub cells: &'a dyn Cells,
    /// Where events go.
    pub journal: &'a mut Writer,
    /// What budgets are paid from.
    pub money: &'a mut Money,
    /// Whom operators hold, whatever configuration the exchange began with.
    pub paused: &'a Paused,
}

/// What Envoy knows about a request beside its headers; read only where the configuration asks for it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The client's address, where a limit is counted per address.
    pub ip: Option<String>,
    /// The identity that `jwt_authn` has verified.
    pub jwt: Option<Identity>,
}

/// One request and its response.
pub struct Exchange {
    config: Rc<Config>,
    ids: Ids,
    arrived: UnixNanos,
    phase: Phase,
    request: RequestFacts,
    identity: Option<Identity>,
    response: Response,
    /// What the answer's headers tell of the limits that the request is under.
    limit_headers: Vec<Header>,
    /// What they tell of the tightest budget.
    budget_headers: Vec<Header>,
    /// What the client is told: changes to its request, and a budget that runs low.
    warnings: Vec<String>,
    /// The model that stands in for the client's while a budget runs low.
    downgraded: Option<String>,
    /// Whether the request was decided anew because its budgets became known.
    is_reconsidered: bool,
    /// Limits in shadow mode that would have refused.
    would_refuse: Vec<String>,
    /// When the request was let go to the provider.
    released_at: Option<UnixNanos>,
}

/// Where in its life an exchange is.
enum Phase {
    /// Nothing has been seen.
    New,
    /// The sidecar was asked whose key this is. What the cache said is kept in case there is no answer.
    ResolvingKey {
        hash: KeyHash,
        stale: Option<KeyRecord>,
        /// When it was asked; `None` where the answer must not be kept.
        asked: Option<UnixNanos>,
    },
    /// The caller is known; the body is awaited.
    AwaitingBody,
    /// The ledger was asked for money.
    Funding(Funding),
    /// All is decided but for the sidecar's verdict on the prompt.
    ModeratingPrompt {
        prepared: Box<Prepared>,
        pending: Pending,
    },
    /// The sidecar has answered; the body must be read once more.
    Decided(Box<Prepared>),
    /// The request is on its way to the provider.
    Released(Box<Released>),
    /// A path that is authenticated but not metered; on its way too.
    Unmetered { receipt: Receipt },
    /// The client was told no. A request that could not be let go after all has left something to be undone.
    Refused {
        refusal: Refusal,
        withdrawn: Option<Withdrawn>,
    },
    /// The event is written.
    Finished,
}

/// What is known about the request, from its headers and then its body.
#[derive(Debug, Default)]
struct RequestFacts {
    /// Path and query as the client sent them.
    target: String,
    /// What they mean; `None` where they name no endpoint.
    meaning: Option<Meaning>,
    /// The path without its query.
    path: String,
    /// Where it goes.
    destination: Option<Destination>,
    /// The trace that it is part of.
    trace: Option<TraceContext>,
    session: Option<String>,
    /// What the client calls its conversation, where any text is kept.
    conversation: Option<String>,
    tags: Vec<String>,
    ip: Option<String>,
    dialect: Option<Dialect>,
    family: Option<Family>,
    /// Names of headers that must not reach the provider.
    withheld: Vec<String>,
    /// Whether the client has sent all of it, trailers included.
    body_is_whole: bool,
    /// Whether the client has announced so little that it is there at once.
    body_is_short: bool,
    /// Size of the body as the client sent it.
    bytes: u64,
    /// The model that the client named.
    model: Option<String>,
    /// Whether it asked for a stream.
    stream: bool,
    /// The service tier that it asked for.
    service_tier: Option<ServiceTier>,
}

// === impl Exchange ===

impl Exchange {
    /// A new exchange that begins now.
    pub fn new(config: Rc<Config>, ids: Ids, now: UnixNanos) -> Self {
        Self {
            config,
            ids,
            arrived: now,
            phase: Phase::New,
            request: RequestFacts::default(),
            identity: None,
            response: Response::default(),
            limit_headers: Vec::new(),
            budget_headers: Vec::new(),
            warnings: Vec::new(),
            downgraded: None,
            is_reconsidered: false,
            would_refuse: Vec::new(),
            released_at: None,
        }
    }

    /// The trace that the request is part of: questions that are asked for it go along with it.
    pub const fn trace(&self) -> Option<&TraceContext> {
        self.request.trace.as_ref()
    }

    /// A part of the request's body has come; `buffered` bytes are held in all. Trailers count as the end.
    pub fn request_data(&mut self, buffered: usize, end: bool) -> Step {
        match self.phase {
            Phase::Released(_) | Phase::Unmetered { .. } | Phase::Finished => return Step::Pass,
            Phase::Refused { .. } => return Step::Hold,
            Phase::New
            | Phase::ResolvingKey { .. }
            | Phase::AwaitingBody
            | Phase::Funding(_)
            | Phase::ModeratingPrompt { .. }
            | Phase::Decided(_) => {}
        }
        let max = self.config.max_request_bytes;
        if u64::try_from(buffered).is_ok_and(|buffered| buffered > max) {
            return self.refuse(admit::too_large(max));
        }
        let was_whole = self.request.body_is_whole;
        self.request.body_is_whole |= end;
        if end && !was_whole && matches!(self.phase, Phase::AwaitingBody) {
            Step::ReadBody
        } else {
            Step::Hold
        }
    }

    /// The whole body of the request, asked for by [`Step::ReadBody`].
    pub fn request_body(&mut self, body: &[u8], env: &mut Env<'_>) -> Step {
        let step = match std::mem::replace(&mut self.phase, Phase::AwaitingBody) {
            Phase::AwaitingBody => self.decide(body, env),
            Phase::Decided(prepared) => self.resume(prepared, body, env),
            other => {
                self.phase = other;
                return Step::Hold;
            }
        };
        self.or_refuse(step)
    }

    /// The sidecar's answer to [`Step::Ask`].
    pub fn answered(&mut self, answer: Answer<'_>, env: &mut Env<'_>) -> Step {
        let step = match std::mem::replace(&mut self.phase, Phase::AwaitingBody) {
            Phase::ResolvingKey { hash, stale, asked } => self.key_answered(answer, hash, stale, asked, env),
            Phase::Funding(funding) => self.lease_answered(answer, funding, env),
            Phase::ModeratingPrompt { prepared, pending } => {
                self.prompt_judged(answer, prepared, &pending, env)
            }
            other => {
                self.phase = other;
                self.answer_judged(answer)
            }
        };
        self.or_refuse(step)
    }

    fn or_refuse(&mut self, step: Result<Step, Refusal>) -> Step {
        step.unwrap_or_else(|refusal| self.refuse(refusal))
    }

    /// Tells the client no. Where the provider has been called already, the exchange settles all the same.
    fn refuse(&mut self, refusal: Refusal) -> Step {
        let reply = self.reply(&refusal);
        if matches!(self.phase, Phase::Released(_)) {
            self.response.refused = Some(refusal.code);
        } else {
            self.phase = Phase::Refused {
                refusal,
                withdrawn: None,
            };
        }
        Step::Refuse(reply)
    }

    /// What limits, rules and policies match a request by.
    fn facts<'a>(&'a self, model: Option<&'a str>) -> Option<Facts<'a>> {
        let identity = self.identity.as_ref();
        Some(Facts {
            dialect: self.request.dialect?,
            path: &self.request.path,
            model,
            workspace: identity.map(|identity| identity.workspace.as_str()),
            user: identity.and_then(|identity| identity.user.as_deref()),
            session: self.request.session.as_deref(),
            key_id: identity.and_then(|identity| identity.key_id.as_deref()),
            ip: self.request.ip.as_deref(),
        })
    }
}
