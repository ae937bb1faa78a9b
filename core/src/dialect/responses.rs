//! OpenAI's Responses (<https://platform.openai.com/docs/api-reference/responses/create>).

use super::at::{At, Invalid};
use super::chat_completions::{read_hints, read_tools};
use super::content::{self, Voice};
use super::fields::{array, is_object, is_string, object, present};
use super::prompt::{Media, MediaKind, PieceKind, Role};
use super::request::{MessageHead, Request};
use super::{Naming, nested, scalar};
use crate::service_tier::ServiceTier;

const BODY: [&str; 17] = [
    "model",
    "input",
    "instructions",
    "stream",
    "max_output_tokens",
    "tools",
    "text",
    "prompt",
    "previous_response_id",
    "conversation",
    "background",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "metadata",
    "models",
    "service_tier",
];

const ITEM: [&str; 12] = [
    "type",
    "role",
    "content",
    "name",
    "arguments",
    "input",
    "output",
    "summary",
    "code",
    "tools",
    "action",
    "encrypted_content",
];

pub(super) fn read(request: &mut Request<'_>) -> Result<(), Invalid> {
    let fields = request.fields(&BODY)?;
    let [
        model,
        input,
        instructions,
        stream,
        max_output_tokens,
        tools,
        text,
        ..,
    ] = fields;
    let [
        ..,
        prompt,
        previous,
        conversation,
        background,
        user,
        safety_identifier,
        cache_key,
        metadata,
        models,
        tier,
    ] = fields;
    let first = super::chat_completions::read_fallbacks(request, models);
    // A stored prompt brings its model along.
    if !request.read_optional_model(present(model).or(first))? && present(prompt).is_none() {
        return Err(At::ROOT.field("model").must("name a model"));
    }
    request.read_stream(stream)?;
    request.read_cap("max_output_tokens", max_output_tokens)?;
    request.background = scalar::boolean(background, &At::ROOT.field("background"))?.unwrap_or(false);
    read_hints(request, user.or(safety_identifier), cache_key, metadata);
    request.service_tier = ServiceTier::asked(tier);
    let stored = [prompt, previous, conversation].map(present);
    request.hidden_context = stored.iter().any(Option::is_some);
    if let Some(template) = present(prompt) {
        request.push(Role::User, PieceKind::Unknown, None, template);
    }
    let at_instructions = At::ROOT.field("instructions");
    content::read(
        request,
        Voice::new(Role::System, None),
        instructions,
        &at_instructions,
    )?;
    let at = At::ROOT.field("input");
    match present(input) {
        Some(raw) if is_string(raw) => request.push(Role::User, PieceKind::Text, None, raw),
        Some(raw) => read_items(request, raw, &at)?,
        None if request.hidden_context => {}
        None => return Err(at.must("be a string or an array of items")),
    }
    read_tools(request, tools);
    request.schema = text.and_then(|json| nested(json, &["format", "schema"]));
    Ok(())
}

fn read_items<'a>(request: &mut Request<'a>, list: &'a str, at: &At<'_>) -> Result<(), Invalid> {
    // Sealed reasoning is read again only while tools are called for the same question.
    let mut sealed_reasoning = 0;
    array(list, at, |index, raw| {
        let sealed = item(request, index, raw, &at.index(index))?;
        let asked = request.messages.last().and_then(|head| head.role.as_deref()) == Some("user");
        sealed_reasoning = if asked { 0 } else { sealed_reasoning + sealed };
        Ok(())
    })?;
    request.sealed_bytes += sealed_reasoning;
    Ok(())
}

/// Reads an item, and says how long the sealed reasoning in it is.
fn item<'a>(request: &mut Request<'a>, index: usize, raw: &'a str, at: &At<'_>) -> Result<usize, Invalid> {
    if !is_object(raw) {
        return Err(at.must("be an object"));
    }
    let fields = object(raw, Naming::Exact, &ITEM, at)?;
    let [
        kind,
        role_name,
        body,
        name,
        arguments,
        input,
        output,
        summary,
        code,
        tools,
        action,
        sealed,
    ] = fields;
    let role_text = scalar::string(role_name, &at.field("role"))?;
    let kind_text = scalar::string(kind, &at.field("type"))?;
    let role = role_text.as_deref().map(Role::of);
    let message = Some(index);
    request.messages.push(MessageHead {
        role: role_text,
        named: false,
    });
    let kind_name = kind_text.as_deref().unwrap_or("message");
    match kind_name {
        "message" => {
            let voice = Voice::new(role.unwrap_or(Role::User), message);
            content::read(request, voice, body, &at.field("content"))?;
        }
        "reasoning" => {
            let voice = Voice::new(Role::Assistant, message);
            content::read(request, voice, summary, &at.field("summary"))?;
            content::read(request, voice, body, &at.field("content"))?;
            return Ok(sealed.map_or(0, str::len));
        }
        "item_reference" => request.hidden_context = true,
        "compaction" => request.sealed_bytes += sealed.map_or(0, str::len),
        "image_generation_call" => request.media.push(Media {
            kind: MediaKind::Image,
            inline_bytes: 0,
            low_detail: false,
        }),
        "additional_tools" | "tool_search_output" => read_tools(request, tools),
        call if call.ends_with("_call_output") || call.ends_with("_output") => {
            let voice = Voice::new(Role::Tool, message);
            content::read(request, voice, output, &at.field("output"))?;
        }
        call if call.ends_with("_call") => {
            request.push_name(Role::Assistant, message, name);
            for json in [arguments, input, code, action] {
                request.push_value(Role::Assistant, message, json);
            }
            request.push_value(Role::Tool, message, output);
        }
        _ => request.push(role.unwrap_or(Role::Other), PieceKind::Unknown, message, raw),
    }
    Ok(0)
}
