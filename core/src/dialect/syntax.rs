//! The one full look at a body: whether it is a JSON object, and the values of its fields.
//!
//! Takes nothing that serde_json does not take, and says no to some things that it takes (nesting deeper than
//! [`MAX_DEPTH`], escapes in the names of the outermost fields): then serde_json is asked, which also words the error.

use crate::words::plain_len;

/// So many brackets are told apart by the bits of one number.
const MAX_DEPTH: u32 = u64::BITS;

/// A walk over JSON that is not known to be valid. Every step is `None` where it is not.
struct Walk<'a> {
    json: &'a str,
    at: usize,
}

/// An array of objects that was walked over field by field.
#[derive(Debug, Clone)]
pub(super) struct List<'a> {
    /// All of it.
    json: &'a str,
    /// Of each field, which element it is of, its key without the quotes, and its value.
    fields: Vec<(usize, &'a str, &'a str)>,
    elements: usize,
}

/// The kinds of the brackets that are open, innermost in the lowest bit.
#[derive(Default)]
struct Open {
    objects: u64,
    depth: u32,
}

/// Most fields of a list: where there are more, it is walked over once more when they are asked for.
const MAX_LISTED: usize = 256;

/// There is room for so many from the start: those of a conversation of eight messages.
const USUALLY_LISTED: usize = 16;

/// Calls `each` for the fields of the object that is all of `json`: for the key without its quotes, and for the value.
/// `None` where `json` is none, or where serde_json has to say; some fields may have been told then.
pub(crate) fn object<'a>(json: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut walk = Walk { json, at: 0 };
    walk.fields(|walk, key| {
        each(key, walk.value()?);
        Some(())
    })?;
    walk.end()
}

/// As [`object`], and the value of the field `name`, where that is a list of objects, and not too long.
pub(super) fn object_with_list<'a>(
    json: &'a str,
    name: &str,
    mut each: impl FnMut(&'a str, &'a str),
) -> Option<Option<List<'a>>> {
    let mut walk = Walk { json, at: 0 };
    let mut list = None;
    walk.fields(|walk, key| {
        if key == name && walk.next()? == b'[' {
            let (value, found) = walk.list()?;
            each(key, value);
            list = found;
        } else {
            each(key, walk.value()?);
        }
        Some(())
    })?;
    walk.end()?;
    Some(list)
}

// === impl List ===

impl<'a> List<'a> {
    /// Whether it is this array.
    pub(super) fn is(&self, json: &str) -> bool {
        std::ptr::eq(self.json, json)
    }

    /// How many objects are in it.
    pub(super) const fn len(&self) -> usize {
        self.elements
    }

    /// The fields of all, in order: which object each is of, its key without the quotes, and its value.
    pub(super) fn fields(&self) -> &[(usize, &'a str, &'a str)] {
        &self.fields
    }
}

// === impl Walk ===

impl<'a> Walk<'a> {
    /// The next byte that is no white space, which stands next then.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.next()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Passes white space and this byte.
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Passes white space, behind which there must be nothing.
    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    fn next(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    /// Passes a key and the colon behind it. The key without its quotes, if there is no escape in it.
    fn plain_key(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        self.at += plain_len(self.json.as_bytes().get(start..)?);
        let key = self.json.get(start..self.at)?;
        // Not behind white space: that is a control character here.
        (self.next()? == b'"').then(|| self.at += 1)?;
        self.expect(b':')?;
        Some(key)
    }

    /// Passes an object; `each` passes the value of each key.
    fn fields(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.plain_key()?;
            self.peek()?;
            each(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Passes an array, which begins here: all of it, and what is in it where that are objects.
    fn list(&mut self) -> Option<(&'a str, Option<List<'a>>)> {
        let start = self.at;
        let mut fields = Vec::with_capacity(USUALLY_LISTED);
        let (mut elements, mut is_list) = (0, true);
        self.at += 1;
        if self.peek()? == b']' {
            is_list = false;
        } else {
            loop {
                if self.peek()? == b'{' {
                    self.fields(|walk, key| {
                        let value = walk.value()?;
                        is_list &= fields.len() < MAX_LISTED;
                        if is_list {
                            fields.push((elements, key, value));
                        }
                        Some(())
                    })?;
                } else {
                    is_list = false;
                    self.value()?;
                }
                elements += 1;
                if self.peek()? != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.expect(b']')?;
        let json = self.json.get(start..self.at)?;
        let list = is_list.then_some(List {
            json,
            fields,
            elements,
        });
        Some((json, list))
    }

    /// Passes a value, which begins here.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.pass_value()?;
        self.json.get(start..self.at)
    }

    fn pass_value(&mut self) -> Option<()> {
        let mut open = Open::default();
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    if self.peek()? == closing(bracket) {
                        self.at += 1;
                    } else {
                        open.push(bracket == b'{')?;
                        self.key_in(&open)?;
                        continue;
                    }
                }
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => self.number()?,
            }
            while open.depth > 0 {
                let byte = self.peek()?;
                self.at += 1;
                match byte {
                    b',' => break,
                    b'}' if open.in_object() => open.pop(),
                    b']' if !open.in_object() => open.pop(),
                    _ => return None,
                }
            }
            if open.depth == 0 {
                return Some(());
            }
            self.key_in(&open)?;
        }
    }

    /// Passes the key of the next value, if the value is to stand in an object.
    fn key_in(&mut self, open: &Open) -> Option<()> {
        if !open.in_object() {
            return Some(());
        }
        (self.peek()? == b'"').then_some(())?;
        self.string()?;
        self.expect(b':')
    }

    /// Passes a string, which begins here.
    fn string(&mut self) -> Option<()> {
        let mut rest = self.json.as_bytes().get(self.at + 1..)?;
        loop {
            let (special, behind) = rest.get(plain_len(rest)..)?.split_first()?;
            rest = match special {
                b'"' => {
                    self.at = self.json.len() - behind.len();
                    return Some(());
                }
                b'\\' => escape(behind)?,
                _ => return None,
            };
        }
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        let rest = self.json.as_bytes().get(self.at..)?;
        rest.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        if self.next() == Some(b'-') {
            self.at += 1;
        }
        if self.next()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.next() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.next() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.next() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Passes digits, of which there must be one.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.next() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

// === impl Open ===

impl Open {
    const fn in_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    fn push(&mut self, is_object: bool) -> Option<()> {
        self.objects = self.objects << 1 | u64::from(is_object);
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    const fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }
}

const fn closing(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

/// What stands behind an escape whose backslash is passed.
fn escape(behind: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = behind.split_first()?;
    match kind {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(rest),
        b'u' => {
            let (digits, rest) = rest.split_first_chunk::<4>()?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(rest)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "syntax_tests.rs"]
mod tests;
