//! Gemini's content generation, and the counting of its tokens (<https://ai.google.dev/api/generate-content>).
//!
//! The JSON of protocol buffers: names in either case, and where a list is expected one element will do
//! (Google's own examples write `"contents": {"parts": {"text": "…"}}`).

use super::at::{At, Invalid};
use super::fields::{array, is_array, is_object, is_string, lookup, object, present};
use super::prompt::{Media, MediaKind, PieceKind, Role};
use super::request::{CapPlace, MessageHead, Request};
use super::{Dialect, Naming, scalar};
use crate::service_tier::ServiceTier;

const BODY: [&str; 8] = [
    "contents",
    "systemInstruction",
    "generationConfig",
    "tools",
    "cachedContent",
    "model",
    "serviceTier",
    "generateContentRequest",
];

const GENERATION_CONFIG: [&str; 5] = [
    "maxOutputTokens",
    "candidateCount",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
];

const PART: [&str; 9] = [
    "text",
    "thought",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "thoughtSignature",
];

pub(super) fn read(request: &mut Request<'_>) -> Result<(), Invalid> {
    let fields = request.fields(&BODY)?;
    let [.., whole_request] = fields;
    match present(whole_request).filter(|_| request.dialect == Dialect::CountTokens) {
        // `countTokens` takes a whole request in place of contents.
        Some(whole) => read_fields(
            request,
            object(
                whole,
                Naming::Proto,
                &BODY,
                &At::ROOT.field("generateContentRequest"),
            )?,
        ),
        None => read_fields(request, fields),
    }
}

fn read_fields<'a>(request: &mut Request<'a>, fields: [Option<&'a str>; BODY.len()]) -> Result<(), Invalid> {
    let [contents, system, config, tools, cached, model, tier, _] = fields;
    request.body_model = scalar::hint(model);
    request.hidden_context = present(cached).is_some();
    request.service_tier = ServiceTier::asked(tier);
    if request.dialect == Dialect::GenerateContent {
        read_config(request, config)?;
    }
    if let Some(raw) = present(system) {
        let at = At::ROOT.field("systemInstruction");
        content(request, Role::System, None, raw, &at)?;
    }
    let at = At::ROOT.field("contents");
    let Some(list) = present(contents) else {
        return Err(at.must("be an array of contents"));
    };
    each(list, &at, |index, raw| {
        let place = at.index(index);
        if !is_object(raw) {
            return Err(place.must("be an object"));
        }
        let [role_name] = object(raw, Naming::Proto, &["role"], &place)?;
        let role_text = scalar::string(role_name, &place.field("role"))?;
        let role = role_text.as_deref().map_or(Role::User, Role::of);
        request.messages.push(MessageHead {
            role: role_text,
            named: false,
        });
        content(request, role, Some(index), raw, &place)
    })?;
    read_tools(request, tools)
}

fn read_config<'a>(request: &mut Request<'a>, json: Option<&'a str>) -> Result<(), Invalid> {
    request.cap_place = CapPlace::GenerationConfig(json);
    let Some(raw) = present(json) else {
        return Ok(());
    };
    let at = At::ROOT.field("generationConfig");
    let [max_output, candidates, schema, json_schema, _] =
        object(raw, Naming::Proto, &GENERATION_CONFIG, &at)?;
    request.read_cap("generationConfig.maxOutputTokens", max_output)?;
    let choices = scalar::proto_count(candidates, &at.field("candidateCount"))?;
    request.choices = choices.unwrap_or(1).max(1);
    request.schema = present(schema).or(present(json_schema));
    Ok(())
}

fn content<'a>(
    request: &mut Request<'a>,
    role: Role,
    message: Option<usize>,
    raw: &'a str,
    at: &At<'_>,
) -> Result<(), Invalid> {
    if is_string(raw) {
        request.push(role, PieceKind::Text, message, raw);
        return Ok(());
    }
    if !is_object(raw) {
        return Err(at.must("be an object"));
    }
    let [parts] = object(raw, Naming::Proto, &["parts"], at)?;
    let Some(list) = present(parts) else {
        return Ok(());
    };
    let at_parts = at.field("parts");
    each(list, &at_parts, |index, part_json| {
        part(request, role, message, part_json, &at_parts.index(index))
    })
}

fn part<'a>(
    request: &mut Request<'a>,
    role: Role,
    message: Option<usize>,
    raw: &'a str,
    at: &At<'_>,
) -> Result<(), Invalid> {
    if is_string(raw) {
        request.push(role, PieceKind::Text, message, raw);
        return Ok(());
    }
    if !is_object(raw) {
        return Err(at.must("be an object"));
    }
    let fields = object(raw, Naming::Proto, &PART, at)?.map(|field| present(field));
    let [
        text,
        thought,
        inline_data,
        file_data,
        call,
        response,
        code,
        result,
        signature,
    ] = fields;
    if let Some(signature) = signature
        && !request.is_vertex()
    {
        request.sealed_bytes += signature.len();
    }
    if let Some(json) = text.filter(|value| is_string(value)) {
        let kind = if thought == Some("true") {
            PieceKind::Thinking
        } else {
            PieceKind::Text
        };
        request.push(role, kind, message, json);
    }
    for json in [inline_data, file_data].into_iter().flatten() {
        request.media.push(media(json, inline_data.is_some()));
    }
    for (json, who) in [(call, Role::Assistant), (response, Role::Tool)] {
        function(request, who, message, json, &at.field("functionCall"))?;
    }
    for json in [code, result].into_iter().flatten() {
        request.push(role, PieceKind::Unknown, message, json);
    }
    if fields.iter().all(Option::is_none) {
        request.push(role, PieceKind::Unknown, message, raw);
    }
    Ok(())
}

fn function<'a>(
    request: &mut Request<'a>,
    role: Role,
    message: Option<usize>,
    json: Option<&'a str>,
    at: &At<'_>,
) -> Result<(), Invalid> {
    let Some(raw) = json.filter(|value| is_object(value)) else {
        return Ok(());
    };
    let [name, arguments, response, parts] =
        object(raw, Naming::Proto, &["name", "args", "response", "parts"], at)?;
    request.push_name(role, message, name);
    request.push_value(role, message, arguments);
    request.push_value(role, message, response);
    // Files that a function returned beside its response; a function is not called inside of one.
    if let Some(list) = present(parts) {
        each(list, &at.field("parts"), |_, json| {
            let [inline, file] = object(json, Naming::Proto, &["inlineData", "fileData"], at)?;
            for found in [inline, file].into_iter().flatten() {
                request.media.push(media(found, inline.is_some()));
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn media(json: &str, inline: bool) -> Media {
    let mime = lookup(json, Naming::Proto, ["mimeType"])
        .unwrap_or(None)
        .unwrap_or_default();
    let kind = match mime.trim_start_matches('"').split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::File,
    };
    Media {
        kind,
        inline_bytes: if inline { json.len() } else { 0 },
        low_detail: false,
    }
}

/// Each function is a tool of its own; so is whatever else stands in `tools`.
fn read_tools<'a>(request: &mut Request<'a>, json: Option<&'a str>) -> Result<(), Invalid> {
    let Some(list) = present(json) else {
        return Ok(());
    };
    let at = At::ROOT.field("tools");
    each(list, &at, |index, raw| {
        let place = at.index(index);
        let declarations = match object(raw, Naming::Proto, &["functionDeclarations"], &place) {
            Ok([found]) => present(found),
            Err(_) => None,
        };
        match declarations {
            None => request.tools.push(raw),
            Some(functions) => each(functions, &place, |_, function_json| {
                request.tools.push(function_json);
                Ok(())
            })?,
        }
        Ok(())
    })
}

/// The elements of an array, or the one value that stands in its place.
fn each<'a, F>(json: &'a str, at: &At<'_>, mut visit: F) -> Result<(), Invalid>
where
    F: FnMut(usize, &'a str) -> Result<(), Invalid>,
{
    if is_array(json) {
        array(json, at, visit)
    } else {
        visit(0, json)
    }
}
