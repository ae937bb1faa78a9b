//! OpenAI's chat completions, as OpenAI and everyone else who speaks it has them
//! (<https://platform.openai.com/docs/api-reference/chat/create>).

use super::at::{At, Invalid};
use super::content::{self, Voice};
use super::fields::{array, is_array, is_object, object, present};
use super::prompt::{PieceKind, Role};
use super::request::{CapPlace, IncludeUsage, MessageHead, Request};
use super::rewrite::is_reasoning_model;
use super::{Naming, nested, scalar};
use crate::service_tier::ServiceTier;

const BODY: [&str; 19] = [
    "model",
    "models",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "functions",
    "response_format",
    "prediction",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "metadata",
    "documents",
    "service_tier",
];

const MESSAGE: [&str; 9] = [
    "role",
    "content",
    "name",
    "tool_calls",
    "function_call",
    "refusal",
    "reasoning_content",
    "reasoning",
    "audio",
];

pub(super) fn read(request: &mut Request<'_>) -> Result<(), Invalid> {
    let fields = request.fields(&BODY)?;
    let [model, models, messages, prompt, stream, stream_options, n, ..] = fields;
    let [
        ..,
        user,
        safety_identifier,
        prompt_cache_key,
        metadata,
        documents,
        tier,
    ] = fields;
    let [
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        max_tokens,
        max_completion_tokens,
        tools,
        functions,
        format,
        prediction,
        ..,
    ] = fields;
    // OpenRouter takes the first of `models` where no `model` is named.
    let first = read_fallbacks(request, models);
    request.read_model(present(model).or(first))?;
    request.read_stream(stream)?;
    request.read_cap("max_tokens", max_tokens)?;
    request.read_cap("max_completion_tokens", max_completion_tokens)?;
    if request.model_names().any(is_reasoning_model) {
        request.cap_place = CapPlace::Top("max_completion_tokens");
    }
    request.choices = scalar::count(n, &At::ROOT.field("n"))?.unwrap_or(1).max(1);
    read_stream_options(request, stream_options)?;
    read_hints(request, user.or(safety_identifier), prompt_cache_key, metadata);
    request.service_tier = ServiceTier::asked(tier);
    match (present(messages), present(prompt)) {
        (Some(list), _) => read_messages(request, list)?,
        // OpenRouter takes `prompt` in their place.
        (None, Some(text)) => content::read(
            request,
            Voice::new(Role::User, None),
            Some(text),
            &At::ROOT.field("prompt"),
        )?,
        (None, None) => return Err(At::ROOT.field("messages").must("be an array of messages")),
    }
    for list in [tools, functions] {
        read_tools(request, list);
    }
    request.schema = format.and_then(|json| nested(json, &["json_schema", "schema"]));
    for json in [prediction, documents].into_iter().flatten() {
        request.push(Role::User, PieceKind::Unknown, None, json);
    }
    Ok(())
}

/// Reads `messages`; other OpenAI dialects take them too.
pub(super) fn read_messages<'a>(request: &mut Request<'a>, json: &'a str) -> Result<(), Invalid> {
    request.each_message(json, &MESSAGE, message)
}

fn message<'a>(
    request: &mut Request<'a>,
    index: usize,
    fields: [Option<&'a str>; MESSAGE.len()],
    at: &At<'_>,
) -> Result<(), Invalid> {
    let [
        role_name,
        body,
        name,
        tool_calls,
        function_call,
        refusal,
        reasoning_content,
        reasoning,
        audio,
    ] = fields;
    let at_role = at.field("role");
    let Some(role_text) = scalar::string(role_name, &at_role)? else {
        return Err(at_role.must("be a string"));
    };
    let role = Role::of(&role_text);
    let message = Some(index);
    request.messages.push(MessageHead {
        role: Some(role_text),
        named: present(name).is_some(),
    });
    request.push_name(role, message, name);
    content::read(request, Voice::new(role, message), body, &at.field("content"))?;
    for json in [refusal, reasoning_content, reasoning].into_iter().flatten() {
        if super::fields::is_string(json) {
            request.push(role, PieceKind::Thinking, message, json);
        }
    }
    if present(audio).is_some() {
        request.hidden_context = true;
    }
    if let Some(call) = present(function_call) {
        function(request, message, Some(call), &at.field("function_call"))?;
    }
    let Some(calls) = present(tool_calls).filter(|json| is_array(json)) else {
        return Ok(());
    };
    let at_calls = at.field("tool_calls");
    array(calls, &at_calls, |call_index, call| {
        let place = at_calls.index(call_index);
        if !is_object(call) {
            return Err(place.must("be an object"));
        }
        let [function_of, custom] = object(call, Naming::Exact, &["function", "custom"], &place)?;
        function(request, message, function_of, &place.field("function"))?;
        function(request, message, custom, &place.field("custom"))
    })
}

fn function<'a>(
    request: &mut Request<'a>,
    message: Option<usize>,
    json: Option<&'a str>,
    at: &At<'_>,
) -> Result<(), Invalid> {
    let Some(raw) = present(json).filter(|value| is_object(value)) else {
        return Ok(());
    };
    let [name, arguments, input] = object(raw, Naming::Exact, &["name", "arguments", "input"], at)?;
    request.push_name(Role::Assistant, message, name);
    request.push_value(Role::Assistant, message, arguments);
    request.push_value(Role::Assistant, message, input);
    Ok(())
}

/// Takes the definitions of tools; what is no array counts as one definition.
pub(super) fn read_tools<'a>(request: &mut Request<'a>, json: Option<&'a str>) {
    let Some(raw) = present(json) else {
        return;
    };
    let read = array(raw, &At::ROOT.field("tools"), |_, tool| {
        request.tools.push(tool);
        Ok(())
    });
    if read.is_err() {
        request.tools.push(raw);
    }
}

/// Takes `stream_options.include_usage`.
pub(super) fn read_stream_options<'a>(
    request: &mut Request<'a>,
    json: Option<&'a str>,
) -> Result<(), Invalid> {
    request.stream_options = json;
    request.include_usage = IncludeUsage::Absent;
    let at = At::ROOT.field("stream_options");
    let Some(raw) = present(json) else {
        return Ok(());
    };
    if !is_object(raw) {
        return Err(at.must("be an object"));
    }
    let [include_usage] = object(raw, Naming::Exact, &["include_usage"], &at)?;
    let asked = scalar::boolean(include_usage, &at.field("include_usage"))?;
    request.include_usage = match (include_usage, asked) {
        (_, Some(true)) => IncludeUsage::Yes,
        (Some(value), _) => IncludeUsage::No(request.span(value)),
        (None, _) => IncludeUsage::Absent,
    };
    Ok(())
}

/// Takes the values by which OpenAI's clients name a session.
pub(super) fn read_hints<'a>(
    request: &mut Request<'a>,
    user: Option<&'a str>,
    prompt_cache_key: Option<&'a str>,
    metadata: Option<&'a str>,
) {
    request.hints.user = scalar::hint(user);
    request.hints.prompt_cache_key = scalar::hint(prompt_cache_key);
    request.hints.metadata_user_id = scalar::hint(metadata.and_then(|json| nested(json, &["user_id"])));
}

/// Takes the models that may stand in for the first, and returns the first as raw JSON.
pub(super) fn read_fallbacks<'a>(request: &mut Request<'a>, json: Option<&'a str>) -> Option<&'a str> {
    let mut first = None;
    // Anything else than an array of names is no provider's `models`.
    let _ = array(present(json)?, &At::ROOT.field("models"), |_, name| {
        if let Some(model) = scalar::hint(Some(name)) {
            first.get_or_insert(name);
            request.fallback_models.push(model);
        }
        Ok(())
    });
    first
}
