//! What the client reads in headers: refusals, and the headers on every answer.

use crate::dialect::Family;
use crate::exchange::Exchange;
use crate::exchange::step::Reply;
use crate::headers::HeaderOp;
use crate::limit::headers::Header;
use crate::refusal::{Code, Refusal};

/// Headers of this prefix are Tollgate's own: from a client they are not sent on, from a provider they are kept under
/// `x-provider-`.
pub(super) const OWN_PREFIX: &str = "x-tollgate-";

/// Headers that Tollgate sets beside those; a provider's own of these names are kept under `x-provider-`.
const OURS: [&str; 8] = [
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "ratelimit",
    "ratelimit-policy",
];

/// Sent with every answer where the configuration asks for it: OWASP's list for REST APIs.
const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
];

// === impl Exchange ===

impl Exchange {
    /// The answer that tells a client no.
    pub(super) fn reply(&mut self, refusal: &Refusal) -> Reply {
        let family = self.request.family.unwrap_or(Family::OpenAi);
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(self.take_own_headers());
        headers.extend(self.security_headers());
        if refusal.code == Code::BudgetExceeded {
            headers.push(("x-should-retry", "false".to_owned()));
        }
        Reply {
            status: refusal.status,
            headers,
            body: refusal.body(family, &self.ids.request),
            details: format!("tollgate_{}", refusal.code.as_str()),
        }
    }

    /// Adds to the changes of an answer's headers those of ours, which replace no provider's own: these are gone
    /// already. To be called when the headers go.
    pub(super) fn tell_answer(&mut self, changes: &mut Vec<HeaderOp>) {
        // Beside these: the request's id and a warning; what the answer has cost, and its length, may follow.
        changes.reserve(4 + self.limit_headers.len() + self.budget_headers.len());
        let ours = self.take_own_headers();
        changes.extend(ours.map(|(name, value)| HeaderOp::Add(name.into(), value.into_bytes())));
        let security = self.security_headers();
        changes.extend(security.map(|(name, value)| HeaderOp::Set(name.into(), value)));
    }

    /// What an answer has whether it is the provider's or ours; a provider's own values are replaced.
    fn security_headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let headers = if self.config.security_headers {
            &SECURITY_HEADERS[..]
        } else {
            &[]
        };
        headers.iter().map(|(name, value)| (*name, (*value).to_owned()))
    }

    /// What the client is told of its request, limits and budgets: once, so it is given away.
    fn take_own_headers(&mut self) -> impl Iterator<Item = Header> + use<> {
        let warning = (!self.warnings.is_empty()).then(|| ("x-tollgate-warning", self.warnings.join("; ")));
        std::iter::once(("x-tollgate-request-id", self.ids.request.clone()))
            .chain(std::mem::take(&mut self.limit_headers))
            .chain(std::mem::take(&mut self.budget_headers))
            .chain(warning)
    }
}

/// Whether an answer's header of this name is Tollgate's to set.
pub(super) fn is_ours(name: &[u8]) -> bool {
    OURS.iter().any(|ours| ours.as_bytes() == name) || name.starts_with(OWN_PREFIX.as_bytes())
}
