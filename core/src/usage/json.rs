//! A streaming JSON scanner: follows key paths through a document that arrives in pieces, and forgets the rest.
//!
//! What it looks for is a static tree of [`Node`]s. Values on the tree are handed to a [`Sink`], everything else
//! is skipped with a quote-to-quote loop. Memory is bounded by the largest limit of a [`super::tree::Slot`], whatever the document
//! holds. Bytes are never decoded as UTF-8, so a split character is no event. It is not a validator: what it
//! hands over is parsed by whoever takes it, and a document that is not JSON at all ends in silence.

use super::run::{Escape, Run, Shape, end_of_string, is_after_scalar};
use super::tree::{Node, Sink, Take};
use crate::words::quote_or_backslash;

/// How deep a tree of nodes may be.
const MAX_DEPTH: usize = 16;
/// The longest key, as it stands in the document, that can match: 24 characters, each as a `\uXXXX`.
const MAX_KEY: usize = 144;

/// The scanner: [`Scanner::push`] the pieces of one document, then [`Scanner::reset`] for the next.
#[derive(Debug)]
pub(crate) struct Scanner {
    root: &'static Node,
    state: State,
    /// The open containers that are on the tree.
    frames: [Frame; MAX_DEPTH],
    depth: usize,
    /// What the next value is to the tree.
    next: Option<&'static Node>,
    /// The value that is being run through.
    run: Run,
    /// A key or a captured value that did not arrive in one piece.
    held: Vec<u8>,
    /// Whether `held` would have become longer than its limit.
    too_long: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a value.
    Value,
    /// After `[`: before a value or the end.
    FirstItem,
    /// After `{` or `,` in an object: before a key or the end.
    Key,
    /// In a key.
    InKey,
    /// After a key.
    Colon,
    /// In a value that is taken or skipped as a whole.
    InValue,
    /// After a value that has neighbours.
    After,
    /// After the document.
    Done,
    /// This is not JSON.
    Broken,
}

#[derive(Clone, Copy)]
struct Frame {
    node: &'static Node,
    array: bool,
}

// === impl Scanner ===

impl Scanner {
    pub(crate) fn new(root: &'static Node) -> Self {
        Self {
            root,
            state: State::Value,
            frames: [Frame {
                node: root,
                array: false,
            }; MAX_DEPTH],
            depth: 0,
            next: Some(root),
            run: Run::of(Shape::Scalar, Take::Pass),
            held: Vec::new(),
            too_long: false,
        }
    }

    /// Forgets the document.
    pub(crate) fn reset(&mut self) {
        self.state = State::Value;
        self.depth = 0;
        self.next = Some(self.root);
        self.run.escape = Escape::Outside;
        self.held.clear();
        self.too_long = false;
    }

    /// Whether the document's last byte has been seen.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next piece of the document.
    pub(crate) fn push(&mut self, piece: &[u8], sink: &mut impl Sink) {
        let mut rest = piece;
        while let [first, tail @ ..] = rest {
            rest = match self.state {
                State::Done | State::Broken => return,
                State::InKey => self.key(rest),
                State::InValue => self.value(rest, 0, sink),
                _ if matches!(first, b' ' | b'\n' | b'\r' | b'\t') => tail,
                State::FirstItem if *first == b']' => self.close(tail, sink),
                State::Value | State::FirstItem => self.begin(rest, *first, sink),
                State::Key => match first {
                    b'"' => self.members(rest),
                    b'}' => self.close(tail, sink),
                    _ => self.give_up(),
                },
                State::Colon if *first == b':' => {
                    self.state = State::Value;
                    tail
                }
                State::Colon => self.give_up(),
                State::After => self.after(tail, *first, sink),
            };
        }
    }

    fn top(&self) -> Option<Frame> {
        self.frames.get(self.depth.checked_sub(1)?).copied()
    }

    fn give_up(&mut self) -> &'static [u8] {
        self.state = State::Broken;
        &[]
    }

    /// Leaves a container.
    fn close<'a>(&mut self, tail: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if let Some(frame) = self.top()
            && let Some(unit) = frame.node.unit.filter(|_| !frame.array)
        {
            sink.end_of(unit);
        }
        self.depth = self.depth.saturating_sub(1);
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::After
        };
        tail
    }

    /// Between two values of a container.
    fn after<'a>(&mut self, tail: &'a [u8], byte: u8, sink: &mut impl Sink) -> &'a [u8] {
        let Some(frame) = self.top() else {
            return self.give_up();
        };
        match (byte, frame.array) {
            (b',', true) => {
                self.next = frame.node.items;
                self.state = State::Value;
                tail
            }
            (b',', false) => {
                self.state = State::Key;
                tail
            }
            (b']', true) | (b'}', false) => self.close(tail, sink),
            _ => self.give_up(),
        }
    }

    /// At the first byte of a value: descends into it or starts its run.
    fn begin<'a>(&mut self, rest: &'a [u8], first: u8, sink: &mut impl Sink) -> &'a [u8] {
        if let Some(node) = self.next {
            let array = first == b'[' && node.items.is_some();
            if array || (first == b'{' && !node.keys.is_empty()) {
                return self.descend(rest, node, array);
            }
        }
        let shape = match first {
            b'"' => Shape::Text,
            b'{' | b'[' => Shape::Nested,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Shape::Scalar,
            _ => return self.give_up(),
        };
        self.run = Run::of(shape, self.next.map_or(Take::Pass, |node| node.take));
        self.state = State::InValue;
        self.value(rest, usize::from(shape != Shape::Scalar), sink)
    }

    fn descend<'a>(&mut self, rest: &'a [u8], node: &'static Node, array: bool) -> &'a [u8] {
        let Some(frame) = self.frames.get_mut(self.depth) else {
            debug_assert!(false, "a tree of nodes is deeper than {MAX_DEPTH}");
            return self.give_up();
        };
        *frame = Frame { node, array };
        self.depth += 1;
        self.next = node.items;
        self.state = if array { State::FirstItem } else { State::Key };
        rest.get(1..).unwrap_or_default()
    }

    /// At a key. Members that lie whole in this piece and are not on the tree are gone over at once.
    fn members<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut at_key = rest;
        if let Some(frame) = self.top() {
            while let Some((key, value)) = member(at_key) {
                if let Some(node) = frame.node.child(key) {
                    self.next = Some(node);
                    self.state = State::Value;
                    return value;
                }
                let Some(next) = after_value(value) else { break };
                at_key = next;
            }
        }
        match at_key {
            [b'"', tail @ ..] => {
                self.state = State::InKey;
                self.key(tail)
            }
            _ => at_key,
        }
    }

    /// Within a key, after its opening quote.
    fn key<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some(end) = end_of_string(rest, &mut self.run.escape) else {
            self.hold(rest, MAX_KEY);
            return &[];
        };
        let (with_quote, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        let node = self.top().map(|frame| frame.node);
        self.next = if self.held.is_empty() && !self.too_long {
            node.and_then(|parent| find(parent, with_quote))
        } else {
            self.hold(with_quote, MAX_KEY);
            let found = node
                .filter(|_| !self.too_long)
                .and_then(|parent| find(parent, &self.held));
            self.held.clear();
            self.too_long = false;
            found
        };
        // As most documents are written, the colon is next.
        if let [b':', value @ ..] = tail {
            self.state = State::Value;
            return value;
        }
        self.state = State::Colon;
        tail
    }

    /// Within a value, of which `opened` bytes at the start of `rest` are its opening bracket or quote.
    fn value<'a>(&mut self, rest: &'a [u8], opened: usize, sink: &mut impl Sink) -> &'a [u8] {
        let body = rest.get(opened..).unwrap_or_default();
        let (used, ended, counted) = self.run.advance(body);
        let (part, tail) = rest.split_at_checked(opened + used).unwrap_or((rest, &[]));
        match self.run.take {
            Take::Pass => {}
            Take::Count => {
                // A bare `null` is no text.
                let bytes = match self.run.shape {
                    Shape::Text => counted,
                    Shape::Nested => part.len() as u64,
                    Shape::Scalar => 0,
                };
                if bytes > 0 {
                    sink.text(bytes);
                }
            }
            Take::Copy(_) if self.run.shape == Shape::Scalar => {}
            Take::Copy(voice) => sink.copy(voice, self.run.shape, part, ended),
            Take::Whole(slot) if ended && self.held.is_empty() && !self.too_long => {
                sink.value(slot, if part.len() > slot.limit() { &[] } else { part });
            }
            Take::Whole(slot) => {
                self.hold(part, slot.limit());
                if ended {
                    sink.value(slot, if self.too_long { &[] } else { &self.held });
                    self.held.clear();
                    self.too_long = false;
                }
            }
        }
        if !ended {
            return tail;
        }
        if self.depth == 0 {
            self.state = State::Done;
            return tail;
        }
        match tail {
            // As most documents are written, the next member or element follows.
            [b',', next @ ..] => self.after(next, b',', sink),
            _ => {
                self.state = State::After;
                tail
            }
        }
    }

    fn hold(&mut self, part: &[u8], limit: usize) {
        if self.too_long || self.held.len().saturating_add(part.len()) > limit {
            self.too_long = true;
            self.held.clear();
        } else {
            self.held.extend_from_slice(part);
        }
    }
}

// === impl Frame ===

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("array", &self.array)
            .finish_non_exhaustive()
    }
}

/// The key of a member, and its value with all that follows; `None` where the key is written in an unusual way or does
/// not end in this piece.
fn member(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let tail = rest.strip_prefix(b"\"")?;
    let (key, tail) = tail.split_at_checked(quote_or_backslash(tail)?)?;
    Some((key, tail.strip_prefix(b"\":")?))
}

/// What follows the value of a member that is not on the tree, and its comma; `None` where the member is written in an
/// unusual way, is the last or does not end in this piece.
fn after_value(value: &[u8]) -> Option<&[u8]> {
    let used = match value {
        [b'"', text @ ..] => 1 + end_of_string(text, &mut Escape::Outside)?,
        [b'{' | b'[', nested @ ..] => 1 + Run::of(Shape::Nested, Take::Pass).end_of_nested(nested)?,
        [b'-' | b'0'..=b'9' | b't' | b'f' | b'n', ..] => {
            value.iter().position(|byte| is_after_scalar(*byte))?
        }
        _ => return None,
    };
    value.get(used..)?.strip_prefix(b",")
}

/// The child of `parent` under a key as it stands in the document, with its closing quote.
fn find(parent: &'static Node, with_quote: &[u8]) -> Option<&'static Node> {
    let raw = with_quote.strip_suffix(b"\"")?;
    let found = parent.child(raw);
    if found.is_some() || raw.len() > MAX_KEY || !raw.contains(&b'\\') {
        return found;
    }
    let quoted = [b"\"", with_quote].concat();
    let key: String = serde_json::from_slice(&quoted).ok()?;
    parent.child(key.as_bytes())
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
