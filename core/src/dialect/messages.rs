//! Anthropic's messages, and the counting of their tokens (<https://docs.anthropic.com/en/api/messages>).

use super::at::{At, Invalid};
use super::chat_completions::read_tools;
use super::content::{self, Voice};
use super::fields::{is_object, object, present};
use super::prompt::Role;
use super::request::{MessageHead, Request};
use super::{Dialect, Naming, nested, scalar};
use crate::service_tier::ServiceTier;

const BODY: [&str; 11] = [
    "model",
    "messages",
    "system",
    "stream",
    "max_tokens",
    "tools",
    "thinking",
    "metadata",
    "output_config",
    "output_format",
    "service_tier",
];

pub(super) fn read(request: &mut Request<'_>) -> Result<(), Invalid> {
    let fields = request.fields(&BODY)?;
    let [
        model,
        messages,
        system,
        stream,
        max_tokens,
        tools,
        thinking,
        metadata,
        config,
        format,
        tier,
    ] = fields;
    request.read_model(model)?;
    if request.dialect == Dialect::Messages {
        request.read_stream(stream)?;
        request.read_cap("max_tokens", max_tokens)?;
    }
    super::chat_completions::read_hints(request, None, None, metadata);
    request.service_tier = ServiceTier::asked(tier);
    if let Some(raw) = present(thinking).filter(|json| is_object(json)) {
        let at = At::ROOT.field("thinking");
        let [budget] = object(raw, Naming::Exact, &["budget_tokens"], &at)?;
        request.thinking_budget = scalar::count(budget, &at.field("budget_tokens"))?;
    }
    let at_system = At::ROOT.field("system");
    content::read(request, Voice::new(Role::System, None), system, &at_system)?;
    let Some(list) = present(messages) else {
        return Err(At::ROOT.field("messages").must("be an array of messages"));
    };
    request.each_message(list, &["role", "content"], message)?;
    read_tools(request, tools);
    request.schema = config
        .and_then(|json| nested(json, &["format", "schema"]))
        .or(format.and_then(|json| nested(json, &["schema"])));
    Ok(())
}

fn message<'a>(
    request: &mut Request<'a>,
    index: usize,
    [role_name, body]: [Option<&'a str>; 2],
    at: &At<'_>,
) -> Result<(), Invalid> {
    let at_role = at.field("role");
    let Some(role_text) = scalar::string(role_name, &at_role)? else {
        return Err(at_role.must("be a string"));
    };
    let role = Role::of(&role_text);
    request.messages.push(MessageHead {
        role: Some(role_text),
        named: false,
    });
    content::read(request, Voice::new(role, Some(index)), body, &at.field("content"))
}
