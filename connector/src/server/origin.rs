//! Pages of other origins: which may use the API (CORS, off unless `access.control.allow.origin` names them), and that no other makes a
//! browser change anything, which needs no CORS to be sent.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::config::CrossOrigin;

/// What a page may send beside what every page may.
const ALLOWED_HEADERS: &str = "Authorization,Content-Type,Accept,Origin,X-Requested-With";

/// How long a browser need not ask again, in seconds.
const MAX_AGE: u64 = 1800;

/// Which origins may do what.
#[derive(Debug)]
pub(super) struct Origins {
    allowed: CrossOrigin,
    /// Whether requests must be for this machine by one of its own names. A page can give its own name the address of this machine
    /// (DNS rebinding), and is of the same origin then.
    only_local: bool,
}

// === impl Origins ===

impl Origins {
    pub(super) fn new(allowed: CrossOrigin, only_local: bool) -> Self {
        Self { allowed, only_local }
    }

    /// The answer to what a browser asks before a call that is not an ordinary one, if it is that and its page is allowed.
    pub(super) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut allowance = self.allowance(headers);
        if !allowance.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return None;
        }
        if let Ok(methods) = HeaderValue::try_from(self.allowed.methods.join(",")) {
            allowance.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        allowance.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
        allowance.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE));
        Some((StatusCode::OK, allowance).into_response())
    }

    /// What tells a browser that the page may read the answer. Never that it may send credentials it was not given itself.
    pub(super) fn allowance(&self, headers: &HeaderMap) -> HeaderMap {
        let mut allowance = HeaderMap::new();
        if self.allowed.origins.is_empty() {
            return allowance;
        }
        allowance.insert(header::VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
        if let Some(origin) = headers.get(header::ORIGIN).filter(|origin| self.is_allowed(origin)) {
            allowance.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        allowance
    }

    /// Whether a page of another origin, that is not allowed, made a browser send this. Programs send no `Origin`.
    pub(super) fn is_foreign(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return false };
        if self.is_allowed(origin) {
            return false;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(Authority::as_str));
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let (Some((scheme, origin)), Some(host)) = (origin, host) else { return true };
        match (place(scheme, origin), place(scheme, host)) {
            (Some(origin), Some(host)) => origin != host || (self.only_local && !is_local(&host.0)),
            _ => true,
        }
    }

    fn is_allowed(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.allowed.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}

/// Host in lower case, and port, the scheme's own if there is none.
fn place(scheme: &str, authority: &str) -> Option<(String, u16)> {
    let authority = Authority::try_from(authority).ok()?;
    let usual = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    Some((authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(usual)))
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or(host == "localhost", |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn origins(allowed: &[&str], only_local: bool) -> Origins {
        let origins = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        Origins::new(CrossOrigin { origins, methods: vec!["PUT".to_owned()] }, only_local)
    }

    fn foreign(origins: &Origins, origin: &'static str, host: &'static str) -> bool {
        origins.is_foreign(&headers(&[("origin", origin), ("host", host)]), &Uri::from_static("/"))
    }

    #[test]
    fn a_page_is_foreign_unless_it_comes_from_here() {
        let none = origins(&[], false);
        assert!(!none.is_foreign(&headers(&[("host", "a:1")]), &Uri::from_static("/")), "a program");
        for (origin, host) in
            [("http://a:1", "a:1"), ("http://A", "a:80"), ("https://a", "a"), ("http://[::1]:1", "[::1]:1")]
        {
            assert!(!foreign(&none, origin, host), "{origin} {host}");
        }
        for (origin, host) in
            [("http://b:1", "a:1"), ("http://a:2", "a:1"), ("null", "a:1"), ("", "a:1"), ("http://a", "a:81")]
        {
            assert!(foreign(&none, origin, host), "{origin} {host}");
        }
        assert!(none.is_foreign(&headers(&[("origin", "http://a:1")]), &Uri::from_static("/")), "no host");
        let some = origins(&["http://b:1"], false);
        assert!(!foreign(&some, "http://b:1", "a:1") && foreign(&some, "http://c:1", "a:1"));
        assert!(!foreign(&origins(&["*"], false), "http://c:1", "a:1"));
    }

    #[test]
    fn a_name_that_was_pointed_here_is_foreign() {
        let local = origins(&[], true);
        assert!(foreign(&local, "http://evil.example:1", "evil.example:1"));
        for here in ["localhost:1", "127.0.0.1:1", "[::1]:1"] {
            let origin: &'static str = format!("http://{here}").leak();
            assert!(!foreign(&local, origin, here), "{here}");
        }
    }

    #[test]
    fn allowances_are_made_to_those_named_only() {
        let asked = headers(&[("origin", "http://bar.example"), ("access-control-request-method", "PUT")]);
        let (none, some) = (origins(&[], false), origins(&["http://bar.example"], false));
        assert!(none.preflight(&Method::OPTIONS, &asked).is_none() && none.allowance(&asked).is_empty());
        let preflight = some.preflight(&Method::OPTIONS, &asked).unwrap();
        assert_eq!(preflight.headers()["access-control-allow-origin"], "http://bar.example");
        assert_eq!(preflight.headers()["access-control-allow-methods"], "PUT");
        assert!(!preflight.headers().contains_key("access-control-allow-credentials"));
        assert!(some.preflight(&Method::PUT, &asked).is_none());
        let other = headers(&[("origin", "http://baz.example"), ("access-control-request-method", "PUT")]);
        assert!(some.preflight(&Method::OPTIONS, &other).is_none());
        assert!(!some.allowance(&other).contains_key("access-control-allow-origin"));
        let all = origins(&["*"], false);
        assert_eq!(all.allowance(&other)["access-control-allow-origin"], "http://baz.example");
    }
}
