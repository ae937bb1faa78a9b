//! Conversations: what was said in an exchange, for those whose text policy keeps.
//!
//! [`PromptText`] takes the texts of a request, [`AnswerText`] those of its answer as it passes, whatever the chunks.
//! Both are bounded: what is beyond is cut off, and marked so. [`Outbox`] is where a worker keeps what the sidecar is
//! still to be told. Nothing here has a part in accounting: a text that is lost is lost, its exchange is not.

mod answer;
mod layout;
mod outbox;
mod prompt;
mod unescape;

pub use answer::AnswerText;
pub use outbox::{Delivery, Outbox};
pub use prompt::PromptText;

/// Header in which a client names its conversation. It is not sent on.
pub const HEADER: &str = "x-tollgate-conversation";

/// Longest name of a conversation, in bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// What a part of a text takes of the room for all of it, beside its bytes: ever so many empty parts are no way
/// around the bound.
const PART_COST: usize = 64;

/// Whether a client may call a conversation so: letters, digits, and `.`, `_`, `:`, `-`, at most 128 of them.
pub fn is_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(is_name(b"thread_2026-11.26:a"));
        assert!(is_name(&[b'a'; MAX_NAME_BYTES]));
        for name in [&b""[..], b"a b", b"a/b", b"\xff", &[b'a'; MAX_NAME_BYTES + 1]] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
