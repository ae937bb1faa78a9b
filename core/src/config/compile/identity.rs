//! Who calls: keys, and the headers and claims that they are found in.

use hashbrown::HashMap;

use super::Faults;
use crate::config::Jwt;
use crate::config::spec::{IdentitySpec, JwtSpec, KeyCacheSpec, KeySpec};
use crate::key::{KeyHash, KeyRecord};
use crate::table::{KeyCache, KeyCacheLimits};
use crate::time::UnixMillis;

/// Longest name of a header, in bytes.
const MAX_HEADER_NAME: usize = 100;

pub(super) fn check_identity(spec: &IdentitySpec, faults: &mut Faults) {
    if spec.credential_headers.is_empty() && spec.jwt.is_none() {
        faults.add(
            "identity.credential_headers",
            "is empty and there is no jwt; nobody could be known",
        );
    }
    for (index, name) in spec.credential_headers.iter().enumerate() {
        check_header_name(name, &format!("identity.credential_headers[{index}]"), faults);
    }
    check_header_name(&spec.session_header, "identity.session_header", faults);
    check_header_name(&spec.tags_header, "identity.tags_header", faults);
}

/// Names of headers as HTTP/2 and Envoy have them: RFC 9110 tokens in lower case.
fn check_header_name(name: &str, path: &str, faults: &mut Faults) {
    let is_token =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.!#$%&'*+^`|~".contains(&byte);
    if name.is_empty() || name.len() > MAX_HEADER_NAME || !name.bytes().all(is_token) {
        faults.add(
            path,
            format!("`{name}` is no header name; write it in lower case, like x-api-key"),
        );
    }
}

pub(super) fn compile_keys(specs: &[KeySpec], faults: &mut Faults) -> HashMap<KeyHash, KeyRecord> {
    let mut keys = HashMap::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let path = format!("keys[{index}]");
        if spec.id.is_empty() || spec.workspace.is_empty() {
            faults.add(&path, "id and workspace must not be empty");
        }
        let record = KeyRecord {
            id: spec.id.clone(),
            sha256: spec.sha256,
            workspace: spec.workspace.clone(),
            user: spec.user.clone(),
            models: spec.models.iter().map(|glob| glob.as_str().to_owned()).collect(),
            expires_at_ms: spec.expires_at.map(UnixMillis::from),
            retires_at_ms: None,
            status: spec.status,
            moderation: spec.moderation.clone(),
        };
        if keys.insert(spec.sha256, record).is_some() {
            faults.add(
                format!("{path}.sha256"),
                "another key has the same; each secret belongs to one key",
            );
        }
    }
    keys
}

pub(super) fn compile_key_cache(spec: &KeyCacheSpec) -> KeyCache {
    KeyCache::new(
        "tollgate/1",
        KeyCacheLimits {
            max_keys: spec.max_keys,
            max_unknown: spec.max_keys / 4,
            fresh_ms: spec.ttl.millis(),
            keep_ms: spec.stale_ttl.millis(),
            unknown_ms: spec.unknown_ttl.millis(),
        },
    )
}

// === impl Jwt ===

impl From<JwtSpec> for Jwt {
    fn from(spec: JwtSpec) -> Self {
        Self {
            payload: spec.payload_in_metadata,
            workspace: spec.workspace_claim,
            user: spec.user_claim,
            session: spec.session_claim,
        }
    }
}
