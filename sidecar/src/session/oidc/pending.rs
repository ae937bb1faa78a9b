//! A sign-in under way: what its end must fit, in a cookie of the browser that began it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use openidconnect::{CsrfToken, Nonce, PkceCodeVerifier};
use subtle::ConstantTimeEq as _;

use super::{BEGIN, cookie};

const NAME: &str = "tollgate_oidc";
/// How long somebody may take to sign in at the provider.
const LIFETIME: Duration = Duration::from_secs(600);

/// A sign-in under way.
#[derive(Debug)]
pub(super) struct Pending {
    /// Comes back in the URL: whoever sends a browser to our callback does not know it.
    pub(super) state: CsrfToken,
    /// Comes back in the ID token.
    pub(super) nonce: Nonce,
    /// Goes to the provider with the code.
    pub(super) verifier: PkceCodeVerifier,
}

// === impl Pending ===

impl Pending {
    /// Of the cookie; none where there is none, or one that is not ours.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut parts = cookie::value(headers, NAME)?.split('.').map(str::to_owned);
        let pending = Self {
            state: CsrfToken::new(parts.next()?),
            nonce: Nonce::new(parts.next()?),
            verifier: PkceCodeVerifier::new(parts.next()?),
        };
        parts.next().is_none().then_some(pending)
    }

    /// Has the browser keep it. It is sent along when the provider, another site, sends the browser back: `Lax`.
    pub(super) fn keep(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let (state, nonce, verifier) = (self.state.secret(), self.nonce.secret(), self.verifier.secret());
        let value = format!("{state}.{nonce}.{verifier}");
        cookie::set(&named(&value), LIFETIME, headers)
    }

    /// Has the browser forget it.
    pub(super) fn forget(headers: &HeaderMap) -> Option<HeaderValue> {
        cookie::set(&named(""), Duration::ZERO, headers)
    }

    /// Whether the provider's answer is to this one.
    pub(super) fn is_state(&self, sent: &str) -> bool {
        self.state.secret().as_bytes().ct_eq(sent.as_bytes()).into()
    }
}

fn named(value: &str) -> String {
    format!("{NAME}={value}; Path={BEGIN}; SameSite=Lax")
}
