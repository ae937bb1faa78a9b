//! Authentication: where a key stands in a request, and whether it may be used now.

use serde::{Deserialize, Serialize};

use crate::glob;
use crate::headers::Headers;
use crate::key::{KeyHash, KeyRecord, KeyStatus};
use crate::refusal::{Code, Refusal};
use crate::time::UnixMillis;

/// The headers that carry an API key in some provider's SDK, in the order in which they are looked at.
pub const CREDENTIAL_HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Longest key that is hashed, in bytes; ours have 40.
const MAX_KEY_BYTES: usize = 512;

/// Who is calling: from a key, or from claims that Envoy's `jwt_authn` has verified.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// Who pays.
    pub workspace: String,
    /// The person or service behind it.
    pub user: Option<String>,
    /// The client's session.
    pub session: Option<String>,
    /// The key's stable id; absent for a JWT identity.
    pub key_id: Option<String>,
    /// Models it may call, as globs; empty means all.
    pub models: Vec<String>,
    /// The moderation policy bound to the key.
    pub moderation: Option<String>,
}

// === impl Identity ===

impl Identity {
    /// The identity behind a key, if the key may be used at `now`.
    ///
    /// # Errors
    /// `invalid_api_key` when revoked or no longer the key's secret, `key_paused`, `expired_api_key`.
    pub fn of_key(record: &KeyRecord, now: UnixMillis) -> Result<Self, Refusal> {
        if record.retires_at_ms.is_some_and(|retires_at| retires_at <= now) {
            return Err(unknown_key());
        }
        match record.status {
            KeyStatus::Active => {}
            KeyStatus::Paused => {
                return Err(Refusal::new(
                    Code::KeyPaused,
                    "this API key is paused; ask its owner to resume it",
                ));
            }
            KeyStatus::Revoked => return Err(unknown_key()),
        }
        if let Some(expires_at) = record.expires_at_ms
            && expires_at <= now
        {
            return Err(Refusal::new(
                Code::ExpiredApiKey,
                format!(
                    "this API key expired at {}; ask for a new one",
                    expires_at.timestamp()
                ),
            ));
        }
        Ok(Self {
            workspace: record.workspace.clone(),
            user: record.user.clone(),
            session: None,
            key_id: Some(record.id.clone()),
            models: record.models.clone(),
            moderation: record.moderation.clone(),
        })
    }

    /// Whether it may call a model.
    pub fn may_call(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| glob::matches(pattern, model))
    }
}

/// The hash of the key in a request: the first of `names` that is there.
///
/// # Errors
/// `invalid_api_key` where a credential header comes twice, is empty or absurdly long, or where there is none.
pub fn credential(headers: &Headers<'_>, names: &[String]) -> Result<KeyHash, Refusal> {
    let mut found = None;
    for name in names {
        let value = headers.single(name).map_err(|_| {
            Refusal::new(
                Code::InvalidApiKey,
                format!("the header {name} came more than once; send it once"),
            )
            .at(name.as_str())
        })?;
        let Some(value) = value else { continue };
        if found.is_none() {
            found = Some((name, secret_of(name, value)));
        }
    }
    match found {
        None => Err(Refusal::new(
            Code::InvalidApiKey,
            format!(
                "no API key; send it as `authorization: Bearer tg_…` (or in {})",
                names.join(", ")
            ),
        )),
        Some((name, secret)) => match secret {
            Some(secret) if secret.len() <= MAX_KEY_BYTES => Ok(KeyHash::of(secret)),
            _ => Err(
                Refusal::new(Code::InvalidApiKey, format!("the header {name} holds no API key"))
                    .at(name.as_str()),
            ),
        },
    }
}

/// The refusal for a key that nobody knows. It is the same for a revoked one: a guesser learns nothing.
pub fn unknown_key() -> Refusal {
    Refusal::new(
        Code::InvalidApiKey,
        "unknown API key; check it, or ask for a new one",
    )
}

/// The key in a header's value: after `Bearer ` (RFC 6750; case-insensitive by RFC 9110 §11.1) in
/// `authorization`, the whole value elsewhere.
fn secret_of<'a>(name: &str, value: &'a [u8]) -> Option<&'a [u8]> {
    let secret = if name == "authorization" {
        let (scheme, rest) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)?
    } else {
        value
    };
    let secret = secret.trim_ascii();
    (!secret.is_empty()).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        CREDENTIAL_HEADERS.map(str::to_owned).to_vec()
    }

    fn find(pairs: &[(&[u8], &[u8])]) -> Result<KeyHash, Refusal> {
        credential(&Headers::new(pairs), &names())
    }

    #[test]
    fn every_sdk_finds_its_own_header_understood() {
        let expected = Ok(KeyHash::of(b"tg_live_x"));
        for pair in [
            (&b"authorization"[..], &b"Bearer tg_live_x"[..]),
            (b"authorization", b"bearer  tg_live_x "),
            (b"x-api-key", b"tg_live_x"),
            (b"api-key", b"tg_live_x"),
            (b"x-goog-api-key", b"tg_live_x"),
        ] {
            assert_eq!(find(&[pair]), expected);
        }
    }

    #[test]
    fn the_first_configured_header_wins() {
        let pairs: &[(&[u8], &[u8])] = &[(b"x-api-key", b"second"), (b"authorization", b"Bearer first")];
        assert_eq!(find(pairs), Ok(KeyHash::of(b"first")));
    }

    #[test]
    fn two_values_of_one_credential_header_are_refused_even_behind_a_good_key() {
        let pairs: &[(&[u8], &[u8])] = &[
            (b"authorization", b"Bearer k"),
            (b"api-key", b"a"),
            (b"api-key", b"b"),
        ];
        assert_eq!(find(pairs).unwrap_err().param.as_deref(), Some("api-key"));
    }

    #[test]
    fn an_unusable_credential_does_not_fall_through_to_the_next_header() {
        for value in [&b""[..], b"Bearer", b"Bearer ", b"Basic eDp5", b"\xff\xfe"] {
            let pairs: &[(&[u8], &[u8])] = &[(b"authorization", value), (b"api-key", b"tg")];
            assert_eq!(find(pairs).unwrap_err().code, Code::InvalidApiKey);
        }
    }

    #[test]
    fn status_and_expiry_decide() {
        let mut record: KeyRecord = serde_json::from_value(serde_json::json!({
            "id": "key_1", "sha256": KeyHash::of(b"k").to_hex(), "workspace": "w",
        }))
        .unwrap();
        let at = |record: &KeyRecord, now| {
            Identity::of_key(record, UnixMillis(now)).map_err(|refusal| refusal.code)
        };
        assert!(at(&record, 0).is_ok());
        record.expires_at_ms = Some(UnixMillis(10));
        assert!(at(&record, 9).is_ok());
        assert_eq!(at(&record, 10), Err(Code::ExpiredApiKey));
        record.status = KeyStatus::Paused;
        assert_eq!(at(&record, 0), Err(Code::KeyPaused));
        record.status = KeyStatus::Revoked;
        assert_eq!(at(&record, 0), Err(Code::InvalidApiKey));
    }

    #[test]
    fn a_secret_that_was_replaced_is_unknown_once_its_grace_is_over() {
        let record: KeyRecord = serde_json::from_value(serde_json::json!({
            "id": "key_1", "sha256": KeyHash::of(b"k").to_hex(), "workspace": "w", "retires_at_ms": 10,
            "expires_at_ms": 5,
        }))
        .unwrap();
        let at = |now| Identity::of_key(&record, UnixMillis(now)).map_err(|refusal| refusal.code);
        assert!(at(4).is_ok());
        assert_eq!(at(9), Err(Code::ExpiredApiKey));
        assert_eq!(at(10), Err(Code::InvalidApiKey));
    }
}
