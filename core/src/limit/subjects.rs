//! Whom requests count for: the hash of the values of a `per`, kept in mind, as a hash costs more than to look it up.

use std::cell::RefCell;

use hashbrown::HashMap;
use sha2::{Digest as _, Sha256};

use crate::table::Subject;

/// How many subjects a worker keeps in mind for a `per`, and how long their values may be together: a few hundred
/// kilobytes at most.
const MAX_KNOWN: usize = 1_024;
const MAX_BYTES: usize = 256;

/// The subjects of one `per`.
#[derive(Debug)]
pub(super) struct Subjects {
    /// Has the salt and the `per` in it already.
    hasher: Sha256,
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    subjects: HashMap<Box<[u8]>, Subject>,
    /// What is hashed, written here each time anew.
    bytes: Vec<u8>,
}

// === impl Subjects ===

impl Subjects {
    pub(super) fn new(salt: &[u8], per: u8) -> Self {
        Self {
            hasher: Sha256::new()
                .chain_update((salt.len() as u64).to_le_bytes())
                .chain_update(salt)
                .chain_update([per]),
            known: RefCell::default(),
        }
    }

    /// The subject with these values, in the order of the `per`. An absent one is not an empty one.
    pub(super) fn of<'a>(&self, values: impl Iterator<Item = Option<&'a str>>) -> Subject {
        let mut known = self.known.borrow_mut();
        let Known { subjects, bytes } = &mut *known;
        bytes.clear();
        for value in values {
            let text = value.unwrap_or_default();
            bytes.push(u8::from(value.is_some()));
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        if let Some(subject) = subjects.get(bytes.as_slice()) {
            return *subject;
        }
        let hash = self.hasher.clone().chain_update(&*bytes).finalize();
        let subject = Subject::of_hash(&hash.into());
        if bytes.len() <= MAX_BYTES {
            if subjects.len() >= MAX_KNOWN {
                subjects.clear();
            }
            subjects.insert(bytes.as_slice().into(), subject);
        } else {
            bytes.shrink_to(MAX_BYTES);
        }
        subject
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_the_same_whether_it_is_kept_in_mind_or_not() {
        let subjects = Subjects::new(b"salt", 1);
        let fresh = |value: &str| Subjects::new(b"salt", 1).of([Some(value)].into_iter());
        let long = "x".repeat(10 * MAX_BYTES);
        for value in ["a", "b", "a", &long, "b", &long] {
            assert_eq!(subjects.of([Some(value)].into_iter()), fresh(value));
        }
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let subjects = Subjects::new(b"salt", 1);
        let pairs = [
            [Some("ab"), Some("c")],
            [Some("a"), Some("bc")],
            [Some("abc"), None],
            [Some("abc"), Some("")],
        ];
        let all: std::collections::HashSet<Subject> = pairs
            .into_iter()
            .map(|pair| subjects.of(pair.into_iter()))
            .collect();
        assert_eq!(all.len(), pairs.len());
    }

    #[test]
    fn a_million_subjects_are_not_kept() {
        let subjects = Subjects::new(b"salt", 1);
        for number in 0..10_000 {
            subjects.of([Some(format!("session-{number}").as_str())].into_iter());
        }
        let known = subjects.known.borrow();
        assert!(known.subjects.len() <= MAX_KNOWN);
        assert!(known.bytes.capacity() <= 4 * MAX_BYTES);
    }
}
