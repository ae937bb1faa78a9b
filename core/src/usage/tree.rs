//! What to look for in a JSON document: a static tree of key paths, and who receives what stands there.

/// What to do with the value at one place of a document.
pub(super) struct Node {
    /// What is wanted of the value as a whole.
    pub(super) take: Take,
    /// Where it goes on if the value is an object.
    pub(super) keys: &'static [(&'static str, &'static Node)],
    /// Where it goes on if the value is an array: the same for each element.
    pub(super) items: Option<&'static Node>,
}

/// What is wanted of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// Nothing, or what the node's `keys` and `items` say.
    Pass,
    /// How many bytes of text it holds: of a string its characters in UTF-8, of anything else its JSON.
    Count,
    /// Its JSON.
    Whole(Slot),
}

/// The values that a [`Sink`] receives as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The usage object.
    Usage,
    /// The model that answered.
    Model,
    /// The type of an event.
    Kind,
    /// Why the answer ended; null while it goes on.
    Finish,
    /// An error; null where there is none.
    Error,
}

/// Receives what the scanner finds, in the order of the document.
pub(super) trait Sink {
    /// The JSON of a value; empty where it was longer than the slot's limit.
    fn value(&mut self, slot: Slot, json: &[u8]);

    /// So many more bytes of counted text.
    fn text(&mut self, bytes: u64);
}

// === impl Node ===

impl Node {
    /// A value of which only a part is of interest.
    pub(super) const fn object(keys: &'static [(&'static str, &'static Node)]) -> Self {
        Self {
            take: Take::Pass,
            keys,
            items: None,
        }
    }

    /// An array whose elements are of interest.
    pub(super) const fn array(items: &'static Self) -> Self {
        Self {
            take: Take::Pass,
            keys: &[],
            items: Some(items),
        }
    }

    /// A value that is handed over whole.
    pub(super) const fn whole(slot: Slot) -> Self {
        Self {
            take: Take::Whole(slot),
            keys: &[],
            items: None,
        }
    }

    /// Text that is counted.
    pub(super) const fn counted() -> Self {
        Self {
            take: Take::Count,
            keys: &[],
            items: None,
        }
    }

    /// Where the tree goes on under a key.
    pub(super) fn child(&self, key: &[u8]) -> Option<&'static Self> {
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
    pub(super) const fn limit(self) -> usize {
        match self {
            Self::Usage => 32 * 1024,
            Self::Error => 8 * 1024,
            Self::Model => 512,
            Self::Kind | Self::Finish => 128,
        }
    }
}
