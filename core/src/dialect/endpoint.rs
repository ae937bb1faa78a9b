//! From a request line to an endpoint: which dialect, which model, whether it streams.
//!
//! A path is known by its end, so that any prefix of a provider or a route is fine. What is not known is
//! refused, and so is every path that two servers could read differently (RFC 3986 section 6): dot segments,
//! empty segments, percent-encoding, path parameters (`..;/`), fragments. No client library sends those here.

use std::ops::Range;

use thiserror::Error;

use super::{Dialect, Family};
use crate::words;

/// The path beyond which a family is not guessed.
const GUESS_BYTES: usize = 512;

/// An endpoint that Tollgate governs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint<'a> {
    target: &'a str,
    meaning: Meaning,
}

/// What a request's path and query mean, for [`Endpoint::meant_by`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    dialect: Dialect,
    family: Family,
    /// How long the path without its query is.
    path_len: usize,
    model: Option<Range<usize>>,
    stream: PathStream,
}

/// What the path says about streaming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStream {
    /// Nothing: the body's `stream` decides.
    ByBody,
    /// One answer, whatever the body says.
    Never,
    /// Gemini `:streamGenerateContent?alt=sse`: server-sent events.
    Sse,
    /// Gemini `:streamGenerateContent`: a JSON array, one element a chunk.
    JsonArray,
}

/// A request line that names no endpoint; it must not reach a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this method and path name no metered endpoint")]
pub struct Unknown {
    /// Whose envelope the refusal wears, guessed from the path.
    pub family: Family,
}

// === impl Endpoint ===

impl<'a> Endpoint<'a> {
    /// The endpoint that a path and query, found to have this meaning before, are.
    pub const fn meant_by(target: &'a str, meaning: Meaning) -> Self {
        Self { target, meaning }
    }

    /// What the path and query mean.
    pub fn into_meaning(self) -> Meaning {
        self.meaning
    }

    /// Path and query as the client sent them.
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// The wire format.
    pub const fn dialect(&self) -> Dialect {
        self.meaning.dialect
    }

    /// Whose envelope an error wears.
    pub const fn family(&self) -> Family {
        self.meaning.family
    }

    /// Whether it is Gemini, on Vertex AI.
    pub fn is_gemini_on_vertex(&self) -> bool {
        self.family() == Family::Gemini && self.path().contains("/publishers/")
    }

    /// Whether the exchange costs tokens.
    pub const fn is_metered(&self) -> bool {
        self.dialect().is_metered()
    }

    /// What the path says about streaming.
    pub const fn stream(&self) -> PathStream {
        self.meaning.stream
    }

    /// The path without its query.
    pub fn path(&self) -> &'a str {
        self.target.get(..self.meaning.path_len).unwrap_or(self.target)
    }

    /// The model that the path names (Gemini, Azure's deployments). It wins over one in the body, because the
    /// provider reads it there.
    pub fn model(&self) -> Option<&'a str> {
        self.target.get(self.meaning.model.clone()?)
    }

    /// The path and query with another model in it; `None` where the path names no model, or `model` could not
    /// stand in a path as it is.
    pub fn with_model(&self, model: &str) -> Option<String> {
        let span = self.meaning.model.clone()?;
        let fits = is_segment(model.as_bytes()) && !model.contains(':');
        let (before, after) = (self.target.get(..span.start)?, self.target.get(span.end..)?);
        fits.then(|| [before, model, after].concat())
    }
}

/// Names the endpoint that a request line means. `target` is the path with its query, as the client sent it.
pub fn classify<'a>(method: &[u8], target: &'a [u8]) -> Result<Endpoint<'a>, Unknown> {
    endpoint(method, target).ok_or_else(|| Unknown {
        family: guess_family(target),
    })
}

fn endpoint<'a>(method: &[u8], raw_target: &'a [u8]) -> Option<Endpoint<'a>> {
    let target = std::str::from_utf8(raw_target).ok()?;
    let (path, query) = words::split_at(target, b'?').unwrap_or((target, ""));
    let mut segments = path.strip_prefix('/')?.as_bytes().split(|byte| *byte == b'/');
    let clean = segments.all(is_segment) && query.bytes().all(is_query_byte);
    if !clean {
        return None;
    }
    let found = match method {
        b"POST" => post(path, query)?,
        b"GET" => get(path)?,
        _ => return None,
    };
    let span_of = |part: &str| {
        let start = part.as_ptr() as usize - target.as_ptr() as usize;
        start..start + part.len()
    };
    let meaning = Meaning {
        dialect: found.dialect,
        family: found.family,
        path_len: path.len(),
        model: found.model.map(span_of),
        stream: found.stream,
    };
    Some(Endpoint { target, meaning })
}

struct Found<'a> {
    dialect: Dialect,
    family: Family,
    model: Option<&'a str>,
    stream: PathStream,
}

fn post<'a>(path: &'a str, query: &str) -> Option<Found<'a>> {
    let (prefix, last) = path.rsplit_once('/')?;
    if let Some((model, verb)) = last.rsplit_once(':') {
        return gemini(prefix, model, verb, query);
    }
    let (outer, parent) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let (dialect, family, before) = match last {
        "completions" if parent == "chat" => (Dialect::ChatCompletions, Family::OpenAi, outer),
        // `Chat` would be chat for a server that does not mind the case; Mistral's agents hide their model.
        "completions" if parent.eq_ignore_ascii_case("chat") || parent == "agents" => return None,
        "completions" => (Dialect::Completions, Family::OpenAi, prefix),
        "responses" => (Dialect::Responses, Family::OpenAi, prefix),
        "embeddings" => (Dialect::Embeddings, Family::OpenAi, prefix),
        // OpenAI's assistants: `POST /v1/threads/{id}/messages`.
        "messages" if outer.ends_with("/threads") => return None,
        "messages" => (Dialect::Messages, Family::Anthropic, prefix),
        "count_tokens" if parent == "messages" => (Dialect::CountTokens, Family::Anthropic, outer),
        "compact" if parent == "responses" => (Dialect::Responses, Family::OpenAi, outer),
        "input_tokens" if parent == "responses" => (Dialect::CountTokens, Family::OpenAi, outer),
        _ => return None,
    };
    let stream = match dialect {
        Dialect::Embeddings | Dialect::CountTokens => PathStream::Never,
        Dialect::Responses if last == "compact" => PathStream::Never,
        _ => PathStream::ByBody,
    };
    Some(Found {
        dialect,
        family,
        model: deployment(before)?,
        stream,
    })
}

/// The deployment in Azure's `/openai/deployments/{id}` before an operation: `Some(None)` where there is none,
/// `None` where the path only resembles one. Azure does not mind the case, and the deployment decides the model.
fn deployment(before: &str) -> Option<Option<&str>> {
    let mut segments = before.split('/').peekable();
    while let Some(segment) = segments.next() {
        let azure = segment.eq_ignore_ascii_case("openai")
            && segments
                .peek()
                .is_some_and(|next| next.eq_ignore_ascii_case("deployments"));
        if !azure {
            continue;
        }
        let exact = segment == "openai" && segments.next() == Some("deployments");
        let (id, rest) = (segments.next()?, segments.next());
        return (exact && rest.is_none()).then_some(Some(id));
    }
    Some(None)
}

fn gemini<'a>(prefix: &str, model: &'a str, verb: &str, query: &str) -> Option<Found<'a>> {
    let (_, collection) = prefix.rsplit_once('/')?;
    let known = matches!(collection, "models" | "tunedModels" | "endpoints" | "dynamic");
    if !known || model.is_empty() || model.contains(':') {
        return None;
    }
    let sse = gemini_query(query)?;
    let claude = prefix.ends_with("/publishers/anthropic/models");
    let (dialect, family, stream) = match verb {
        "generateContent" => (Dialect::GenerateContent, Family::Gemini, PathStream::Never),
        "streamGenerateContent" if sse => (Dialect::GenerateContent, Family::Gemini, PathStream::Sse),
        "streamGenerateContent" => (Dialect::GenerateContent, Family::Gemini, PathStream::JsonArray),
        "countTokens" => (Dialect::CountTokens, Family::Gemini, PathStream::Never),
        // Anthropic's messages on Vertex AI; the counting of their tokens wears a model's name.
        "rawPredict" if claude && model == "count-tokens" => {
            (Dialect::CountTokens, Family::Anthropic, PathStream::Never)
        }
        "rawPredict" | "streamRawPredict" if claude => {
            (Dialect::Messages, Family::Anthropic, PathStream::ByBody)
        }
        _ => return None,
    };
    Some(Found {
        dialect,
        family,
        model: (dialect != Dialect::CountTokens || family == Family::Gemini).then_some(model),
        stream,
    })
}

/// Whether the query asks for SSE; `None` where it changes what the answer looks like, so that usage could not
/// be read: a field mask, JSONP, another representation, or one of Google's `$` parameters that override the
/// method, the headers or the body (<https://cloud.google.com/apis/docs/system-parameters>).
fn gemini_query(query: &str) -> Option<bool> {
    let mut sse = None;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "alt" | "$alt" => {
                let is_sse = match value {
                    "sse" => true,
                    // The second is what Google's generated clients send.
                    "json" | "" | "json;enum-encoding=int" | "json%3Benum-encoding%3Dint" => false,
                    _ => return None,
                };
                if sse.replace(is_sse).is_some() {
                    return None;
                }
            }
            "fields" | "callback" => return None,
            "$prettyPrint" | "$.xgafv" | "$key" | "$userProject" => {}
            other if other.starts_with('$') || other.contains('%') => return None,
            _ => {}
        }
    }
    Some(sse.unwrap_or(false))
}

fn get(path: &str) -> Option<Found<'_>> {
    let (prefix, last) = path.rsplit_once('/')?;
    // `GET …/models/x:generateContent` is no lookup where a method may be overridden; `ft:gpt-4o:org::Ab1` is.
    let verb = last
        .rsplit_once(':')
        .is_some_and(|(_, verb)| verb.bytes().any(|byte| byte.is_ascii_uppercase()));
    let lookup = prefix.ends_with("/models") && (!verb || last.starts_with("ft:"));
    if last != "models" && !lookup {
        return None;
    }
    let google = path.contains("/v1beta") || path.contains("/publishers/");
    Some(Found {
        dialect: Dialect::Models,
        family: if google && !path.contains("/openai/") {
            Family::Gemini
        } else {
            Family::OpenAi
        },
        model: None,
        stream: PathStream::Never,
    })
}

/// RFC 3986 `segment-nz` without percent-encoding and path parameters, and no dot segment.
fn is_segment(segment: &[u8]) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte);
    !matches!(segment, b"" | b"." | b"..") && segment.iter().copied().all(allowed)
}

const fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

fn guess_family(target: &[u8]) -> Family {
    let head = target.get(..GUESS_BYTES).unwrap_or(target).to_ascii_lowercase();
    let has = |needle: &str| memchr::memmem::find(&head, needle.as_bytes()).is_some();
    if has("/openai/") || has("/chat/") {
        Family::OpenAi
    } else if has("/messages") || has("anthropic") {
        Family::Anthropic
    } else if has("content") || has("/v1beta") || has("/publishers/") || has("/models/") && has(":") {
        Family::Gemini
    } else {
        Family::OpenAi
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
