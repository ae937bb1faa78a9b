//! What webhooks are signed with.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

use crate::secret_key::{NoRandomness, random};

/// Standard Webhooks' mark of a symmetric secret.
const PREFIX: &str = "whsec_";
/// Length of a secret that is drawn here, in bytes; the standard asks for 24 to 64.
const BYTES: usize = 32;

/// The secret that a webhook's sender and receiver share.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    bytes: Vec<u8>,
}

/// A text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected {PREFIX} and the base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

// === impl SigningSecret ===

impl SigningSecret {
    /// A new secret.
    ///
    /// # Errors
    /// [`NoRandomness`] where the operating system gives none.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self {
            bytes: random::<BYTES>()?.to_vec(),
        })
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// [`InvalidSecret`].
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if (24..=64).contains(&bytes.len()) {
            Ok(Self { bytes })
        } else {
            Err(InvalidSecret)
        }
    }

    /// The secret as its receiver stores it.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    /// The header `webhook-signature` of a message: `v1,` and the base64 of an HMAC-SHA256 over
    /// `id.timestamp.body`, the timestamp in seconds since the Unix epoch.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        // HMAC takes keys of any length; there is no error to hand on.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.bytes) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_example() {
        // From the specification of Standard Webhooks.
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            secret.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_survives_its_text() {
        let secret = SigningSecret::generate().unwrap();
        assert_eq!(SigningSecret::parse(&secret.to_text()), Ok(secret));
    }

    #[test]
    fn what_is_too_short_or_marked_otherwise_is_no_secret() {
        for text in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_é",
        ] {
            assert_eq!(SigningSecret::parse(text), Err(InvalidSecret), "{text:?}");
        }
    }
}
