//! Surgical changes to a request body: every byte that policy did not change stays as the client sent it.

use std::ops::Range;

/// Replaces the bytes of `span` (offsets into the original body) by `with`. An empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Offsets into the original body.
    pub span: Range<usize>,
    /// What stands there afterwards.
    pub with: Vec<u8>,
}

/// Applies edits, in any order, to a body. Edits that overlap an earlier one or reach past the end are left
/// out, so that a body never loses bytes that no edit names.
pub fn apply(body: &[u8], edits: &mut [Edit]) -> Vec<u8> {
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let grown: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = Vec::with_capacity(body.len() + grown);
    let mut at = 0;
    for edit in edits.iter() {
        let (Some(before), true) = (body.get(at..edit.span.start), edit.span.end <= body.len()) else {
            debug_assert!(false, "edits overlap or leave the body: {edit:?}");
            continue;
        };
        out.extend_from_slice(before);
        out.extend_from_slice(&edit.with);
        at = edit.span.end.max(edit.span.start);
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(span: Range<usize>, with: &str) -> Edit {
        Edit {
            span,
            with: with.as_bytes().to_vec(),
        }
    }

    #[test]
    fn only_the_named_bytes_change() {
        let mut edits = vec![edit(9..9, ",\"n\":1"), edit(5..8, "\"yes\"")];
        assert_eq!(apply(br#"{"a":"x" }"#, &mut edits), br#"{"a":"yes" ,"n":1}"#);
    }
}
