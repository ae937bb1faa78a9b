//! Which trace a request is part of: the headers `traceparent` and `tracestate` of the W3C Recommendation
//! "Trace Context", <https://www.w3.org/TR/trace-context/>.
//!
//! Clients send them, or Envoy's own tracing makes them. Tollgate begins no trace: where there is none there is none.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::headers::Headers;

/// The header that says which span the request belongs to.
pub const TRACEPARENT: &str = "traceparent";
/// The header in which tracing systems keep what they need beside it.
pub const TRACESTATE: &str = "tracestate";

/// `00-` and two ids and flags, with dashes between them: the whole of version 00, and the beginning of all others.
const PARENT_CHARS: usize = 55;
/// The one flag that every version has.
const SAMPLED: u8 = 1;
/// So much of a state must be passed on, in characters (section 3.3.1.5), and no more is.
const MAX_STATE_CHARS: usize = 512;
/// Where a state is longer, members longer than this go first.
const LONG_MEMBER_CHARS: usize = 128;
/// Most members of a state.
const MAX_MEMBERS: usize = 32;
const MAX_KEY_CHARS: usize = 256;
const MAX_VALUE_CHARS: usize = 256;

/// A trace's id, never all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span's id, never all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// Where in a trace an exchange is, as its event tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that the request was made in: Envoy's, or else the client's.
    pub parent_span_id: SpanId,
    /// Whether whoever began the trace records it.
    pub trace_sampled: bool,
}

/// A request's trace context, as it is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    parent: TraceParent,
    /// All flags, those included that mean nothing here.
    flags: u8,
    /// Empty where there is none.
    state: String,
}

// === impl TraceContext ===

impl TraceContext {
    /// The context in a request's headers. None where there is none or it is not valid, and then the request belongs to
    /// no trace; a state that is not valid is left out (sections 3.2.2 and 3.3.1).
    pub fn from_headers(headers: Headers<'_>) -> Option<Self> {
        let (parent, flags) = parse_parent(headers.single(TRACEPARENT).ok()??)?;
        let states = headers
            .iter()
            .filter(|(name, _)| *name == TRACESTATE.as_bytes())
            .map(|(_, value)| value);
        Some(Self {
            parent,
            flags,
            state: parse_state(states).unwrap_or_default(),
        })
    }

    /// Where in the trace the request is.
    pub const fn parent(&self) -> TraceParent {
        self.parent
    }

    /// `traceparent`, in the version that is known here.
    pub fn traceparent(&self) -> String {
        let mut text = String::with_capacity(PARENT_CHARS);
        text.push_str("00-");
        text.push_str(&self.parent.trace_id.to_hex());
        text.push('-');
        text.push_str(&self.parent.parent_span_id.to_hex());
        // A string takes everything.
        let _ = write!(text, "-{:02x}", self.flags);
        text
    }

    /// `tracestate`, where there is any.
    pub fn tracestate(&self) -> Option<&str> {
        (!self.state.is_empty()).then_some(self.state.as_str())
    }
}

/// `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`: the parent and the flags.
fn parse_parent(value: &[u8]) -> Option<(TraceParent, u8)> {
    let text = std::str::from_utf8(value).ok()?;
    let (known, more) = text.split_at_checked(PARENT_CHARS)?;
    let mut fields = known.split('-');
    let [version] = lower_hex::<1>(fields.next()?)?;
    let trace_id = TraceId::new(lower_hex(fields.next()?)?)?;
    let parent_span_id = SpanId::new(lower_hex(fields.next()?)?)?;
    let [flags] = lower_hex::<1>(fields.next()?)?;
    let is_valid = match version {
        0 => more.is_empty(),
        0xff => false,
        // A later version may say more, after another dash.
        _ => more.is_empty() || more.starts_with('-'),
    };
    if !is_valid || fields.next().is_some() {
        return None;
    }
    let parent = TraceParent {
        trace_id,
        parent_span_id,
        trace_sampled: flags & SAMPLED != 0,
    };
    // What other flags of a later version mean is not known, and it goes on as version 00.
    let flags = if version == 0 { flags } else { flags & SAMPLED };
    Some((parent, flags))
}

/// Lists of `key=value` in the order in which they came, as one that is not too long. None where a member is not valid.
fn parse_state<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut members: Vec<&str> = Vec::new();
    for value in values {
        let text = std::str::from_utf8(value).ok()?;
        let named = text.split(',').map(|member| member.trim_matches([' ', '\t']));
        for member in named.filter(|member| !member.is_empty()) {
            if members.len() == MAX_MEMBERS || !is_member(member) {
                return None;
            }
            members.push(member);
        }
    }
    let chars = |members: &[&str]| {
        let commas = members.len().saturating_sub(1);
        members.iter().map(|member| member.len()).sum::<usize>() + commas
    };
    if chars(&members) > MAX_STATE_CHARS {
        members.retain(|member| member.len() <= LONG_MEMBER_CHARS);
    }
    // The first one is of whoever had the request last.
    while chars(&members) > MAX_STATE_CHARS {
        members.pop();
    }
    Some(members.join(","))
}

/// Whether this is `key=value` in characters that both may have (section 3.3.1.3).
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let in_key = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let begins_well = key
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    begins_well
        && key.len() <= MAX_KEY_CHARS
        && key.bytes().all(in_key)
        && !value.is_empty()
        && value.len() <= MAX_VALUE_CHARS
        && value
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
}

/// Bytes in hex digits, of which the Recommendation takes no upper-case ones.
fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// An id of so many bytes: in hex digits wherever it is written.
macro_rules! id {
    ($name:ident, $bytes:literal) => {
        impl $name {
            /// An id, unless it is all zeros.
            pub fn new(bytes: [u8; $bytes]) -> Option<Self> {
                bytes.iter().any(|byte| *byte != 0).then_some(Self(bytes))
            }

            /// Its bytes, the first digits first.
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Lower-case hex digits.
            pub fn to_hex(self) -> String {
                hex::encode(self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_hex())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                let id = lower_hex(&text).and_then(Self::new);
                id.ok_or_else(|| {
                    de::Error::custom(concat!(
                        "expected the hex digits of ",
                        $bytes,
                        " bytes that are not all zero"
                    ))
                })
            }
        }
    };
}

id!(TraceId, 16);
id!(SpanId, 8);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn context(pairs: &[(&str, &str)]) -> Option<TraceContext> {
        let pairs: Vec<(&[u8], &[u8])> = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        TraceContext::from_headers(Headers::new(&pairs))
    }

    fn with_state(states: &[&str]) -> Option<String> {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let mut pairs = vec![(TRACEPARENT, parent.as_str())];
        pairs.extend(states.iter().map(|state| (TRACESTATE, *state)));
        let context = context(&pairs).expect("the parent is valid");
        context.tracestate().map(str::to_owned)
    }

    #[test]
    fn a_valid_parent_goes_on_as_it_came() {
        for flags in ["00", "01", "02", "03", "ff"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let context = context(&[("x-other", "1"), (TRACEPARENT, &text)]).expect(&text);
            assert_eq!(context.traceparent(), text);
            assert_eq!(context.tracestate(), None);
            assert_eq!(context.parent().trace_sampled, flags != "00" && flags != "02");
            assert_eq!(context.parent().trace_id.to_hex(), TRACE);
            assert_eq!(context.parent().parent_span_id.to_hex(), SPAN);
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for more in ["", "-what-the-future-will-be-like"] {
            let text = format!("cc-{TRACE}-{SPAN}-03{more}");
            let context = context(&[(TRACEPARENT, &text)]).expect(&text);
            assert_eq!(context.traceparent(), format!("00-{TRACE}-{SPAN}-01"));
        }
    }

    #[test]
    fn what_is_no_parent_is_no_trace() {
        let upper = TRACE.to_uppercase();
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0x"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{SPAN}-{TRACE}-01"),
        ] {
            assert_eq!(context(&[(TRACEPARENT, &text)]), None, "{text:?}");
        }
        let parent = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(context(&[(TRACEPARENT, &parent), (TRACEPARENT, &parent)]), None);
        assert_eq!(context(&[(TRACESTATE, "a=1")]), None);
    }

    #[test]
    fn states_are_one_list_in_their_order() {
        assert_eq!(
            with_state(&[
                "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
                "",
                " tenant@system=1 ,"
            ])
            .as_deref(),
            Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,tenant@system=1")
        );
    }

    #[test]
    fn a_state_that_is_not_valid_is_left_out_and_the_parent_stays() {
        let many = vec!["a=1"; 33].join(",");
        for state in ["a", "A=1", "=1", "a=", "a=b=c", "a=é", "-a=1", many.as_str()] {
            assert_eq!(with_state(&[state]), None, "{state:?}");
        }
    }

    #[test]
    fn a_long_state_loses_long_members_first_and_then_the_last_ones() {
        let long = format!("long={}", "x".repeat(200));
        let members: Vec<String> = (0..10).map(|n| format!("m{n}={}", "y".repeat(60))).collect();
        let all = format!("{long},{}", members.join(","));
        let kept = with_state(&[&all]).expect("some of it is kept");
        assert!(kept.len() <= MAX_STATE_CHARS, "{}", kept.len());
        assert_eq!(kept, members[..8].join(","));
    }

    #[test]
    fn an_event_tells_it_in_three_fields_and_reads_them_back() {
        let parent = context(&[(TRACEPARENT, &format!("00-{TRACE}-{SPAN}-01"))])
            .expect("it is valid")
            .parent();
        let json = serde_json::to_value(parent).expect("it has a JSON");
        assert_eq!(
            json,
            serde_json::json!({"trace_id": TRACE, "parent_span_id": SPAN, "trace_sampled": true})
        );
        assert_eq!(serde_json::from_value::<TraceParent>(json).ok(), Some(parent));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_what_goes_on_is_valid(
            parent in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,3}",
            states in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 0..3),
        ) {
            let mut pairs: Vec<(&[u8], &[u8])> = vec![(TRACEPARENT.as_bytes(), parent.as_bytes())];
            pairs.extend(states.iter().map(|state| (TRACESTATE.as_bytes(), state.as_slice())));
            if let Some(told) = TraceContext::from_headers(Headers::new(&pairs)) {
                let (again, state) = (told.traceparent(), told.tracestate().unwrap_or_default());
                prop_assert!(state.len() <= MAX_STATE_CHARS);
                let pairs: [(&[u8], &[u8]); 2] =
                    [(TRACEPARENT.as_bytes(), again.as_bytes()), (TRACESTATE.as_bytes(), state.as_bytes())];
                prop_assert_eq!(TraceContext::from_headers(Headers::new(&pairs)), Some(told));
            }
        }
    }
}
