//! The same request under the same idempotency key is made once, and answered the same for a day.
//!
//! An answer may show a secret that is kept nowhere else. It is kept here sealed with a key that is derived of the
//! caller's own token or cookie, which is not kept either: only they can have it again.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::idempotency::{HEADER, IdempotencyKey};
use super::problem::Problem;
use crate::access::Permitted;
use crate::ledger::replies::Begun;
use crate::principal::Credential;
use crate::secret_key::random;
use crate::state::App;

/// Headers of an answer that are a part of it.
const KEPT_HEADERS: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::LOCATION,
    header::CACHE_CONTROL,
    header::ETAG,
];

/// An answer as it is kept.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// One request of one caller under one idempotency key.
#[derive(Clone)]
struct Slot {
    id: [u8; 32],
    key: [u8; 32],
}

/// Makes a request once, where it bears an idempotency key.
pub async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    match make_or_replay(app, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn make_or_replay(app: App, request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let key = IdempotencyKey::of(&parts.headers)?;
    let caller = parts.extensions.get::<Permitted>().map(Permitted::caller);
    let credential = caller.and_then(|caller| caller.credential.clone());
    let slot = Slot::new(&credential.ok_or_else(Problem::unauthorized)?, &key);
    let most = app.config().limits.admin_body_bytes;
    let body = to_bytes(body, most)
        .await
        .map_err(|_| Problem::too_large("the body is over this API's limit"))?;
    match app
        .ledger()
        .begin_reply(&slot.id, &fingerprint(&parts, &body), app.clock().now())
        .await?
    {
        Begun::New => {
            let request = Request::from_parts(parts, Body::from(body));
            // To its end, also where the caller hangs up: then it is what the next try is answered with.
            let made = tokio::spawn(make(app, slot, request, next));
            made.await.map_err(|error| {
                tracing::error!(%error, "a request under an idempotency key did not end");
                Problem::internal()
            })
        }
        Begun::Running => Err(Problem::conflict(
            "the same request came under this idempotency-key and is not answered: try again in a moment; where that \
             lasts, the sidecar ended amid it, so see whether it was done, and send a new key",
        )),
        Begun::Other => Err(Problem::key_reused()),
        Begun::Answered(sealed) => slot.open(&sealed).map(Kept::into_response),
    }
}

async fn make(app: App, slot: Slot, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let (response, kept) = Kept::of(response).await;
    let sealed = kept.and_then(|kept| slot.seal(&kept));
    if let Err(error) = app.ledger().end_reply(&slot.id, sealed.as_deref()).await {
        tracing::error!(%error, "the answer of a request under an idempotency key is not kept");
    }
    response
}

fn fingerprint(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let path = parts.uri.path();
    let mut hasher = Sha256::new_with_prefix(parts.method.as_str());
    hasher.update((path.len() as u64).to_be_bytes());
    hasher.update(path);
    hasher.update(body);
    hasher.finalize().into()
}

// === impl Slot ===

impl Slot {
    fn new(credential: &Credential, key: &IdempotencyKey) -> Self {
        let derive = |purpose: &[u8]| {
            let hasher = Sha256::new_with_prefix(purpose).chain_update(credential.bytes());
            hasher.chain_update(key.0.as_bytes()).finalize().into()
        };
        Self {
            id: derive(b"tollgate reply id"),
            key: derive(b"tollgate reply key"),
        }
    }

    fn aead(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.key)
            .ok()
            .map(LessSafeKey::new)
    }

    /// The answer, behind its nonce; none where it cannot be sealed.
    fn seal(&self, kept: &Kept) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random().ok()?;
        let mut text = serde_json::to_vec(kept).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        let aead = self.aead()?;
        aead.seal_in_place_append_tag(unique, Aad::from(self.id), &mut text)
            .ok()?;
        Some([nonce.as_slice(), &text].concat())
    }

    /// # Errors
    /// 500 where it was not sealed so.
    fn open(&self, sealed: &[u8]) -> Result<Kept, Problem> {
        self.try_open(sealed).ok_or_else(|| {
            tracing::error!("an answer that was kept cannot be opened");
            Problem::internal()
        })
    }

    fn try_open(&self, sealed: &[u8]) -> Option<Kept> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.aead()?.open_in_place(nonce, Aad::from(self.id), &mut text);
        serde_json::from_slice(opened.ok()?).ok()
    }
}

// === impl Kept ===

impl Kept {
    /// The answer, and what is kept of it: only what was done is done again the same.
    async fn of(response: Response) -> (Response, Option<Self>) {
        let (parts, body) = response.into_parts();
        // Made here, of one thing or of a thousand keys: it is in memory already.
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            return (Problem::internal().into_response(), None);
        };
        let headers = KEPT_HEADERS.iter().filter_map(|name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        });
        let kept = parts.status.is_success().then(|| Self {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        (Response::from_parts(parts, Body::from(body)), kept)
    }

    fn into_response(self) -> Response {
        let mut response = Bytes::from(self.body).into_response();
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_caller_with_the_same_key_opens_an_answer() {
        let slot = |credential: &str, key: &str| {
            Slot::new(
                &Credential::of(credential.as_bytes()),
                &IdempotencyKey(key.to_owned()),
            )
        };
        let kept = || Kept {
            status: 201,
            headers: vec![("location".to_owned(), "/x".to_owned())],
            body: "{\"key\":\"tg_live_secret\"}".to_owned(),
        };
        let sealed = slot("token", "one").seal(&kept()).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("secret"));
        assert_eq!(slot("token", "one").try_open(&sealed), Some(kept()));
        for other in [slot("token", "two"), slot("other", "one")] {
            assert_eq!(other.try_open(&sealed), None);
        }
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(slot("token", "one").try_open(&changed), None);
        assert_eq!(slot("token", "one").try_open(&[]), None);
    }
}
