//! Changes to the prompt's texts: NUL, white space, HTML.

use std::borrow::Cow;

use super::spec::{Html, SanitizeSpec};
use crate::dialect::{PieceKind, Request, Role, Text};
use crate::edit::Edit;

/// After so many rounds of taking tags out, what is left is escaped.
const MAX_ROUNDS: usize = 8;

/// What to change.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sanitise(pub(super) SanitizeSpec);

/// What does not occur any more in the rest of a text. It is looked for once, not again for every `<`: the time is
/// linear whatever the text.
#[derive(Default)]
struct Ends {
    no_angle: bool,
    no_comment: bool,
    no_script: bool,
    no_style: bool,
}

// === impl Sanitise ===

impl Sanitise {
    /// An edit for each text that must change.
    pub(super) fn edits(self, request: &Request<'_>) -> Vec<Edit> {
        if self.0 == SanitizeSpec::default() {
            return Vec::new();
        }
        request
            .texts()
            .filter_map(|text| {
                let clean = self.clean(&text);
                (clean != text.text).then(|| text.replace(&clean))
            })
            .collect()
    }

    fn clean<'t>(self, text: &'t Text<'_>) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(&*text.text);
        if self.0.strip_nul && clean.contains('\0') {
            clean = clean.replace('\0', "").into();
        }
        // A model's own words and the operator's instructions stay, and so do arguments, which are JSON.
        let written =
            matches!(text.role, Role::User | Role::Tool | Role::Other) && text.kind == PieceKind::Text;
        if !written {
            return clean;
        }
        if self.0.html == Html::Escape && clean.contains(['&', '<', '>']) {
            clean = escape(&clean).into();
        }
        if self.0.html == Html::Strip && clean.contains('<') {
            clean = strip(&clean).into();
        }
        if self.0.trim {
            clean = clean.trim().to_owned().into();
        }
        clean
    }
}

// === impl Ends ===

impl Ends {
    /// How long the tag, comment, script or style at the start of `text` is; `None` where `<` is just a sign.
    fn tag_len(&mut self, text: &str) -> Option<usize> {
        let inside = text.strip_prefix('<')?;
        if inside.starts_with("!--") {
            return once(&mut self.no_comment, || text.find("-->").map(|at| at + 3));
        }
        let name = inside.strip_prefix('/').unwrap_or(inside);
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '!' | '?')) {
            return None;
        }
        let open = once(&mut self.no_angle, || text.find('>'))? + 1;
        let whole = if starts_ignoring_case(inside, "script") {
            once(&mut self.no_script, || find_ignoring_case(text, "</script"))
        } else if starts_ignoring_case(inside, "style") {
            once(&mut self.no_style, || find_ignoring_case(text, "</style"))
        } else {
            None
        };
        let tail = whole.and_then(|at| text.get(at..)?.find('>').map(|len| at + len + 1));
        Some(tail.unwrap_or(open))
    }
}

/// Looks for something unless it is known to be missing.
fn once(missing: &mut bool, find: impl FnOnce() -> Option<usize>) -> Option<usize> {
    if *missing {
        return None;
    }
    let found = find();
    *missing = found.is_none();
    found
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Takes tags out until none is left: what remains around one may be another (`<<b>script>`).
fn strip(text: &str) -> String {
    let mut stripped = strip_once(text);
    for _ in 0..MAX_ROUNDS {
        let again = strip_once(&stripped);
        if again.len() == stripped.len() {
            return stripped;
        }
        stripped = again;
    }
    escape(&stripped)
}

fn strip_once(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut ends = Ends::default();
    let mut rest = text;
    while let Some((before, from_tag)) = rest.find('<').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        match ends
            .tag_len(from_tag)
            .and_then(|len| from_tag.split_at_checked(len))
        {
            Some((_, after)) => rest = after,
            None => {
                out.push('<');
                rest = from_tag.strip_prefix('<').unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn starts_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes()
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_comments_and_scripts_are_taken_out() {
        for (text, stripped) in [
            ("a <b>bold</b> word", "a bold word"),
            ("x<!-- no > end -->y", "xy"),
            ("<script>alert('<b>')</script>safe", "safe"),
            ("<SCRIPT src=x>1</Script >2", "2"),
            ("<style>p{}</style>p", "p"),
            ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
            ("a<b", "a<b"),
            ("<<b>script>x", "x"),
            ("<é>", "<é>"),
        ] {
            assert_eq!(strip(text), stripped, "{text}");
        }
    }

    #[test]
    fn escaping_leaves_no_sign_of_html() {
        assert_eq!(
            escape("<a href=\"x\">&</a>"),
            "&lt;a href=\"x\"&gt;&amp;&lt;/a&gt;"
        );
    }

    #[test]
    fn a_text_made_to_be_slow_takes_linear_time() {
        for part in ["<a", "<!--", "<script>", "<style x>", "<"] {
            let text = part.repeat(200_000);
            assert!(strip(&text).len() <= 4 * text.len(), "{part}");
        }
    }

    proptest! {
        #[test]
        fn no_tag_is_left(text in "[<>/!a-c sript-]{0,60}") {
            let stripped = strip(&text);
            prop_assert_eq!(strip_once(&stripped), stripped);
        }
    }
}
