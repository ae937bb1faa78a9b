//! The provider of single sign-on: discovered when first needed, asked for one ID token a sign-in.

use std::time::{Duration, Instant};

use axum::http;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::url::Url;
use openidconnect::{
    AdditionalClaims, AuthorizationCode, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IdTokenFields, Nonce, PkceCodeChallenge, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::Mutex;

use super::identity::Identity;
use super::pending::Pending;
use crate::config::Oidc;
use crate::http::problem::Problem;
use crate::https::{Client, causes, client};

/// How long what the provider says of itself is believed, its keys included.
const BELIEVED: Duration = Duration::from_secs(3_600);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// All claims that are not standard ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MoreClaims {
    #[serde(flatten)]
    all: Map<String, Value>,
}

type Fields = IdTokenFields<
    MoreClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type RelyingParty = openidconnect::Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Who says who an operator is.
#[derive(Debug)]
pub struct Provider {
    config: Oidc,
    client: Client,
    /// What it says of itself, and when it was read.
    known: Mutex<Option<(CoreProviderMetadata, Instant)>>,
}

/// Why the provider did not answer as it should.
#[derive(Debug, Error)]
enum Unanswered {
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error(transparent)]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("an answer that is too large or breaks off: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

// === impl Provider ===

impl Provider {
    /// One that has not been asked yet.
    ///
    /// # Errors
    /// Where this build has no usable TLS.
    pub fn new(config: Oidc) -> Result<Self, rustls::Error> {
        Ok(Self {
            config,
            client: client()?,
            known: Mutex::default(),
        })
    }

    /// Where the browser goes, and what it must come back with.
    ///
    /// # Errors
    /// 503 where the provider cannot be reached.
    pub(super) async fn begin(&self) -> Result<(Url, Pending), Problem> {
        let party = self.party().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = party
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.config.scopes.iter().cloned())
            .set_pkce_challenge(challenge);
        let (url, state, nonce) = request.url();
        let pending = Pending {
            state,
            nonce,
            verifier,
        };
        Ok((url, pending))
    }

    /// Who has come back with a code.
    ///
    /// # Errors
    /// 401 where the provider does not take the code, or its ID token is not good; 503 where it cannot be reached.
    pub(super) async fn identify(&self, code: String, pending: Pending) -> Result<Identity, Problem> {
        let party = self.party().await?;
        let http = |request| send(self.client.clone(), request);
        let request = party
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| unavailable(&error))?
            .set_pkce_verifier(pending.verifier);
        let tokens = request.request_async(&http).await.map_err(|error| match error {
            openidconnect::RequestTokenError::Request(error) => unavailable(&error),
            other => refused("the provider did not take the code", &other),
        })?;
        let Some(token) = tokens.id_token() else {
            return Err(Problem::unauthorized_because("the provider sent no ID token"));
        };
        let claims = token
            .claims(&party.id_token_verifier(), &pending.nonce)
            .map_err(|error| refused("the provider's ID token is not good", &error))?;
        let claims = serde_json::to_value(claims).map_err(|_| Problem::internal())?;
        Identity::of(&claims, &self.config)
    }

    async fn party(&self) -> Result<RelyingParty, Problem> {
        let mut known = self.known.lock().await;
        if known.as_ref().is_none_or(|(_, read)| read.elapsed() > BELIEVED) {
            let http = |request| send(self.client.clone(), request);
            let metadata = CoreProviderMetadata::discover_async(self.config.issuer.clone(), &http);
            *known = Some((
                metadata.await.map_err(|error| unavailable(&error))?,
                Instant::now(),
            ));
        }
        let metadata = known.as_ref().map(|(metadata, _)| metadata.clone());
        let party = RelyingParty::from_provider_metadata(
            metadata.ok_or_else(Problem::internal)?,
            self.config.client_id.clone(),
            self.config.client_secret.clone(),
        );
        Ok(party.set_redirect_uri(self.config.redirect_url.clone()))
    }
}

impl AdditionalClaims for MoreClaims {}

async fn send(client: Client, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let answer = async {
        let response = client
            .request(request.map(|body| Full::new(Bytes::from(body))))
            .await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(Unanswered::Broken)?.to_bytes().to_vec();
        Ok(http::Response::from_parts(head, body))
    };
    tokio::time::timeout(PATIENCE, answer)
        .await
        .map_err(|_| Unanswered::Late)?
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(reason = %described(error), "the provider of single sign-on does not answer as it should");
    Problem::unavailable("the provider of single sign-on does not answer as it should: see the sidecar's log")
}

fn refused(what: &str, error: &dyn std::error::Error) -> Problem {
    tracing::warn!(reason = %described(error), "{what}");
    Problem::unauthorized_because(format!("{what}: sign in again"))
}

/// An error and what caused it.
fn described(error: &dyn std::error::Error) -> String {
    format!("{error}{}", causes(error))
}
