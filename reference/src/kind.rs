//! What may stand in a field, in words.

use serde_json::Value;

/// Where the definitions of a schema are.
const DEFINITIONS: &str = "#/definitions/";

/// A schema without what wraps it: one that is `null` or something is that something.
pub(crate) fn unwrapped(schema: &Value) -> &Value {
    let only = |name: &str| match schema.get(name).and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => Some(one),
        Some([one, null]) if null.get("type").is_some_and(|kind| kind == "null") => Some(one),
        _ => None,
    };
    only("allOf").or_else(|| only("anyOf")).unwrap_or(schema)
}

/// The name of the definition that a schema refers to.
pub(crate) fn reference(schema: &Value) -> Option<&str> {
    unwrapped(schema).get("$ref")?.as_str()?.strip_prefix(DEFINITIONS)
}

/// The schema that a name refers to.
pub(crate) fn definition<'a>(root: &'a Value, name: &str) -> Option<&'a Value> {
    root.get("definitions")?.get(name)
}

/// The object that a field holds, directly, in a list or in a map: how it is reached from the field (``, `[]`,
/// `.*`), and the name of its definition.
pub(crate) fn object_in<'a>(root: &'a Value, schema: &'a Value) -> Vec<(&'static str, &'a str)> {
    let inner = unwrapped(schema);
    if let Some(name) = reference(inner) {
        let Some(target) = definition(root, name) else {
            return Vec::new();
        };
        return match target.get("properties") {
            Some(_) => vec![("", name)],
            None => object_in(root, target),
        };
    }
    let below = |suffix: &'static str, part: Option<&'a Value>| {
        let found = part.map(|part| object_in(root, part)).unwrap_or_default();
        found.into_iter().map(move |(_, name)| (suffix, name))
    };
    let mut found: Vec<_> = below("[]", inner.get("items"))
        .chain(below(".*", inner.get("additionalProperties")))
        .collect();
    for choice in choices(inner) {
        found.extend(object_in(root, choice));
        for part in choice
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            found.extend(object_in(root, part.1));
        }
    }
    found
}

/// The alternatives of a schema that has some.
pub(crate) fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| schema.get(name).and_then(Value::as_array);
    list("oneOf").or_else(|| list("anyOf")).into_iter().flatten()
}

/// What a value may be. `link` turns the name of an object's definition into a link to its section.
pub(crate) fn describe(root: &Value, schema: &Value, link: &dyn Fn(&str) -> String) -> String {
    let inner = unwrapped(schema);
    match reference(inner) {
        Some("Span") => return "[span of time](#how-values-are-written)".to_owned(),
        Some("Glob") => return "[glob](#how-values-are-written)".to_owned(),
        Some(name) => {
            return match definition(root, name) {
                Some(target) if target.get("properties").is_some() => link(name),
                Some(target) => describe(root, target, link),
                None => name.to_owned(),
            };
        }
        None => {}
    }
    if let Some(value) = inner.get("const") {
        return format!("`{}`", plain(value));
    }
    if let Some(values) = inner.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", plain(value))).collect();
        return values.join(", ");
    }
    let parts: Vec<String> = choices(inner)
        .map(|choice| describe(root, choice, link))
        .collect();
    if let [first @ .., last] = parts.as_slice() {
        return if first.is_empty() {
            last.clone()
        } else {
            format!("{} or {last}", first.join(", "))
        };
    }
    match primitive(inner) {
        "array" => {
            let items = inner.get("items").map(|items| describe(root, items, link));
            format!("list of {}", items.unwrap_or_else(|| "anything".to_owned()))
        }
        "object" => object(root, inner, link),
        "string" if inner.get("format").is_some_and(|format| format == "date-time") => {
            "[time](#how-values-are-written)".to_owned()
        }
        "string" if inner.get("pattern").is_some() => "64 hex digits".to_owned(),
        other => other.to_owned(),
    }
}

/// A JSON value as a person writes it in YAML.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn object(root: &Value, schema: &Value, link: &dyn Fn(&str) -> String) -> String {
    if let Some(values) = schema
        .get("additionalProperties")
        .filter(|values| values.is_object())
    {
        return format!("map of names to {}", describe(root, values, link));
    }
    let fields = schema.get("properties").and_then(Value::as_object);
    let fields: Vec<String> = fields
        .into_iter()
        .flatten()
        .map(|(name, field)| format!("`{name}:` {}", describe(root, field, link)))
        .collect();
    fields.join(", ")
}

/// The JSON type, `null` left out.
fn primitive(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or("null")
        }
        _ => "anything",
    }
}
