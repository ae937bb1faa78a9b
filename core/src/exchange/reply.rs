//! What the client reads in headers: refusals, and the headers on every answer.

use crate::dialect::Family;
use crate::exchange::Exchange;
use crate::exchange::step::Reply;
use crate::headers::HeaderOp;
use crate::refusal::{Code, Refusal};

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
    pub(super) fn reply(&self, refusal: &Refusal) -> Reply {
        let family = self.request.family.unwrap_or(Family::OpenAi);
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(self.own_headers());
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

    /// Headers of ours on every answer of a provider, whose own of these names are gone already.
    pub(super) fn answer_headers(&self) -> impl Iterator<Item = HeaderOp> {
        let security = self
            .security_headers()
            .map(|(name, value)| HeaderOp::Set(name.into(), value));
        self.own_headers()
            .map(|(name, value)| HeaderOp::Add(name.into(), value.into_bytes()))
            .chain(security)
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

    fn own_headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let warning = (!self.warnings.is_empty()).then(|| self.warnings.join("; "));
        std::iter::once(("x-tollgate-request-id", self.ids.request.clone()))
            .chain(self.limit_headers.iter().cloned())
            .chain(self.budget_headers.iter().cloned())
            .chain(warning.map(|warning| ("x-tollgate-warning", warning)))
    }
}
