//! One section of a page: an object, its comment, its fields.

use std::fmt::Write as _;

use serde_json::Value;

use crate::kind;

/// An object of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    /// Where it stands: `limits[].match`; empty for the whole.
    pub(crate) path: String,
    /// The name of its definition; empty for the whole.
    pub(crate) name: &'a str,
    pub(crate) schema: &'a Value,
    /// Its fields, in the order in which they are shown.
    pub(crate) fields: Vec<(&'a str, &'a Value)>,
}

// === impl Section ===

impl Section<'_> {
    /// The heading's text.
    pub(crate) fn heading(&self) -> String {
        if self.path.is_empty() {
            "All fields".to_owned()
        } else {
            format!("`{}`", self.path)
        }
    }

    /// The section in Markdown.
    pub(crate) fn render(&self, root: &Value, link: &dyn Fn(&str) -> String) -> String {
        let depth = self.path.replace(".*", "").matches('.').count();
        let level = "#".repeat(2 + depth.min(2));
        let mut out = format!("{level} {}\n\n", self.heading());
        let (prose, example) = split_example(text(self.schema));
        let _ = writeln!(out, "{prose}\n");
        if let Some(example) = example {
            let _ = writeln!(out, "```yaml\n{example}```\n");
        }
        out.push_str("| field | type | default | |\n|---|---|---|---|\n");
        for (name, field) in &self.fields {
            let _ = writeln!(
                out,
                "| `{name}` | {} | {} | {} |",
                kind::describe(root, field, link),
                self.default_of(name, field),
                one_line(text(field)),
            );
        }
        for (name, field) in &self.fields {
            out.push_str(&values(root, name, field));
        }
        out
    }

    fn default_of(&self, name: &str, field: &Value) -> String {
        let required = self.schema.get("required").and_then(Value::as_array);
        if required.is_some_and(|names| names.iter().any(|required| required == name)) {
            return "required".to_owned();
        }
        match field.get("default") {
            None | Some(Value::Null) => "–".to_owned(),
            Some(Value::Array(items)) if items.is_empty() => "–".to_owned(),
            Some(Value::Object(fields)) if fields.is_empty() => "–".to_owned(),
            Some(Value::Array(items)) => {
                let items: Vec<String> = items.iter().map(kind::plain).collect();
                format!("`[{}]`", items.join(", "))
            }
            Some(value) => format!("`{}`", kind::plain(value)),
        }
    }
}

/// What each of a field's named values means, where that is said.
fn values(root: &Value, name: &str, field: &Value) -> String {
    let inner = kind::unwrapped(field);
    let items = inner
        .get("items")
        .or_else(|| inner.get("additionalProperties"))
        .unwrap_or(inner);
    let Some(target) = kind::reference(items).and_then(|name| kind::definition(root, name)) else {
        return String::new();
    };
    let mut out = String::new();
    for choice in kind::choices(target).filter(|choice| choice.get("const").is_some()) {
        let meaning = one_line(text(choice));
        if !meaning.is_empty() {
            let value = choice.get("const").map(kind::plain).unwrap_or_default();
            let _ = writeln!(out, "- `{name}: {value}`: {meaning}");
        }
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

fn text(schema: &Value) -> &str {
    schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A comment and the example in it.
fn split_example(comment: &str) -> (String, Option<&str>) {
    let Some((before, rest)) = comment.split_once("```yaml\n") else {
        return (comment.trim().to_owned(), None);
    };
    let (example, after) = rest.split_once("```").unwrap_or((rest, ""));
    (
        format!("{}\n{}", before.trim(), after.trim()).trim().to_owned(),
        Some(example),
    )
}

/// For a table's cell.
fn one_line(comment: &str) -> String {
    let words: Vec<&str> = comment.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
