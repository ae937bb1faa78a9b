//! What a client is told of its limits: OpenAI's headers and the IETF's.
//!
//! OpenAI: <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>. IETF:
//! draft-ietf-httpapi-ratelimit-headers, structured fields (RFC 9651). Limits in shadow mode bind nobody and
//! are not told.

use super::compile::Limits;
use super::group::Limit;
use super::meter::Level;
use super::refused::Refused;
use super::spec::{Count, Mode};
use super::take::Standing;
use crate::decimal;

/// A header's name and value, ASCII both.
pub type Header = (&'static str, String);

/// Room for a list's item: two numbers of a dozen digits, and what stands around them.
const ITEM_ROOM: usize = 32;

/// What the structured fields tell of a limit and never changes.
#[derive(Debug)]
pub(super) struct Told {
    /// `"name";q=100;w=60`. Requests are the draft's default unit; `concurrent-requests` is in its registry and
    /// `tokens` is ours.
    policy: Box<str>,
    /// `"name";r=`.
    level: Box<str>,
}

/// The limit of a unit that will refuse first.
#[derive(Clone, Copy)]
struct Tightest {
    quota: u64,
    level: Level,
}

// === impl Limits ===

impl Limits {
    /// The headers of an admitted request.
    pub fn headers(&self, standings: &[Standing]) -> Vec<Header> {
        let (mut requests, mut tokens) = (None, None);
        let mut policies = String::new();
        let mut levels = String::new();
        for standing in standings {
            let Some(limit) = self
                .limit(standing.order)
                .filter(|limit| limit.mode == Mode::Enforce)
            else {
                continue;
            };
            let level = standing.level;
            if limit.count == Count::Requests {
                Tightest::consider(&mut requests, limit, level);
            } else if limit.count.is_tokens() {
                Tightest::consider(&mut tokens, limit, level);
            }
            if policies.is_empty() {
                policies.reserve(standings.len() * (limit.told.policy.len() + ITEM_ROOM));
                levels.reserve(standings.len() * (limit.told.level.len() + ITEM_ROOM));
            } else {
                policies.push_str(", ");
                levels.push_str(", ");
            }
            policies.push_str(&limit.told.policy);
            limit.push_level(&mut levels, level);
        }
        let mut headers = Vec::with_capacity(9);
        if let Some(tightest) = requests {
            headers.push(("x-ratelimit-limit-requests", decimal::text(tightest.quota)));
            headers.push((
                "x-ratelimit-remaining-requests",
                decimal::text(tightest.level.remaining),
            ));
            headers.push(("x-ratelimit-reset-requests", span(tightest.level.reset_secs())));
        }
        if let Some(tightest) = tokens {
            headers.push(("x-ratelimit-limit-tokens", decimal::text(tightest.quota)));
            headers.push((
                "x-ratelimit-remaining-tokens",
                decimal::text(tightest.level.remaining),
            ));
            headers.push(("x-ratelimit-reset-tokens", span(tightest.level.reset_secs())));
        }
        if !policies.is_empty() {
            headers.push(("ratelimit-policy", policies));
            headers.push(("ratelimit", levels));
        }
        headers
    }

    /// The headers of a refusal: `retry-after` in whole seconds where waiting helps, and those of
    /// [`headers`](Self::headers).
    pub fn refusal_headers(&self, refused: &Refused) -> Vec<Header> {
        let mut headers = self.headers(&refused.standings);
        if let Some(secs) = refused.retry_after_secs {
            headers.push(("retry-after", decimal::text(secs)));
        }
        headers
    }
}

// === impl Limit ===

impl Limit {
    /// `"name";r=10;t=30`. Nobody knows when a slot comes back, so slots have no `t`.
    fn push_level(&self, text: &mut String, level: Level) {
        text.push_str(&self.told.level);
        decimal::push(text, level.remaining);
        if self.count != Count::Concurrent {
            text.push_str(";t=");
            decimal::push(text, level.reset_secs());
        }
    }
}

// === impl Told ===

impl Told {
    pub(super) fn new(name: &str, count: Count, quota: u64, window_ms: Option<u64>) -> Self {
        let unit = match count {
            Count::Requests => "",
            Count::Concurrent => ";qu=\"concurrent-requests\"",
            Count::Tokens => ";qu=\"tokens\"",
            Count::InputTokens => ";qu=\"input-tokens\"",
            Count::OutputTokens => ";qu=\"output-tokens\"",
        };
        let window = window_ms.map_or_else(String::new, |ms| format!(";w={}", ms.div_ceil(1000)));
        Self {
            policy: format!("\"{name}\";q={quota}{unit}{window}").into(),
            level: format!("\"{name}\";r=").into(),
        }
    }
}

// === impl Tightest ===

impl Tightest {
    /// Keeps the limit that has least left; of equals, the one that takes longest to come back.
    fn consider(tightest: &mut Option<Self>, limit: &Limit, level: Level) {
        let rank = |level: Level| (level.remaining, std::cmp::Reverse(level.reset_secs()));
        if tightest.is_none_or(|other| rank(level) < rank(other.level)) {
            *tightest = Some(Self {
                quota: limit.quota,
                level,
            });
        }
    }
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
    use serde_json::json;

    use super::*;
    use crate::limit::LimitSpec;

    /// The headers of limits, each as it was written and with what is left of it and the seconds until all is back.
    fn headers(all: &[(serde_json::Value, u64, u64)]) -> Vec<Header> {
        let specs = all.iter().map(|(spec, ..)| spec.clone());
        let specs: Vec<LimitSpec> = serde_json::from_value(specs.collect()).unwrap();
        let limits = Limits::compile(&[("limits", &specs)], b"salt").unwrap();
        let standings = all
            .iter()
            .enumerate()
            .map(|(order, (_, remaining, secs))| Standing {
                order,
                level: Level {
                    used: 0,
                    remaining: *remaining,
                    reset_ms: secs * 1000,
                },
            });
        limits.headers(&standings.collect::<Vec<_>>())
    }

    fn rate(name: &str, count: &str, amount: u64) -> serde_json::Value {
        json!({"name": name, "count": count, "amount": amount, "period": "1m"})
    }

    fn value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
        let found = headers.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_tightest_limit_of_a_unit_is_told() {
        let headers = headers(&[
            (rate("day", "requests", 1000), 500, 400),
            (rate("minute", "requests", 60), 59, 1),
            (rate("tokens", "output_tokens", 9000), 8999, 360),
        ]);
        assert_eq!(value(&headers, "x-ratelimit-limit-requests"), Some("60"));
        assert_eq!(value(&headers, "x-ratelimit-remaining-requests"), Some("59"));
        assert_eq!(value(&headers, "x-ratelimit-reset-requests"), Some("1s"));
        assert_eq!(value(&headers, "x-ratelimit-remaining-tokens"), Some("8999"));
        assert_eq!(value(&headers, "x-ratelimit-reset-tokens"), Some("6m0s"));
    }

    #[test]
    fn of_two_as_tight_the_one_that_takes_longer_is_told() {
        for (first, second) in [(5, 90), (90, 5)] {
            let headers = headers(&[
                (rate("a", "requests", 60), 7, first),
                (rate("b", "requests", 60), 7, second),
            ]);
            assert_eq!(value(&headers, "x-ratelimit-reset-requests"), Some("1m30s"));
        }
    }

    #[test]
    fn every_limit_is_told_in_structured_fields() {
        let slots = json!({"name": "slots", "count": "concurrent", "amount": 5});
        let headers = headers(&[
            (rate("rpm", "requests", 100), 10, 30),
            (slots, 4, 600),
            (rate("tpm", "tokens", 10), 3, 9),
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
        let mut shadow = rate("trial", "requests", 10);
        shadow["mode"] = json!("shadow");
        assert_eq!(headers(&[(shadow, 0, 60)]), []);
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
