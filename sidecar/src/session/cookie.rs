//! The session's cookie (RFC 6265): out of the page's reach, and sent to the admin API of this origin only.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use super::SessionSecret;

/// The cookie's name.
pub const NAME: &str = "tollgate_session";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The session's secret in a request; none where there is no cookie, or one that is no secret.
pub(super) fn read(headers: &HeaderMap) -> Option<SessionSecret> {
    SessionSecret::parse(value(headers, NAME)?)
}

/// The value of the first cookie of a name.
pub(super) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut pairs = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(given, _)| given.trim() == name)?;
    Some(value.trim())
}

/// Has the browser keep the secret for so long.
pub(super) fn keep(secret: &SessionSecret, lifetime: Duration, headers: &HeaderMap) -> Option<HeaderValue> {
    set(&session(&secret.to_text()), lifetime, headers)
}

/// Has the browser forget it.
pub(super) fn forget(headers: &HeaderMap) -> Option<HeaderValue> {
    set(&session(""), Duration::ZERO, headers)
}

fn session(value: &str) -> String {
    format!("{NAME}={value}; Path=/admin/v1; SameSite=Strict")
}

/// Has the browser keep a cookie for so long, out of every page's reach.
pub(super) fn set(cookie: &str, lifetime: Duration, headers: &HeaderMap) -> Option<HeaderValue> {
    // The sidecar itself speaks HTTP. A client that lies here gets a cookie that it will not send: its own loss.
    let is_https = headers
        .get(FORWARDED_PROTO)
        .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{cookie}; Max-Age={}; HttpOnly{secure}", lifetime.as_secs());
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let pair = |cookie: &&str| (header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        cookies.iter().map(pair).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let secret = SessionSecret::generate().unwrap();
        let text = secret.to_text();
        for cookies in [
            vec![format!("tollgate_session={text}")],
            vec![format!("a=1; tollgate_session={text}; b=2")],
            vec!["a=1".to_owned(), format!("tollgate_session={text}")],
        ] {
            let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
            assert_eq!(read(&headers(&cookies)), Some(secret.clone()), "{cookies:?}");
        }
    }

    #[test]
    fn other_cookies_are_none_of_ours() {
        for cookie in [
            "",
            "tollgate_session",
            "tollgate_session=x",
            "xtollgate_session=00",
            "a=tollgate_session",
        ] {
            assert_eq!(read(&headers(&[cookie])), None, "{cookie}");
        }
    }

    #[test]
    fn it_is_secure_where_the_browser_speaks_https() {
        let mut sent = HeaderMap::new();
        let plain = forget(&sent).unwrap();
        assert_eq!(
            plain,
            "tollgate_session=; Path=/admin/v1; SameSite=Strict; Max-Age=0; HttpOnly"
        );
        sent.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        assert!(forget(&sent).unwrap().to_str().unwrap().ends_with("; Secure"));
    }
}
