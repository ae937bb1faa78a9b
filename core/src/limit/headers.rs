//! What a client is told of its limits: OpenAI's headers and the IETF's.
//!
//! OpenAI: <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>. IETF:
//! draft-ietf-httpapi-ratelimit-headers, structured fields (RFC 9651). Limits in shadow mode bind nobody and
//! are not told.

use super::spec::{Count, Mode};
use super::take::{LimitState, Refused};
use crate::decimal;

/// A header's name and value, ASCII both.
pub type Header = (&'static str, String);

/// The headers of an admitted request.
pub fn render(states: &[LimitState]) -> Vec<Header> {
    let mut headers = Vec::new();
    if let Some(tightest) = tightest(states, |count| count == Count::Requests) {
        headers.push(("x-ratelimit-limit-requests", decimal::text(tightest.quota)));
        headers.push((
            "x-ratelimit-remaining-requests",
            decimal::text(tightest.remaining),
        ));
        headers.push(("x-ratelimit-reset-requests", span(tightest.reset_secs)));
    }
    if let Some(tightest) = tightest(states, Count::is_tokens) {
        headers.push(("x-ratelimit-limit-tokens", decimal::text(tightest.quota)));
        headers.push(("x-ratelimit-remaining-tokens", decimal::text(tightest.remaining)));
        headers.push(("x-ratelimit-reset-tokens", span(tightest.reset_secs)));
    }
    let (mut policies, mut levels) = (String::new(), String::new());
    for state in states.iter().filter(|state| state.mode == Mode::Enforce) {
        if !policies.is_empty() {
            policies.push_str(", ");
            levels.push_str(", ");
        }
        push_policy(&mut policies, state);
        push_level(&mut levels, state);
    }
    if !policies.is_empty() {
        headers.push(("ratelimit-policy", policies));
        headers.push(("ratelimit", levels));
    }
    headers
}

/// The headers of a refusal: `retry-after` in whole seconds where waiting helps, and those of [`render`].
pub fn render_refusal(refused: &Refused) -> Vec<Header> {
    let mut headers = render(&refused.states);
    if let Some(secs) = refused.retry_after_secs {
        headers.push(("retry-after", decimal::text(secs)));
    }
    headers
}

/// The limit that will refuse first; of equals, the one that takes longest to come back.
fn tightest(states: &[LimitState], is_unit: impl Fn(Count) -> bool) -> Option<&LimitState> {
    states
        .iter()
        .filter(|state| state.mode == Mode::Enforce && is_unit(state.count))
        .min_by_key(|state| (state.remaining, std::cmp::Reverse(state.reset_secs)))
}

/// `"name";q=100;w=60`. Requests are the draft's default unit; `concurrent-requests` is in its registry and
/// `tokens` is ours.
fn push_policy(text: &mut String, state: &LimitState) {
    push_item(text, &state.name, ";q=", state.quota);
    match state.count {
        Count::Requests => {}
        Count::Concurrent => text.push_str(";qu=\"concurrent-requests\""),
        Count::Tokens => text.push_str(";qu=\"tokens\""),
        Count::InputTokens => text.push_str(";qu=\"input-tokens\""),
        Count::OutputTokens => text.push_str(";qu=\"output-tokens\""),
    }
    if let Some(secs) = state.window_secs {
        text.push_str(";w=");
        decimal::push(text, secs);
    }
}

/// `"name";r=10;t=30`. Nobody knows when a slot comes back, so slots have no `t`.
fn push_level(text: &mut String, state: &LimitState) {
    push_item(text, &state.name, ";r=", state.remaining);
    if state.count != Count::Concurrent {
        text.push_str(";t=");
        decimal::push(text, state.reset_secs);
    }
}

fn push_item(text: &mut String, name: &str, parameter: &str, number: u64) {
    text.push('"');
    text.push_str(name);
    text.push('"');
    text.push_str(parameter);
    decimal::push(text, number);
}

/// Seconds as OpenAI writes them: `1s`, `6m0s`, `1h2m3s`.
fn span(secs: u64) -> String {
    let (hours, minutes, seconds) = (secs / 3600, secs / 60 % 60, secs % 60);
    let mut text = String::with_capacity(8);
    let parts = [(hours, 'h'), (minutes, 'm'), (seconds, 's')];
    // From the first that is not zero on, and the seconds always.
    let zeros = parts
        .iter()
        .take(2)
        .take_while(|(number, _)| *number == 0)
        .count();
    for (number, unit) in parts.into_iter().skip(zeros) {
        decimal::push(&mut text, number);
        text.push(unit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn state(name: &str, count: Count, quota: u64, remaining: u64, reset_secs: u64) -> LimitState {
        LimitState {
            name: Arc::from(name),
            count,
            mode: Mode::Enforce,
            quota,
            used: quota - remaining,
            remaining,
            reset_secs,
            window_secs: (count != Count::Concurrent).then_some(60),
        }
    }

    fn value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
        let found = headers.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_tightest_limit_of_a_unit_is_told() {
        let headers = render(&[
            state("day", Count::Requests, 1000, 500, 400),
            state("minute", Count::Requests, 60, 59, 1),
            state("tokens", Count::OutputTokens, 9000, 8999, 360),
        ]);
        assert_eq!(value(&headers, "x-ratelimit-limit-requests"), Some("60"));
        assert_eq!(value(&headers, "x-ratelimit-remaining-requests"), Some("59"));
        assert_eq!(value(&headers, "x-ratelimit-reset-requests"), Some("1s"));
        assert_eq!(value(&headers, "x-ratelimit-remaining-tokens"), Some("8999"));
        assert_eq!(value(&headers, "x-ratelimit-reset-tokens"), Some("6m0s"));
    }

    #[test]
    fn every_limit_is_told_in_structured_fields() {
        let headers = render(&[
            state("rpm", Count::Requests, 100, 10, 30),
            state("slots", Count::Concurrent, 5, 4, 600),
            state("tpm", Count::Tokens, 10, 3, 9),
        ]);
        assert_eq!(
            value(&headers, "ratelimit-policy"),
            Some(r#""rpm";q=100;w=60, "slots";q=5;qu="concurrent-requests", "tpm";q=10;qu="tokens";w=60"#)
        );
        assert_eq!(
            value(&headers, "ratelimit"),
            Some(r#""rpm";r=10;t=30, "slots";r=4, "tpm";r=3;t=9"#)
        );
    }

    #[test]
    fn a_shadow_limit_is_not_told() {
        let shadow = LimitState {
            mode: Mode::Shadow,
            ..state("trial", Count::Requests, 10, 0, 60)
        };
        assert_eq!(render(&[shadow]), []);
    }

    #[test]
    fn spans_are_written_as_openai_does() {
        for (secs, text) in [
            (0, "0s"),
            (1, "1s"),
            (59, "59s"),
            (360, "6m0s"),
            (3723, "1h2m3s"),
            (86_400, "24h0m0s"),
        ] {
            assert_eq!(span(secs), text);
        }
    }
}
