//! The dialects that the mock speaks, and the paths that name them (under any prefix).

mod anthropic;
mod chat;
mod completions;
mod embeddings;
mod gemini;
mod models;
mod responses;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{Answer, Ask};
use crate::plan::Plan;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Chat,
    Responses,
    Embeddings,
    Completions,
    /// All models, or one.
    Models(Option<String>),
    Messages,
    CountTokens,
    Generate {
        model: String,
        form: Form,
    },
    GeminiCount {
        model: String,
    },
}

/// The form of a Gemini answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `generateContent`
    One,
    /// `streamGenerateContent?alt=sse`
    Events,
    /// `streamGenerateContent`: one JSON array, element by element.
    Array,
}

/// A request read by its dialect: how to answer it.
#[derive(Debug)]
pub(crate) enum Work {
    /// A model's call: metered.
    Call(Ask),
    /// Answered as it stands, and counted as no call.
    Free(Value),
}

/// What the dialects need to know besides the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Whether usage is reported at all.
    pub(crate) usage: bool,
    /// One event for the whole text.
    pub(crate) one_piece: bool,
}

/// Numbers the answers, so that each has an id of its own.
static NEXT: AtomicU64 = AtomicU64::new(1);

// === impl Route ===

impl Route {
    /// The route of a path, whatever prefix it bears.
    pub(crate) fn of(method: &str, path: &str, query: &str) -> Option<Self> {
        if let Some((head, action)) = path.rsplit_once(':') {
            let model = head.rsplit('/').next().unwrap_or_default().to_owned();
            let sse = query.split('&').any(|pair| pair == "alt=sse");
            return match action {
                "generateContent" => Some(Self::Generate {
                    model,
                    form: Form::One,
                }),
                "streamGenerateContent" if sse => Some(Self::Generate {
                    model,
                    form: Form::Events,
                }),
                "streamGenerateContent" => Some(Self::Generate {
                    model,
                    form: Form::Array,
                }),
                "countTokens" => Some(Self::GeminiCount { model }),
                _ => None,
            };
        }
        if method == "GET" {
            if path.ends_with("/models") {
                return Some(Self::Models(None));
            }
            let (_, model) = path.rsplit_once("/models/")?;
            return Some(Self::Models(Some(model.to_owned())));
        }
        [
            ("/chat/completions", Self::Chat),
            ("/responses", Self::Responses),
            ("/embeddings", Self::Embeddings),
            ("/completions", Self::Completions),
            ("/messages/count_tokens", Self::CountTokens),
            ("/messages", Self::Messages),
        ]
        .into_iter()
        .find_map(|(suffix, route)| path.ends_with(suffix).then_some(route))
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// What a provider would call invalid, for the answer's 400.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Work, String> {
        if let Self::Models(model) = self {
            return Ok(Work::Free(models::answer(model.as_deref())));
        }
        let parsed: Value = serde_json::from_slice(body).map_err(|error| format!("invalid JSON: {error}"))?;
        match self {
            Self::Chat => chat::read(&parsed).map(Work::Call),
            Self::Responses => responses::read(&parsed).map(Work::Call),
            Self::Embeddings => embeddings::read(&parsed).map(Work::Call),
            Self::Completions => completions::read(&parsed).map(Work::Call),
            Self::Messages => anthropic::read(&parsed, true).map(Work::Call),
            Self::CountTokens => anthropic::count(&parsed).map(Work::Free),
            Self::Generate { model, form } => gemini::read(model, *form, &parsed).map(Work::Call),
            Self::GeminiCount { model } => gemini::count(model, &parsed).map(Work::Free),
            Self::Models(_) => Ok(Work::Free(Value::Null)),
        }
    }

    /// Gives an answer its form.
    pub(crate) fn write(&self, body: &[u8], ask: &Ask, answer: &Answer, options: Options) -> Plan {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        let events = |events| Plan::stream("text/event-stream; charset=utf-8", events);
        match self {
            Self::Chat if ask.stream => events(chat::events(&parsed, ask, answer, options)),
            Self::Responses if ask.stream => events(responses::events(ask, answer, options)),
            Self::Completions if ask.stream => events(completions::events(&parsed, ask, answer, options)),
            Self::Messages if ask.stream => events(anthropic::events(ask, answer, options)),
            Self::Generate {
                form: Form::Events, ..
            } => events(gemini::events(ask, answer, options)),
            Self::Generate {
                form: Form::Array, ..
            } => Plan::stream(
                "application/json; charset=UTF-8",
                gemini::array(ask, answer, options),
            ),
            _ => Plan::json(StatusCode::OK, &self.json(&parsed, ask, answer, options.usage)),
        }
    }

    /// An error as this provider words it.
    pub(crate) fn error(&self, status: StatusCode, message: &str) -> Value {
        match self {
            Self::Messages | Self::CountTokens => anthropic::error(status, message),
            Self::Generate { .. } | Self::GeminiCount { .. } => gemini::error(status, message),
            _ => openai_error(status, message),
        }
    }

    fn json(&self, parsed: &Value, ask: &Ask, answer: &Answer, usage: bool) -> Value {
        match self {
            Self::Chat => chat::json(parsed, ask, answer, usage),
            Self::Responses => responses::json(ask, answer, usage),
            Self::Embeddings => embeddings::json(parsed, ask, answer, usage),
            Self::Completions => completions::json(ask, answer, usage),
            Self::Messages => anthropic::json(ask, answer, usage),
            Self::Generate { .. } => gemini::json(ask, answer, usage),
            Self::Models(_) | Self::CountTokens | Self::GeminiCount { .. } => Value::Null,
        }
    }
}

/// OpenAI's error envelope.
pub(crate) fn openai_error(status: StatusCode, message: &str) -> Value {
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", json!("invalid_api_key")),
        429 => ("requests", json!("rate_limit_exceeded")),
        500.. => ("server_error", Value::Null),
        _ => ("invalid_request_error", Value::Null),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// A fresh id, e.g. `chatcmpl-mock000001`.
fn id(prefix: &str) -> String {
    format!("{prefix}mock{:06}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Seconds since the epoch.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Leaves `usage` out of an object where none is wanted.
fn without_usage(mut value: Value, field: &str, wanted: bool) -> Value {
    if let (false, Some(object)) = (wanted, value.as_object_mut()) {
        object.remove(field);
    }
    value
}

/// What a stream sends of a text, event by event.
fn deltas(text: &str, options: Options) -> Vec<&str> {
    if options.one_piece {
        vec![text]
    } else {
        crate::answer::pieces(text)
    }
}

/// `model`, which every body must name.
fn model(body: &Value) -> Result<String, String> {
    let named = body
        .get("model")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    named
        .map(str::to_owned)
        .ok_or_else(|| "you must provide a model parameter".to_owned())
}

/// Every text inside a message's content: a string, or the `text` of its parts.
fn texts(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let found = parts.iter().map(|part| {
                part.get("text")
                    .and_then(Value::as_str)
                    .map_or_else(|| texts(part.get("content")), str::to_owned)
            });
            found
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join("\n")
        }
        _ => String::new(),
    }
}

/// A field that is a whole number.
fn whole(body: &Value, field: &str) -> Option<u64> {
    body.get(field).and_then(Value::as_u64)
}

/// Whether a field is `true`.
fn is_true(body: &Value, field: &str) -> bool {
    body.get(field).and_then(Value::as_bool).unwrap_or(false)
}

/// The items of an array, none where there is no array.
fn items<'a>(body: &'a Value, field: &str) -> &'a [Value] {
    body.get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A field that is text.
fn text_of(body: &Value, field: &str) -> String {
    body.get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_dialect_under_any_prefix() {
        let of = |path: &str| Route::of("POST", path, "");
        assert_eq!(of("/v1/chat/completions"), Some(Route::Chat));
        assert_eq!(of("/openai/v1/completions"), Some(Route::Completions));
        assert_eq!(of("/v1/messages/count_tokens"), Some(Route::CountTokens));
        assert_eq!(of("/v1/audio/speech"), None);
        let model = "gemini-2.5-flash".to_owned();
        let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
        assert_eq!(
            of(path),
            Some(Route::Generate {
                model: model.clone(),
                form: Form::Array
            })
        );
        assert_eq!(
            Route::of("POST", path, "key=x&alt=sse"),
            Some(Route::Generate {
                model,
                form: Form::Events
            })
        );
    }
}
