//! The body: may this request go on, what will it take, and how must it change?

use std::ops::Range;
use std::rc::Rc;

use crate::budget::purse::Reservation;
use crate::config::Config;
use crate::dialect::{self, Dialect, Endpoint, Invalid, OutputCaps, Request};
use crate::edit::{self, Edit};
use crate::event::Record;
use crate::exchange::fund::Tries;
use crate::exchange::prepared::{Open, Prepared, Quoted, Released};
use crate::exchange::step::{Release, Step};
use crate::exchange::{Env, Exchange, Phase};
use crate::glob;
use crate::headers::HeaderOp;
use crate::limit::{Demand, Receipt};
use crate::refusal::{Code, Refusal};
use crate::usage::{Usage, UsageStatus};

/// What must change in a request.
#[derive(Default)]
struct Changes {
    edits: Vec<Edit>,
    target: Option<String>,
    /// Whether the provider is asked for a usage event that the client did not ask for.
    asks_for_usage: bool,
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn decide(&mut self, received: &[u8], env: &mut Env<'_>) -> Result<Step, Refusal> {
        let config = Rc::clone(&self.config);
        let target = std::mem::take(&mut self.request.target);
        let endpoint = self.endpoint(&target)?;
        self.request.bytes = received.len() as u64;
        let request = dialect::parse(&endpoint, received)?;
        let mut caps = request.output_caps();
        let rewritten = self.keep_rules(&config, &endpoint, &request, &mut caps)?;
        let mut prepared = match &rewritten {
            None => self.prepare(&config, &endpoint, &request, caps, env)?,
            Some(body) => self.prepare(&config, &endpoint, &dialect::parse(&endpoint, body)?, caps, env)?,
        };
        prepared.rewritten = rewritten;
        self.request.target = target;
        self.fund(Box::new(prepared), received, env)
    }

    /// The endpoint that the request's path and query were found to name when its headers came.
    fn endpoint<'t>(&self, target: &'t str) -> Result<Endpoint<'t>, Refusal> {
        let meaning = self.request.meaning.clone();
        meaning
            .map(|meaning| Endpoint::meant_by(target, meaning))
            .ok_or_else(|| Refusal::new(Code::UnknownEndpoint, "the path is no endpoint of this gateway"))
    }

    /// Decides everything about a request that keeps the rules, and takes from its limits.
    fn prepare(
        &mut self,
        config: &Config,
        endpoint: &Endpoint<'_>,
        request: &Request<'_>,
        output_caps: OutputCaps,
        env: &mut Env<'_>,
    ) -> Result<Prepared, Refusal> {
        let (chosen, price) = self.choose_model(config, request)?;
        let model = self.downgrade(chosen, env);
        let price = if self.downgraded.is_some() {
            self.price(config, &model)
        } else {
            price
        };
        let changes = self.changes(config, endpoint, request, &model)?;
        let prompt_tokens = count_prompt(request, &model, config.exact_count_bytes);
        if let Some(facts) = self.facts(Some(&model)) {
            config
                .rules(&facts)
                .try_for_each(|rules| rules.check_prompt_tokens(request, prompt_tokens))?;
        }
        let reserved_output = output_to_reserve(request, &output_caps, config.default_output_reservation);
        let demand = Demand {
            input_tokens: prompt_tokens,
            output_tokens: reserved_output,
        };
        let prompt = self.prompt_to_keep(request, &model);
        let receipt = self.take_limits(Some(&model), demand, env)?;
        let released = Box::new(Released {
            model,
            price,
            prompt_tokens,
            reserved_output,
            receipt,
            reservation: None,
            withhold_usage: changes.asks_for_usage,
            prompt,
            open: None,
        });
        Ok(Prepared {
            rewritten: None,
            edits: changes.edits,
            output_caps,
            choices: request.choices,
            target: changes.target,
            is_shrunk: false,
            tries: Tries::default(),
            is_judged: false,
            released,
        })
    }

    /// Asks the sidecar about the prompt, where policy wants it, and lets the request go.
    pub(super) fn judge(
        &mut self,
        mut prepared: Box<Prepared>,
        received: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let config = Rc::clone(&self.config);
        let policy = self
            .facts(Some(prepared.model()))
            .and_then(|facts| config.moderation(&facts, self.identity.as_ref()?.moderation.as_deref()));
        self.response.moderation = policy.clone().filter(|policy| policy.output);
        let Some(policy) = policy.filter(|policy| policy.input) else {
            return self.release(*prepared, received, env);
        };
        let endpoint = self.endpoint(&self.request.target)?;
        let texts: Vec<(String, Range<usize>)> = dialect::parse(&endpoint, prepared.body_or(received))?
            .texts()
            .map(|text| (text.text.into_owned(), text.span))
            .collect();
        prepared.is_judged = true;
        if texts.is_empty() {
            return self.release(*prepared, received, env);
        }
        Ok(self.ask_about_prompt(&policy, texts, prepared))
    }

    /// The body of a request that waited is at hand again: it goes on where it stopped.
    pub(super) fn resume(
        &mut self,
        prepared: Box<Prepared>,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        if prepared.is_judged {
            self.release(*prepared, body, env)
        } else {
            self.fund(prepared, body, env)
        }
    }

    /// Holds the body against every rule for it, each seeing what those before have changed. The body as they have
    /// changed its texts, where they have; changes to its output caps are still to be written then, or not at all.
    fn keep_rules(
        &self,
        config: &Config,
        endpoint: &Endpoint<'_>,
        request: &Request<'_>,
        caps: &mut OutputCaps,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut changed: Option<Vec<u8>> = None;
        if !config.has_rules() {
            return Ok(changed);
        }
        let Some(facts) = self.facts(request.model.as_ref().map(|model| &*model.name)) else {
            return Ok(changed);
        };
        for rules in config.rules(&facts) {
            if caps.are_changed() && rules.look_at_parameters() {
                let body = changed.as_deref().unwrap_or(request.body().as_bytes());
                changed = Some(rewrite(endpoint, body, Vec::new(), caps)?);
            }
            let edits = match &changed {
                None => rules.check(request, caps)?,
                Some(body) => rules.check(&dialect::parse(endpoint, body)?, caps)?,
            };
            if !edits.is_empty() {
                let body = changed.as_deref().unwrap_or(request.body().as_bytes());
                changed = Some(rewrite(endpoint, body, edits, caps)?);
            }
        }
        Ok(changed)
    }

    /// What a model costs at the provider of this request, if that is known, and whether it is a fallback.
    fn price(&self, config: &Config, model: &str) -> Option<Quoted> {
        let provider = self.destination().map_or("", |destination| destination.provider);
        let quoted = config.quote(provider, model).price();
        quoted.map(|(price, is_fallback)| (Box::new(price.clone()), is_fallback))
    }

    /// The model that the provider is asked for, if this caller may have it, and what it costs.
    fn choose_model(
        &mut self,
        config: &Config,
        request: &Request<'_>,
    ) -> Result<(String, Option<Quoted>), Refusal> {
        let requested = request.model.as_ref().map_or("", |model| &model.name);
        let model = config.resolve_alias(requested).to_owned();
        self.request.model = request.model.as_ref().map(|_| requested.to_owned());
        self.request.stream = request.stream;
        self.check_models(request, requested, &model)?;
        let price = self.price(config, &model);
        if price.is_none() {
            let message = format!(
                "the price of the model `{model}` is not known here; use another model, or have it added"
            );
            return Err(Refusal::new(Code::ModelNotAllowed, message).at("model"));
        }
        Ok((model, price))
    }

    /// What must change in the request for the provider to answer with this model and to report usage.
    fn changes(
        &self,
        config: &Config,
        endpoint: &Endpoint<'_>,
        request: &Request<'_>,
        model: &str,
    ) -> Result<Changes, Refusal> {
        let mut changes = Changes::default();
        let requested = request.model.as_ref().map_or("", |model| &model.name);
        if model != requested {
            match request.replace_model(model) {
                Some(edit) => changes.edits.push(edit),
                None => {
                    let target = endpoint.with_model(model);
                    changes.target = Some(target.ok_or_else(|| bad_alias(requested, model))?);
                }
            }
        }
        let destination = config.destination(&self.request.authority, &self.request.path, request.dialect);
        if destination.stream_usage
            && let Some(edit) = request.force_include_usage()
        {
            changes.asks_for_usage = true;
            changes.edits.push(edit);
        }
        Ok(changes)
    }

    /// Lets a request go on, its changes made; the provider sees it from here on.
    pub(super) fn release(
        &mut self,
        prepared: Prepared,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let Prepared {
            rewritten,
            mut edits,
            output_caps,
            target,
            mut released,
            ..
        } = prepared;
        match self.open_record(&released, env) {
            Ok(open) => released.open = open,
            Err(refusal) => {
                released.take_back(&self.config, env);
                return Err(refusal);
            }
        }
        let mut headers = self.request_changes();
        headers.extend(target.map(|target| HeaderOp::Set(":path".into(), target)));
        edits.extend(output_caps.edits());
        let changed = match rewritten {
            rewritten if edits.is_empty() => rewritten,
            rewritten => Some(edit::apply(rewritten.as_deref().unwrap_or(body), &mut edits)),
        };
        if let Some(changed) = &changed {
            // A stale length would smuggle the rest of the body into the next request of the connection.
            headers.push(HeaderOp::Set("content-length".into(), changed.len().to_string()));
        }
        self.released_at = Some(env.now);
        self.phase = Phase::Released(released);
        Ok(Step::Release(Release {
            headers,
            body: changed,
        }))
    }

    /// Lets a request go on after the sidecar's verdict; its body is needed again only where it changes.
    pub(super) fn go_on(&mut self, prepared: Box<Prepared>, env: &mut Env<'_>) -> Result<Step, Refusal> {
        if !prepared.needs_body() {
            return self.release(*prepared, &[], env);
        }
        self.phase = Phase::Decided(prepared);
        Ok(Step::ReadBody)
    }

    /// Takes from every limit that the request is under, or from none.
    pub(super) fn take_limits(
        &mut self,
        model: Option<&str>,
        demand: Demand,
        env: &mut Env<'_>,
    ) -> Result<Receipt, Refusal> {
        let now = env.now.millis();
        let Some(facts) = self.facts(model) else {
            return Ok(Receipt::empty(now));
        };
        let plan = self.config.limits.select(&facts);
        if plan.is_empty() {
            return Ok(Receipt::empty(now));
        }
        match self.config.limits.take(env.cells, &plan, demand, now) {
            Ok(taken) => {
                self.limit_headers = self.config.limits.headers(&taken.standings);
                self.would_refuse = taken.would_refuse.iter().map(ToString::to_string).collect();
                Ok(taken.receipt)
            }
            Err(error) => Err(self.limit_refusal(error)),
        }
    }

    /// Every model that may answer must be allowed: the one asked for, and those named to stand in for it.
    fn check_models(&self, request: &Request<'_>, requested: &str, model: &str) -> Result<(), Refusal> {
        let Some(identity) = self
            .identity
            .as_ref()
            .filter(|identity| !identity.models.is_empty())
        else {
            return Ok(());
        };
        let is_allowed = |name: &str| identity.models.iter().any(|pattern| glob::matches(pattern, name));
        let refused = request
            .fallback_models
            .iter()
            .map(AsRef::as_ref)
            .find(|name| !is_allowed(name))
            .or_else(|| (!is_allowed(requested) && !is_allowed(model)).then_some(requested));
        match refused {
            None => Ok(()),
            Some(name) => Err(Refusal::new(
                Code::ModelNotAllowed,
                format!(
                    "this API key may not call the model `{name}`; it may call {}",
                    identity.models.join(", ")
                ),
            )
            .at("model")),
        }
    }

    /// Writes down what the exchange owes should nothing more be heard of it: its reservation.
    fn open_record(&mut self, released: &Released, env: &mut Env<'_>) -> Result<Option<Open>, Refusal> {
        if self.config.sidecar.is_none() {
            return Ok(None);
        }
        let mut event = self.event();
        event.latency_ms = env.now.since(self.arrived) / 1_000_000;
        event.usage = Usage {
            input_tokens: released.prompt_tokens,
            output_tokens: released.reserved_output,
            status: UsageStatus::Estimated,
            ..Usage::default()
        };
        (event.cost_nanousd, event.price_fallback) = released.cost(&event.usage);
        event.charges = released
            .reservation
            .as_ref()
            .map(Reservation::charges_if_lost)
            .unwrap_or_default();
        event.error_code = Some("worker_lost".to_owned());
        let mut record = Record::begin(&event);
        match env.journal.open(env.cells, record.complete(&event), env.now) {
            Ok(slot) => Ok(Some(Open { slot, event, record })),
            Err(error) => Err(Refusal::new(
                Code::SidecarUnavailable,
                format!("the request could not be accounted for: {error}"),
            )),
        }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        let refusal = Self::new(Code::InvalidRequest, invalid.message);
        if invalid.param.is_empty() {
            refusal
        } else {
            refusal.at(invalid.param)
        }
    }
}

/// The tokens of a prompt as the model counts them; of a very long one the rest is estimated, so that no body
/// blocks a worker.
fn count_prompt(request: &Request<'_>, model: &str, exact_bytes: usize) -> u64 {
    let counter = tollgate_tokens::Counter::for_model(model, exact_bytes);
    dialect::prompt_tokens::count_prompt(request, model, &|text| counter.count(text).tokens)
}

/// An alias for a model that cannot stand in a path: known only when a path names the alias.
fn bad_alias(requested: &str, model: &str) -> Refusal {
    Refusal::new(
        Code::ModelNotAllowed,
        format!(
            "`{requested}` stands for `{model}` here, which cannot stand in this path; name another model"
        ),
    )
    .at("model")
}

/// A body with changes to its texts and to its output caps, and where these stand in it then.
fn rewrite(
    endpoint: &Endpoint<'_>,
    body: &[u8],
    mut edits: Vec<Edit>,
    caps: &mut OutputCaps,
) -> Result<Vec<u8>, Invalid> {
    edits.extend(caps.edits());
    let changed = edit::apply(body, &mut edits);
    *caps = dialect::parse(endpoint, &changed)?.output_caps();
    Ok(changed)
}

/// The most output tokens that a request can use, as far as it says.
fn output_to_reserve(request: &Request<'_>, caps: &OutputCaps, default: u64) -> u64 {
    if request.dialect == Dialect::Embeddings {
        return 0;
    }
    caps.max().unwrap_or(default).saturating_mul(request.choices)
}
