//! Where what is said stands in the answers of each dialect.

use crate::usage::facts::Protocol;
use crate::usage::tree::{Node, Slot, Take, Unit, Voice};

static TEXT: Node = Node::copied(Voice::Text);
static THINKING: Node = Node::copied(Voice::Thinking);
static NAME: Node = Node::copied(Voice::Name);
static ARGUMENTS: Node = Node::copied(Voice::Arguments);

/// A chat completion, a chunk of one, or a legacy completion.
static COMPLETION: Node = Node::object(&[("choices", &Node::array(&CHOICE))]);

static CHOICE: Node = Node::unit(
    Unit::Choice,
    &[
        ("index", &Node::whole(Slot::Index)),
        ("delta", &MESSAGE),
        ("message", &MESSAGE),
        ("text", &TEXT),
    ],
);

static MESSAGE: Node = Node::object(&[
    ("content", &CONTENT),
    // DeepSeek and others; OpenRouter and Groq.
    ("reasoning_content", &THINKING),
    ("reasoning", &THINKING),
    ("refusal", &TEXT),
    (
        "tool_calls",
        &Node::array(&Node::object(&[("function", &FUNCTION), ("custom", &FUNCTION)])),
    ),
    ("function_call", &FUNCTION),
]);

/// A string, or a list of parts (Mistral).
static CONTENT: Node = Node {
    take: Take::Copy(Voice::Text),
    keys: &[],
    items: Some(&Node::object(&[
        ("text", &TEXT),
        (
            "thinking",
            &Node {
                take: Take::Copy(Voice::Thinking),
                keys: &[],
                items: Some(&Node::object(&[("text", &THINKING)])),
                unit: None,
            },
        ),
        ("refusal", &TEXT),
    ])),
    unit: None,
};

static FUNCTION: Node = Node::object(&[("name", &NAME), ("arguments", &ARGUMENTS), ("input", &ARGUMENTS)]);

/// A Responses object, or an event of its stream: deltas, the names of items that begin, and at the end the whole.
static RESPONSE: Node = Node::object(&[
    ("type", &Node::whole(Slot::Kind)),
    ("delta", &Node::copied(Voice::Delta)),
    ("item", &Node::object(&[("name", &NAME)])),
    ("response", &Node::object(&[("output", &OUTPUT)])),
    ("output", &OUTPUT),
]);

static OUTPUT: Node = Node::array(&Node::unit(
    Unit::Item,
    &[
        ("type", &Node::whole(Slot::ItemKind)),
        ("summary", &Node::array(&Node::object(&[("text", &THINKING)]))),
        (
            "content",
            &Node::array(&Node::object(&[
                ("text", &TEXT),
                ("refusal", &TEXT),
                ("transcript", &TEXT),
            ])),
        ),
        ("name", &NAME),
        ("arguments", &ARGUMENTS),
        ("input", &ARGUMENTS),
        ("code", &ARGUMENTS),
    ],
));

/// A message, or an event of its stream.
static MESSAGES: Node = Node::object(&[
    ("content_block", &Node::object(BLOCK)),
    (
        "delta",
        &Node::object(&[
            ("text", &TEXT),
            ("thinking", &THINKING),
            ("partial_json", &ARGUMENTS),
        ]),
    ),
    (
        "content",
        &Node::array(&Node::object(&[
            ("text", &TEXT),
            ("thinking", &THINKING),
            ("name", &NAME),
            ("input", &ARGUMENTS),
        ])),
    ),
]);

/// What a block begins with; a tool's input, empty here, comes in deltas.
static BLOCK: &[(&str, &Node)] = &[("text", &TEXT), ("thinking", &THINKING), ("name", &NAME)];

/// An answer, or an array of them.
static GEMINI: Node = Node {
    take: Take::Pass,
    keys: GEMINI_KEYS,
    items: Some(&Node::object(GEMINI_KEYS)),
    unit: None,
};

static GEMINI_KEYS: &[(&str, &Node)] = &[("candidates", &Node::array(&CANDIDATE))];

static CANDIDATE: Node = Node::unit(
    Unit::Choice,
    &[
        ("index", &Node::whole(Slot::Index)),
        ("content", &Node::object(&[("parts", &Node::array(&PART))])),
    ],
);

static PART: Node = Node::unit(
    Unit::Part,
    &[
        ("thought", &Node::whole(Slot::Thought)),
        ("text", &TEXT),
        (
            "functionCall",
            &Node::object(&[("name", &NAME), ("args", &ARGUMENTS)]),
        ),
        ("executableCode", &Node::object(&[("code", &ARGUMENTS)])),
        ("codeExecutionResult", &Node::object(&[("output", &TEXT)])),
    ],
);

/// Where a format has what is said; `None` where nothing is.
pub(super) fn of(protocol: Protocol) -> Option<&'static Node> {
    match protocol {
        Protocol::Completion => Some(&COMPLETION),
        Protocol::Response => Some(&RESPONSE),
        Protocol::Message => Some(&MESSAGES),
        Protocol::Gemini => Some(&GEMINI),
        Protocol::Embeddings => None,
    }
}
