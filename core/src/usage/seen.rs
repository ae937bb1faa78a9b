//! What was seen of an answer, and what it is worth where the provider did not say.

use super::reader::Outcome;
use super::{Usage, UsageStatus};

/// Bytes of generated text that make one token, where nothing better is known: English and code have about four
/// in every current vocabulary, most other scripts fewer bytes a character and more tokens.
pub const BYTES_PER_TOKEN: u64 = 4;

/// What was seen of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Bytes of the body, as the provider sent it.
    pub body_bytes: u64,
    /// Bytes of generated text in UTF-8: content, reasoning and arguments of tool calls.
    pub text_bytes: u64,
    /// How many events of a stream held text; 1 for a JSON answer. Where a provider sends a token an event this is
    /// a count of tokens.
    pub deltas: u64,
    /// Whether the body could be read at all: a compressed one cannot.
    pub readable: bool,
}

// === impl Seen ===

impl Seen {
    /// Tokens by size: [`BYTES_PER_TOKEN`] bytes of text each, rounded up. Of a body that could not be read every
    /// byte counts as text: compression and JSON's overhead are of the same order.
    pub fn tokens_by_size(&self) -> u64 {
        let bytes = if self.readable {
            self.text_bytes
        } else {
            self.body_bytes
        };
        bytes.div_ceil(BYTES_PER_TOKEN)
    }
}

/// What to account for when an answer was given (not for one that was refused or failed: that used nothing).
///
/// A complete report stands as it is. Where it is partial, `count` says how many output tokens were seen, and the
/// larger number holds. Where there is none, input is `prompt_tokens` and output what `count` says, and the status
/// is [`UsageStatus::Estimated`]. Pass [`Seen::tokens_by_size`] where no better counter is at hand.
pub fn estimate(outcome: &Outcome, prompt_tokens: u64, count: impl FnOnce(&Seen) -> u64) -> Usage {
    match outcome.usage {
        Some(usage) if usage.status == UsageStatus::Complete => usage,
        Some(usage) => Usage {
            input_tokens: if usage.input_tokens == 0 {
                prompt_tokens
            } else {
                usage.input_tokens
            },
            output_tokens: usage.output_tokens.max(count(&outcome.seen)),
            status: UsageStatus::Partial,
            ..usage
        },
        None => Usage {
            input_tokens: prompt_tokens,
            output_tokens: count(&outcome.seen),
            status: UsageStatus::Estimated,
            ..Usage::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(usage: Option<Usage>) -> Outcome {
        Outcome {
            usage,
            seen: Seen {
                body_bytes: 1000,
                text_bytes: 42,
                deltas: 9,
                readable: true,
            },
            ..Outcome::default()
        }
    }

    #[test]
    fn a_complete_report_stands() {
        let usage = Usage {
            input_tokens: 3,
            output_tokens: 1,
            status: UsageStatus::Complete,
            ..Usage::default()
        };
        assert_eq!(estimate(&outcome(Some(usage)), 99, Seen::tokens_by_size), usage);
    }

    #[test]
    fn a_partial_report_keeps_its_input_and_gets_the_output_that_was_seen() {
        let usage = Usage {
            input_tokens: 30,
            output_tokens: 1,
            cached_input_tokens: 20,
            status: UsageStatus::Partial,
            ..Usage::default()
        };
        let found = estimate(&outcome(Some(usage)), 99, Seen::tokens_by_size);
        assert_eq!(
            (found.input_tokens, found.output_tokens, found.cached_input_tokens),
            (30, 11, 20)
        );
        assert_eq!(found.status, UsageStatus::Partial);
    }

    #[test]
    fn without_a_report_both_sides_are_estimated() {
        let found = estimate(&outcome(None), 99, |seen| seen.deltas);
        assert_eq!((found.input_tokens, found.output_tokens), (99, 9));
        assert_eq!(found.status, UsageStatus::Estimated);
    }

    #[test]
    fn every_byte_of_an_unreadable_body_counts() {
        let mut unreadable = outcome(None);
        unreadable.seen.readable = false;
        assert_eq!(estimate(&unreadable, 0, Seen::tokens_by_size).output_tokens, 250);
    }
}
