//! What the mock says, before any dialect gives it a form.
//!
//! A last user message of `echo TEXT` is answered with `TEXT`, `words N` with N words; anything else with a
//! sentence that quotes it. A tool is called where the request demands one.

use serde_json::{Map, Value, json};

use crate::tokens;

/// A request, read by its dialect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    pub(crate) model: String,
    /// The texts of all messages, in their order.
    pub(crate) prompt: Vec<String>,
    /// The text of the last message.
    pub(crate) last: String,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stream: bool,
    pub(crate) tools: Vec<Tool>,
    pub(crate) demand: Demand,
}

/// A tool that the request offers.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// JSON Schema of its arguments.
    pub(crate) schema: Value,
}

/// Whether the request demands a tool call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Demand {
    #[default]
    No,
    Any,
    Named(String),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) call: Option<Call>,
    /// Whether `max_tokens` cut the text.
    pub(crate) cut: bool,
    pub(crate) usage: Usage,
}

/// A tool call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// Tokens as OpenAI counts them: the last three are parts of the first two.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached: u64,
    pub(crate) cache_creation: u64,
    pub(crate) reasoning: u64,
}

// === impl Ask ===

impl Ask {
    /// Answers the request; `big` asks for a text of that many bytes.
    pub(crate) fn answer(&self, big: Option<usize>) -> Answer {
        let input = tokens::count_prompt(&self.model, &self.prompt);
        if let Some(call) = self.call() {
            let output = tokens::count(&self.model, &call.arguments.to_string()) + 8;
            return Answer {
                text: String::new(),
                call: Some(call),
                cut: false,
                usage: Usage {
                    input,
                    output,
                    ..Usage::default()
                },
            };
        }
        let whole = big.map_or_else(|| self.says(), |bytes| "mock ".repeat(bytes.div_ceil(5)));
        let (text, cut) = self.clamp(&whole);
        let output = tokens::count(&self.model, &text).max(1);
        Answer {
            text,
            call: None,
            cut,
            usage: Usage {
                input,
                output,
                ..Usage::default()
            },
        }
    }

    fn says(&self) -> String {
        if let Some(echoed) = self.last.strip_prefix("echo ") {
            return echoed.to_owned();
        }
        if let Some(count) = self
            .last
            .strip_prefix("words ")
            .and_then(|n| n.trim().parse::<usize>().ok())
        {
            return "word ".repeat(count.min(1_000_000)).trim_end().to_owned();
        }
        let quoted: String = self.last.chars().take(200).collect();
        format!("Hello from the mock provider. You said: {quoted}")
    }

    /// The longest run of whole pieces that `max_tokens` allows, and whether anything was left out.
    fn clamp(&self, whole: &str) -> (String, bool) {
        let Some(max) = self
            .max_tokens
            .filter(|max| tokens::count(&self.model, whole) > *max)
        else {
            return (whole.to_owned(), false);
        };
        let all = pieces(whole);
        let (mut fits, mut too_many) = (0, all.len());
        while too_many - fits > 1 {
            let middle = fits.midpoint(too_many);
            let text: String = all.iter().take(middle).copied().collect();
            if tokens::count(&self.model, &text) <= max {
                fits = middle;
            } else {
                too_many = middle;
            }
        }
        (all.into_iter().take(fits).collect(), true)
    }

    fn call(&self) -> Option<Call> {
        let tool = match &self.demand {
            Demand::No => None,
            Demand::Any => self.tools.first(),
            Demand::Named(name) => self.tools.iter().find(|tool| tool.name == *name),
        }?;
        Some(Call {
            name: tool.name.clone(),
            arguments: sample(&tool.schema),
        })
    }
}

/// A text cut before each space: what one streamed event carries.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let starts = text.match_indices(' ').map(|(at, _)| at).filter(|at| *at > 0);
    let mut found = Vec::new();
    let mut from = 0;
    for at in starts.chain([text.len()]) {
        found.extend(text.get(from..at).filter(|piece| !piece.is_empty()));
        from = at;
    }
    found
}

/// A value that a JSON Schema accepts, as far as tools need it: every property is filled.
fn sample(schema: &Value) -> Value {
    if let Some(first) = schema
        .get("enum")
        .and_then(Value::as_array)
        .and_then(|values| values.first())
    {
        return first.clone();
    }
    // Gemini writes types in capitals.
    let kind = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("object")
        .to_ascii_lowercase();
    match kind.as_str() {
        "string" => json!("mock"),
        "integer" => json!(1),
        "number" => json!(1.5),
        "boolean" => json!(true),
        "array" => Value::Array(schema.get("items").map(sample).into_iter().collect()),
        "null" => Value::Null,
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let filled = properties
                .into_iter()
                .flatten()
                .map(|(name, of)| (name.clone(), sample(of)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(last: &str, max_tokens: Option<u64>) -> Ask {
        Ask {
            model: "gpt-4o".into(),
            last: last.into(),
            prompt: vec![last.into()],
            max_tokens,
            ..Ask::default()
        }
    }

    #[test]
    fn the_pieces_of_a_text_are_the_text() {
        for text in ["", " ", "one", "one two", "  two  spaces ", "é ü 漢 字"] {
            assert_eq!(pieces(text).concat(), text);
        }
    }

    #[test]
    fn max_tokens_cuts_the_answer() {
        let answer = ask("words 1000", Some(10)).answer(None);
        assert!(answer.cut);
        assert!((1..=10).contains(&answer.usage.output), "{}", answer.usage.output);
    }

    #[test]
    fn a_demanded_tool_is_called_with_arguments_of_its_schema() {
        let mut with_tool = ask("hello", None);
        with_tool.tools = vec![Tool {
            name: "weather".into(),
            schema: json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}),
        }];
        with_tool.demand = Demand::Any;
        let call = with_tool.answer(None).call.unwrap();
        assert_eq!(call.arguments, json!({"city": "mock", "days": 1}));
    }
}
