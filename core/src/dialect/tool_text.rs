//! Tool definitions as models read them.
//!
//! OpenAI's models do not see a tool's JSON schema but a TypeScript type made of it, much shorter
//! (`type get_weather = (_: {city: string}) => any;`; the format is that of the open models of the same family,
//! <https://cookbook.openai.com/articles/openai-harmony>). The text made here is for counting its tokens, nothing
//! else: references are not followed, optional fields are not marked, and what lies deep is written as it stands.

use std::fmt::Write as _;

use super::Naming;
use super::at::At;
use super::fields::{array, entries, is_array, is_object, is_string, present};
use super::json_string::decode;

/// Schemas within schemas that are still rendered.
const MAX_DEPTH: u8 = 16;

const DEFINITION: [&str; 6] = [
    "function",
    "name",
    "description",
    "parameters",
    "input_schema",
    "parametersJsonSchema",
];

const SCHEMA: [&str; 10] = [
    "type",
    "description",
    "properties",
    "items",
    "enum",
    "anyOf",
    "allOf",
    "$defs",
    "default",
    "const",
];

/// A tool's definition, of any dialect, as TypeScript. `None` where it is no function but something that the
/// provider brings along (a web search).
pub(super) fn typescript(definition: &str) -> Option<String> {
    let [function, name, description, parameters, input_schema, json_schema] =
        known(definition, &DEFINITION)?;
    if let Some(nested) = present(function).filter(|json| is_object(json)) {
        return typescript(nested);
    }
    let schema = parameters
        .or(input_schema)
        .or(json_schema)
        .and_then(|json| present(Some(json)));
    if schema.is_none() && description.is_none() {
        return None;
    }
    let mut out = String::with_capacity(definition.len());
    comment(&mut out, description);
    let _ = write!(out, "type {} = (", text(name));
    let fields = schema
        .and_then(|json| known(json, &SCHEMA))
        .and_then(|[_, _, properties, ..]| present(properties));
    if let (Some(json), Some(_)) = (schema, fields) {
        out.push_str("_: ");
        write_type(&mut out, json, 0);
    }
    out.push_str(") => any;\n\n");
    Some(out)
}

fn write_type(out: &mut String, json: &str, depth: u8) {
    let Some(
        [
            kind,
            _,
            properties,
            items,
            options,
            any_of,
            all_of,
            definitions,
            _,
            constant,
        ],
    ) = known(json, &SCHEMA).filter(|_| depth < MAX_DEPTH)
    else {
        out.push_str(json);
        return;
    };
    if let Some(values) = present(options).filter(|list| is_array(list)) {
        join(out, values, String::push_str);
    } else if let Some(value) = constant {
        out.push_str(value);
    } else if let Some(types) = present(any_of.or(all_of)).filter(|list| is_array(list)) {
        join(out, types, |out, option| write_type(out, option, depth + 1));
    } else if let Some(fields) = present(properties) {
        write_fields(out, fields, depth + 1);
    } else if let Some(element) = present(items) {
        write_type(out, element, depth + 1);
        out.push_str("[]");
    } else if let Some(types) = kind.filter(|list| is_array(list)) {
        join(out, types, |out, name| out.push_str(name.trim_matches('"')));
    } else {
        out.push_str(kind.map_or("any", |name| name.trim_matches('"')));
    }
    if let Some(defs) = present(definitions) {
        entries(defs, |name, definition| {
            let _ = write!(out, "\ntype {name} = ");
            write_type(out, definition, depth + 1);
        });
    }
}

fn write_fields(out: &mut String, fields: &str, depth: u8) {
    out.push_str("{\n");
    entries(fields, |name, field| {
        let parts = known(field, &SCHEMA);
        comment(out, parts.and_then(|[_, description, ..]| description));
        let _ = write!(out, "{name}: ");
        write_type(out, field, depth);
        let default = parts.and_then(|[.., default, _]| present(default));
        match default {
            Some(value) => {
                let _ = writeln!(out, ", // default: {value}");
            }
            None => out.push_str(",\n"),
        }
    });
    out.push('}');
}

fn join(out: &mut String, list: &str, mut each: impl FnMut(&mut String, &str)) {
    let _ = array(list, &At::ROOT, |index, element| {
        if index > 0 {
            out.push_str(" | ");
        }
        each(out, element);
        Ok(())
    });
}

fn comment(out: &mut String, description: Option<&str>) {
    for line in text(description).lines() {
        let _ = writeln!(out, "// {line}");
    }
}

fn text(json: Option<&str>) -> std::borrow::Cow<'_, str> {
    json.filter(|raw| is_string(raw)).map(decode).unwrap_or_default()
}

fn known<'a, const N: usize>(json: &'a str, names: &[&'static str; N]) -> Option<[Option<&'a str>; N]> {
    if !is_object(json) {
        return None;
    }
    super::fields::object(json, Naming::Proto, names, &At::ROOT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_becomes_a_type() {
        let tool = r#"{"type":"function","function":{"name":"weather","description":"Tells it","parameters":{
            "type":"object","properties":{"city":{"type":"string","description":"Where"},
            "unit":{"enum":["c","f"],"default":"c"},"days":{"type":"array","items":{"type":"integer"}}},
            "required":["city"]}}}"#;
        let text = typescript(tool).unwrap();
        assert_eq!(
            text,
            "// Tells it\ntype weather = (_: {\n// Where\ncity: string,\nunit: \"c\" | \"f\", // default: \"c\"\n\
             days: integer[],\n}) => any;\n\n"
        );
    }

    #[test]
    fn definitions_of_all_dialects_render_alike() {
        let schema = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
        let [chat, anthropic, gemini] = ["parameters", "input_schema", "parameters_json_schema"]
            .map(|name| typescript(&format!(r#"{{"name":"f","{name}":{schema}}}"#)));
        assert!(chat.is_some() && chat == anthropic && chat == gemini);
    }

    #[test]
    fn what_a_provider_brings_along_is_no_function() {
        for tool in [
            r#"{"type":"web_search"}"#,
            r#"{"googleSearch":{}}"#,
            "[]",
            "1",
            "\"x\"",
        ] {
            assert_eq!(typescript(tool), None, "{tool}");
        }
    }

    #[test]
    fn a_deep_schema_costs_no_stack() {
        let deep = [&r#"{"items":"#.repeat(50_000), "{}", &"}".repeat(50_000)].concat();
        assert!(
            typescript(&format!(
                r#"{{"name":"f","parameters":{{"properties":{{"a":{deep}}}}}}}"#
            ))
            .is_some()
        );
    }
}
