//! The page for operators: static files at `/`, which ask the admin API like everybody else.
//!
//! Nothing is loaded from elsewhere, and the Content-Security-Policy says so: no other origin, no inline script, no
//! inline style.

mod assets;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::assets::{Asset, Assets};
use crate::http::problem::Problem;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// How long a browser may keep a file without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// For good: its path changes with it.
    ForGood,
    /// It asks each time whether it has changed.
    Asking,
    /// Not at all: the path is of another build, as during an update of several sidecars.
    Not,
}

/// `/` and `/assets/{build}/…`, open to everyone: they tell nothing that the repository does not.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(index))
        .route("/assets/{build}/{*path}", get(file))
}

async fn index(headers: HeaderMap) -> Response {
    send(Assets::get().index(), Keep::Asking, &headers)
}

async fn file(Path((build, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let assets = Assets::get();
    let keep = if build == assets.build {
        Keep::ForGood
    } else {
        Keep::Not
    };
    match assets.file(&path) {
        Some(asset) => send(asset, keep, &headers),
        None => Problem::not_found("the page has no such file").into_response(),
    }
}

fn send(asset: &Asset, keep: Keep, request: &HeaderMap) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, asset.etag.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep.as_str()));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if lists(request, IF_NONE_MATCH, |tag| {
        tag == "*" || tag.as_bytes() == asset.etag.as_bytes()
    }) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    let takes_gzip = lists(request, ACCEPT_ENCODING, |coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !is_zero(weight)
    });
    let body = match &asset.gzip {
        Some(packed) if takes_gzip => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            packed
        }
        _ => &asset.plain,
    };
    (headers, body.clone()).into_response()
}

/// Whether one of a header's comma-separated values is one that is looked for.
fn lists(headers: &HeaderMap, name: HeaderName, is_one: impl Fn(&str) -> bool) -> bool {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|value| is_one(value.trim()))
}

/// Whether a weight (RFC 9110, section 12.4.2) says "not at all".
fn is_zero(weight: &str) -> bool {
    let digits = weight.trim().strip_prefix("q=");
    digits.is_some_and(|digits| digits.chars().all(|c| matches!(c, '0' | '.')))
}

// === impl Keep ===

impl Keep {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ForGood => "public, max-age=31536000, immutable",
            Self::Asking => "no-cache",
            Self::Not => "no-store",
        }
    }
}
