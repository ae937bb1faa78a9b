//! Where a browser says that a request comes from. A page of another origin cannot change what is said here.

use axum::http::{HeaderMap, HeaderValue, Uri, header};

const FETCH_SITE: &str = "sec-fetch-site";

/// What the browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a page that this sidecar served.
    Same,
    /// From the person: typed, or a bookmark.
    Person,
    /// From another page.
    Foreign,
    /// Nothing is said: no browser of today, or no request that could be forged in one.
    Unsaid,
}

// === impl Origin ===

impl Origin {
    /// Reads `sec-fetch-site`, which browsers send to trustworthy addresses, or else compares `origin` with `host`.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match one(headers, FETCH_SITE) {
            Ok(Some(b"same-origin")) => return Self::Same,
            Ok(Some(b"none")) => return Self::Person,
            Ok(Some(_)) | Err(Repeated) => return Self::Foreign,
            Ok(None) => {}
        }
        match (
            one(headers, header::ORIGIN.as_str()),
            one(headers, header::HOST.as_str()),
        ) {
            (Ok(None), _) => Self::Unsaid,
            (Ok(Some(origin)), Ok(Some(host))) if authority(origin).as_deref() == Some(host) => Self::Same,
            _ => Self::Foreign,
        }
    }
}

/// A header that should be there once.
struct Repeated;

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Repeated),
        (value, None) => Ok(value.map(HeaderValue::as_bytes)),
    }
}

/// `http://127.0.0.1:10002` → `127.0.0.1:10002`.
fn authority(origin: &[u8]) -> Option<Vec<u8>> {
    let uri = Uri::try_from(origin).ok()?;
    uri.scheme()?;
    Some(uri.authority()?.as_str().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Origin::of(&headers)
    }

    #[test]
    fn the_browsers_own_word_counts_first() {
        assert_eq!(
            of(&[("sec-fetch-site", "same-origin"), ("origin", "http://other")]),
            Origin::Same
        );
        assert_eq!(of(&[("sec-fetch-site", "none")]), Origin::Person);
        for site in ["same-site", "cross-site", "", "anything"] {
            assert_eq!(of(&[("sec-fetch-site", site)]), Origin::Foreign, "{site}");
        }
        let twice = [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_eq!(of(&twice), Origin::Foreign);
    }

    #[test]
    fn an_origin_is_held_against_the_host() {
        let host = ("host", "127.0.0.1:10002");
        assert_eq!(of(&[host, ("origin", "http://127.0.0.1:10002")]), Origin::Same);
        assert_eq!(of(&[host, ("origin", "https://127.0.0.1:10002")]), Origin::Same);
        for origin in [
            "http://127.0.0.1:10003",
            "http://127.0.0.1",
            "null",
            "",
            "127.0.0.1:10002",
        ] {
            assert_eq!(of(&[host, ("origin", origin)]), Origin::Foreign, "{origin}");
        }
        assert_eq!(
            of(&[("origin", "http://127.0.0.1:10002")]),
            Origin::Foreign,
            "without a host"
        );
    }

    #[test]
    fn a_client_that_is_no_browser_says_nothing() {
        assert_eq!(of(&[("host", "127.0.0.1:10002")]), Origin::Unsaid);
    }
}
