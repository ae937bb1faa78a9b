//! The page as it is served: types, caching, compression, and what it may load.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};

use super::support::Sidecar;

async fn get(sidecar: &Sidecar, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = sidecar.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The path of a file, as the page names it.
async fn path_of(sidecar: &Sidecar, file: &str) -> String {
    let page = get(sidecar, "/", &[]).await.text().await.unwrap();
    let named = page
        .split('"')
        .find(|text| text.starts_with("assets/") && text.ends_with(file));
    format!(
        "/{}",
        named.unwrap_or_else(|| panic!("the page does not name {file}:\n{page}"))
    )
}

#[tokio::test]
async fn the_page_is_open_and_may_load_nothing_from_elsewhere() {
    let sidecar = Sidecar::start().await;
    let script = path_of(&sidecar, "js/app.js").await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        (&script, "text/javascript; charset=utf-8"),
    ] {
        let response = get(&sidecar, path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let headers = response.headers();
        assert_eq!(header(headers, "content-type"), content_type);
        assert_eq!(header(headers, "x-content-type-options"), "nosniff");
        let policy = header(headers, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        let text = response.text().await.unwrap();
        assert!(!text.contains("https://") || path != "/", "{text}");
    }
}

#[tokio::test]
async fn files_are_kept_for_good_under_the_builds_path_and_not_at_all_under_anothers() {
    let sidecar = Sidecar::start().await;
    let script = path_of(&sidecar, "js/app.js").await;
    let response = get(&sidecar, &script, &[]).await;
    assert_eq!(
        header(response.headers(), "cache-control"),
        "public, max-age=31536000, immutable"
    );
    let response = get(&sidecar, "/assets/another/js/app.js", &[]).await;
    assert_eq!(
        response.status(),
        StatusCode::OK,
        "during an update of several sidecars"
    );
    assert_eq!(header(response.headers(), "cache-control"), "no-store");
    let response = get(&sidecar, "/", &[]).await;
    assert_eq!(header(response.headers(), "cache-control"), "no-cache");
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    let sidecar = Sidecar::start().await;
    let etag = header(get(&sidecar, "/", &[]).await.headers(), "etag").to_owned();
    let list = format!("\"other\", {etag}");
    for sent in [etag.as_str(), list.as_str(), "*"] {
        let response = get(&sidecar, "/", &[("if-none-match", sent)]).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{sent}");
        assert_eq!(header(response.headers(), "etag"), etag);
        assert_eq!(response.bytes().await.unwrap().len(), 0);
    }
    let response = get(&sidecar, "/", &[("if-none-match", "\"other\"")]).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn files_are_compressed_for_those_who_take_it() {
    let sidecar = Sidecar::start().await;
    let script = path_of(&sidecar, "js/app.js").await;
    let plain = get(&sidecar, &script, &[]).await;
    assert_eq!(header(plain.headers(), "content-encoding"), "");
    assert_eq!(header(plain.headers(), "vary"), "accept-encoding");
    let plain = plain.bytes().await.unwrap();
    for takes in ["gzip", "br, gzip;q=0.5", "deflate, GZIP"] {
        let packed = get(&sidecar, &script, &[("accept-encoding", takes)]).await;
        assert_eq!(header(packed.headers(), "content-encoding"), "gzip", "{takes}");
        assert!(packed.bytes().await.unwrap().len() < plain.len());
    }
    for takes in ["br", "gzip;q=0", "gzip; q=0.0", "identity"] {
        let response = get(&sidecar, &script, &[("accept-encoding", takes)]).await;
        assert_eq!(response.bytes().await.unwrap(), plain, "{takes}");
    }
}

#[tokio::test]
async fn there_is_no_way_out_of_the_pages_folder() {
    let sidecar = Sidecar::start().await;
    for path in [
        "/assets/x/../../Cargo.toml",
        "/assets/x/%2e%2e/Cargo.toml",
        "/assets/x/..%2f..%2fCargo.toml",
        "/assets/x//etc/passwd",
        "/assets/x/index.html",
        "/assets/x/",
        "/assets",
    ] {
        assert_eq!(
            get(&sidecar, path, &[]).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
