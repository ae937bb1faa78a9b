//! What to look for in a JSON document: a static tree of key paths, and who receives what stands there.

use super::run::Shape;

/// What to do with the value at one place of a document.
pub(crate) struct Node {
    /// What is wanted of the value as a whole.
    pub(crate) take: Take,
    /// Where it goes on if the value is an object.
    pub(crate) keys: &'static [(&'static str, &'static Node)],
    /// Where it goes on if the value is an array: the same for each element.
    pub(crate) items: Option<&'static Node>,
    /// What an object here is, where its end is of interest.
    pub(crate) unit: Option<Unit>,
}

/// What is wanted of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// Nothing, or what the node's `keys` and `items` say.
    Pass,
    /// How many bytes of text it holds: of a string its characters in UTF-8, of anything else its JSON.
    Count,
    /// Its JSON.
    Whole(Slot),
    /// Its JSON too, but piece by piece, however long it is. Numbers and the like are none of it.
    Copy(Voice),
}

/// The values that a [`Sink`] receives as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The usage object.
    Usage,
    /// The model that answered.
    Model,
    /// The service tier by which it was served.
    ServiceTier,
    /// The type of an event.
    Kind,
    /// Why the answer ended; null while it goes on.
    Finish,
    /// An error; null where there is none.
    Error,
    /// Which of several answers a choice belongs to.
    Index,
    /// The type of an item of an answer.
    ItemKind,
    /// Whether a part is a thought.
    Thought,
}

/// What copied text is to whoever reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// What is said.
    Text,
    /// What was thought before.
    Thinking,
    /// The name of a tool that is called.
    Name,
    /// What it is called with.
    Arguments,
    /// As the type of the event says.
    Delta,
}

/// An object whose end a [`Sink`] is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// One of several answers to a prompt, or a piece of it.
    Choice,
    /// An item of an answer, which bears its own type.
    Item,
    /// A part of an answer, which may be a thought.
    Part,
}

/// Receives what the scanner finds, in the order of the document.
pub(crate) trait Sink {
    /// The JSON of a value; empty where it was longer than the slot's limit.
    fn value(&mut self, slot: Slot, json: &[u8]);

    /// So many more bytes of counted text.
    fn text(&mut self, bytes: u64);

    /// The next bytes of the JSON of a value that is copied, quotes and brackets included; `ended` with the last.
    fn copy(&mut self, voice: Voice, shape: Shape, part: &[u8], ended: bool) {
        let _ = (voice, shape, part, ended);
    }

    /// An object of this kind is over.
    fn end_of(&mut self, unit: Unit) {
        let _ = unit;
    }
}

// === impl Node ===

impl Node {
    /// A value of which only a part is of interest.
    pub(crate) const fn object(keys: &'static [(&'static str, &'static Node)]) -> Self {
        Self {
            take: Take::Pass,
            keys,
            items: None,
            unit: None,
        }
    }

    /// An array whose elements are of interest.
    pub(crate) const fn array(items: &'static Self) -> Self {
        Self {
            take: Take::Pass,
            keys: &[],
            items: Some(items),
            unit: None,
        }
    }

    /// A value that is handed over whole.
    pub(crate) const fn whole(slot: Slot) -> Self {
        Self {
            take: Take::Whole(slot),
            keys: &[],
            items: None,
            unit: None,
        }
    }

    /// An object of which only a part is of interest, and its end.
    pub(crate) const fn unit(unit: Unit, keys: &'static [(&'static str, &'static Self)]) -> Self {
        Self {
            unit: Some(unit),
            ..Self::object(keys)
        }
    }

    /// Text that is copied.
    pub(crate) const fn copied(voice: Voice) -> Self {
        Self {
            take: Take::Copy(voice),
            ..Self::object(&[])
        }
    }

    /// Text that is counted.
    pub(crate) const fn counted() -> Self {
        Self {
            take: Take::Count,
            keys: &[],
            items: None,
            unit: None,
        }
    }

    /// Where the tree goes on under a key.
    pub(crate) fn child(&self, key: &[u8]) -> Option<&'static Self> {
        self.keys
            .iter()
            .find_map(|(name, node)| (name.as_bytes() == key).then_some(*node))
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("take", &self.take)
            .finish_non_exhaustive()
    }
}

// === impl Slot ===

impl Slot {
    /// The longest JSON that is handed over, in bytes.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Usage => 32 * 1024,
            Self::Error => 8 * 1024,
            Self::Model => 512,
            Self::ServiceTier | Self::Kind | Self::Finish | Self::ItemKind => 128,
            Self::Index | Self::Thought => 16,
        }
    }
}
