//! One page: what a person wrote, then a section for each object.

use std::collections::VecDeque;

use serde_json::Value;

use crate::kind;
use crate::order::Order;
use crate::section::Section;

/// A page of the reference.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    intro: &'static str,
    root: &'a Value,
    sections: Vec<Section<'a>>,
}

// === impl Page ===

impl<'a> Page<'a> {
    /// Finds the objects of the schema of the type `name`, in the order of their fields, each once.
    pub(crate) fn new(intro: &'static str, name: &'a str, root: &'a Value, order: &Order) -> Self {
        let mut sections = Vec::new();
        let mut waiting = VecDeque::from([Section {
            path: String::new(),
            name,
            schema: root,
            fields: fields(name, root, order),
        }]);
        while let Some(section) = waiting.pop_front() {
            if sections
                .iter()
                .any(|known: &Section<'_>| known.name == section.name)
            {
                continue;
            }
            let mut below = Vec::new();
            for (field, schema) in &section.fields {
                for (suffix, target) in kind::object_in(root, schema) {
                    let Some(object) = kind::definition(root, target) else {
                        continue;
                    };
                    let dot = if section.path.is_empty() { "" } else { "." };
                    below.push(Section {
                        path: format!("{}{dot}{field}{suffix}", section.path),
                        name: target,
                        schema: object,
                        fields: fields(target, object, order),
                    });
                }
            }
            // Depth first: what is inside an object comes right after it.
            for section in below.into_iter().rev() {
                waiting.push_front(section);
            }
            sections.push(section);
        }
        Self {
            intro,
            root,
            sections,
        }
    }

    /// The page in Markdown.
    pub(crate) fn render(&self) -> String {
        let link = |name: &str| match self.sections.iter().find(|section| section.name == name) {
            Some(section) => format!("[{}](#{})", section.heading(), anchor(&section.heading())),
            None => name.to_owned(),
        };
        let mut out = self.intro.to_owned();
        for section in &self.sections {
            out.push('\n');
            out.push_str(&section.render(self.root, &link));
        }
        out
    }
}

fn fields<'a>(name: &str, schema: &'a Value, order: &Order) -> Vec<(&'a str, &'a Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut fields: Vec<(&str, &Value)> = properties
        .into_iter()
        .flatten()
        .map(|(field, schema)| (field.as_str(), schema))
        .collect();
    fields.sort_by_key(|(field, _)| order.position(name, field));
    fields
}

/// The anchor that a heading gets: lower case, without punctuation but hyphens and underscores.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .map(|c| if c == ' ' { '-' } else { c })
        .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        .collect()
}
