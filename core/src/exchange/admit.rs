//! Headers: is this a metered path, who calls, and may they?

use crate::auth::{self, Identity};
use crate::dialect;
use crate::exchange::reply::OWN_PREFIX;
use crate::exchange::settle::clip_to;
use crate::exchange::step::{Answer, Ask, Release, Step};
use crate::exchange::{Env, Exchange, Outside, Phase};
use crate::headers::Headers;
use crate::key::{KeyHash, KeyRecord};
use crate::key_feed;
use crate::limit::Demand;
use crate::refusal::{Code, Refusal};
use crate::service_tier::ServiceTier;
use crate::table::Lookup;
use crate::time::UnixNanos;
use crate::trace_context::TraceContext;

/// A body up to this size is not worth a look at the limits before it has come: all limits are taken a moment
/// later, and that look would cost a shared-data read for each scope.
const SHORT_BODY: u64 = 16 << 10;

/// How Vertex AI is asked for a service tier
/// (<https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo>).
const VERTEX_TIER: &str = "x-vertex-ai-llm-shared-request-type";

/// Longest session name that is kept, in characters.
const MAX_SESSION_CHARS: usize = 128;

/// Most tags of a request, and the longest that is kept, in characters.
const MAX_TAGS: usize = 16;
const MAX_TAG_CHARS: usize = 128;

impl Exchange {
    /// The request's headers have come.
    pub fn request_headers(
        &mut self,
        headers: Headers<'_>,
        end: bool,
        outside: Outside,
        env: &mut Env<'_>,
    ) -> Step {
        let step = self.admit(headers, end, outside, env);
        self.or_refuse(step)
    }

    fn admit(
        &mut self,
        headers: Headers<'_>,
        end: bool,
        outside: Outside,
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        self.request.trace = TraceContext::from_headers(headers);
        let method = headers.first(":method").unwrap_or_default();
        let target = headers.first(":path").unwrap_or_default();
        let endpoint = dialect::classify(method, target);
        self.request.family = Some(
            endpoint
                .as_ref()
                .map_or_else(|unknown| unknown.family, dialect::Endpoint::family),
        );
        let endpoint = endpoint.map_err(|_| unknown_endpoint(method, target))?;
        self.request.dialect = Some(endpoint.dialect());
        self.request.model = endpoint.model().map(str::to_owned);
        self.request.path = endpoint.path().to_owned();
        self.request.target = endpoint.target().to_owned();
        self.request.ip = outside.ip;
        let authority = headers.text(":authority").unwrap_or_default();
        let destination = self
            .config
            .destination(authority, endpoint.path(), endpoint.dialect());
        self.request.destination = Some(destination);
        self.request.session = self.session(headers);
        self.request.tags = self.tags(headers);
        self.request.conversation = self.conversation(headers)?;
        self.request.withheld = self.withheld_headers(headers);
        if endpoint.is_gemini_on_vertex() {
            self.request.service_tier = vertex_tier(headers);
        }
        refuse_upgrade(headers)?;
        let length = self.check_body_headers(headers)?;
        if endpoint.is_metered() && end {
            return Err(Refusal::new(
                Code::InvalidRequest,
                "the request has no body; send a JSON object",
            ));
        }
        self.request.meaning = Some(endpoint.into_meaning());
        self.request.body_is_whole = end;
        self.request.body_is_short = length.is_some_and(|length| length <= SHORT_BODY);
        if let Some(identity) = outside.jwt {
            return self.identified(identity, env);
        }
        let hash = auth::credential(&headers, &self.config.credential_headers)?;
        self.find_key(hash, env)
    }

    /// Looks a key up: configuration, the cache that the workers share, the sidecar.
    fn find_key(&mut self, hash: KeyHash, env: &mut Env<'_>) -> Result<Step, Refusal> {
        if let Some(record) = self.config.static_key(&hash) {
            let identity = Identity::of_key(record, env.now.millis())?;
            return self.identified(identity, env);
        }
        if self.config.sidecar.is_none() {
            return Err(auth::unknown_key());
        }
        // A cache that cannot be read is an empty one: the sidecar knows.
        let cached = self
            .config
            .key_cache
            .lookup(env.cells, &hash, env.now.millis())
            .unwrap_or(Lookup::Missing);
        let stale = match cached {
            Lookup::Fresh(record) => {
                let identity = Identity::of_key(&record, env.now.millis())?;
                return self.identified(identity, env);
            }
            Lookup::Unknown => return Err(auth::unknown_key()),
            Lookup::Stale(record) => Some(record),
            Lookup::Missing => None,
        };
        self.phase = Phase::ResolvingKey {
            hash,
            stale,
            asked: key_feed::is_followed(env.cells).then_some(env.now),
        };
        Ok(Step::Ask(Ask::ResolveKey(hash)))
    }

    /// The sidecar has said whose key this is, or has not.
    pub(super) fn key_answered(
        &mut self,
        answer: Answer<'_>,
        hash: KeyHash,
        stale: Option<KeyRecord>,
        asked: Option<UnixNanos>,
        env: &mut Env<'_>,
    ) -> Result<Step, Refusal> {
        let told = match answer {
            Answer::Answered { status: 200, body } => serde_json::from_slice::<KeyRecord>(body)
                .ok()
                .filter(|record| record.sha256 == hash)
                .map(Some),
            Answer::Answered { status: 404, .. } => Some(None),
            Answer::Answered { .. } | Answer::Unavailable => None,
        };
        if let (Some(told), Some(asked)) = (&told, asked) {
            // A cache that cannot be written costs the next request a question, nothing more.
            let _ = self.config.key_cache.resolved(
                env.cells,
                &hash,
                told.as_ref(),
                asked.millis(),
                env.now.millis(),
            );
        }
        let record = match (told, stale) {
            (Some(Some(record)), _) | (None, Some(record)) => record,
            (Some(None), _) => return Err(auth::unknown_key()),
            (None, None) => {
                return Err(Refusal::new(
                    Code::SidecarUnavailable,
                    "the API key could not be checked because the sidecar is unavailable; try again shortly",
                ));
            }
        };
        let identity = Identity::of_key(&record, env.now.millis())?;
        self.identified(identity, env)
    }

    /// The caller is known. What can be refused without the body is refused now.
    fn identified(&mut self, identity: Identity, env: &mut Env<'_>) -> Result<Step, Refusal> {
        if identity.session.is_some() {
            self.request.session.clone_from(&identity.session);
        }
        let admitted = env.paused.check(&identity);
        // Also where it is refused: its event says whose it is.
        self.identity = Some(identity);
        admitted?;
        if !self.request.dialect.is_some_and(dialect::Dialect::is_metered) {
            return self.pass_unmetered(env);
        }
        if !self.request.body_is_short {
            self.check_limits(env)?;
        }
        self.phase = Phase::AwaitingBody;
        Ok(if self.request.body_is_whole {
            Step::ReadBody
        } else {
            Step::Hold
        })
    }

    /// A path that costs no tokens: it counts as a request and goes on.
    fn pass_unmetered(&mut self, env: &mut Env<'_>) -> Result<Step, Refusal> {
        let receipt = self.take_limits(None, Demand::default(), env)?;
        self.phase = Phase::Unmetered { receipt };
        Ok(Step::Release(Release {
            headers: self.request_changes(),
            body: None,
        }))
    }

    fn session(&self, headers: Headers<'_>) -> Option<String> {
        let session = headers.text(&self.config.session_header)?;
        Some(clip_to(session, MAX_SESSION_CHARS))
    }

    /// What the client calls its request: in order and each once, so that equal sets are the same caller's.
    fn tags(&self, headers: Headers<'_>) -> Vec<String> {
        let Some(text) = headers.text(&self.config.tags_header) else {
            return Vec::new();
        };
        let named = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        let clipped = named.map(|tag| clip_to(tag, MAX_TAG_CHARS));
        let mut tags: Vec<String> = clipped.take(MAX_TAGS).collect();
        tags.sort_unstable();
        tags.dedup();
        tags
    }

    /// Names of headers that must not reach the provider: the client's key, and what only Tollgate may say.
    fn withheld_headers(&self, headers: Headers<'_>) -> Vec<String> {
        let is_withheld =
            |name: &[u8]| self.config.withheld.contain(name) || name.starts_with(OWN_PREFIX.as_bytes());
        let mut names: Vec<String> = headers
            .iter()
            .filter(|(name, _)| is_withheld(name))
            .filter_map(|(name, _)| String::from_utf8(name.to_vec()).ok())
            .collect();
        names.dedup();
        names
    }

    /// Checks what the headers say of the body. How long it is to be, where they say that.
    fn check_body_headers(&self, headers: Headers<'_>) -> Result<Option<u64>, Refusal> {
        // Where one of these comes twice, Envoy, a provider and Tollgate may read another one each.
        let once = |name| headers.single(name).map_err(|_| repeated(name));
        let kind = once("content-type")?.unwrap_or_default();
        let length = once("content-length")?.and_then(number);
        let encoding = once("content-encoding")?.unwrap_or(b"identity");
        once("transfer-encoding")?;
        once("host")?;
        // Envoy joins this header's values with commas; no single one contains any.
        if kind.contains(&b',') {
            return Err(repeated("content-type"));
        }
        if !encoding.eq_ignore_ascii_case(b"identity") {
            let message =
                "compressed request bodies cannot be checked; send the body without content-encoding";
            return Err(Refusal::new(Code::InvalidRequest, message).at("content-encoding"));
        }
        if length.is_some_and(|length| length > self.config.max_request_bytes) {
            return Err(too_large(self.config.max_request_bytes));
        }
        Ok(length)
    }
}

/// The service tier that Vertex AI is asked for; nobody knows which, where there are two.
fn vertex_tier(headers: Headers<'_>) -> Option<ServiceTier> {
    let name = headers.single(VERTEX_TIER).unwrap_or(Some(b"?"))?;
    ServiceTier::named(std::str::from_utf8(name).unwrap_or("?"))
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn repeated(name: &str) -> Refusal {
    let message = format!("the header {name} came more than once; send it once");
    Refusal::new(Code::InvalidRequest, message).at(name)
}

pub(super) fn too_large(max: u64) -> Refusal {
    Refusal::new(
        Code::RequestTooLarge,
        format!("the request body is larger than the {max} bytes that this gateway takes"),
    )
}

/// Frames of an upgraded connection would pass unmetered.
fn refuse_upgrade(headers: Headers<'_>) -> Result<(), Refusal> {
    let upgrades = headers.first("upgrade").is_some() || headers.first(":protocol").is_some();
    if upgrades {
        let message = "upgraded connections (WebSocket) are not governed here; use HTTP requests";
        return Err(Refusal::new(Code::InvalidRequest, message).at("upgrade"));
    }
    Ok(())
}

fn unknown_endpoint(method: &[u8], target: &[u8]) -> Refusal {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    Refusal::new(
        Code::UnknownEndpoint,
        format!(
            "{} {} is no endpoint of this gateway; only metered LLM endpoints are served",
            String::from_utf8_lossy(method),
            String::from_utf8_lossy(path.get(..200).unwrap_or(path)),
        ),
    )
}
