//! The page for people at `GET /`: connectors, tasks, traces and warnings, read from the same endpoints that programs read.
//!
//! One file with its style and script, which loads nothing but answers of this worker. Names and traces are strangers' text: the script puts
//! them into the page as text only, and the policy would keep anything else from running.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// Lets the browser run this script and no other, show this style and no other, and ask this worker and nobody else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (hash(PAGE, "script"), hash(PAGE, "style"));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is fit for a header")
});

/// Whether a browser asks: `text/html` is named, and JSON is not wanted as much.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = || headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let html = weight(accept(), "text/html");
    html > 0.0 && html > weight(accept(), "application/json")
}

/// The page.
pub(super) fn answer() -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(PAGE)).into_response()
}

/// How much this media type, named as such, is wanted: 0 if it is not.
fn weight<'a>(accept: impl Iterator<Item = &'a str>, wanted: &str) -> f32 {
    let ranges = accept.flat_map(|value| value.split(','));
    let weights = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next()?.eq_ignore_ascii_case(wanted);
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        named.then(|| quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
    });
    weights.fold(0.0, f32::max)
}

/// The hash of what stands in the page's one element of this name, as a policy has it.
fn hash(page: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let inner = page.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map_or("", |(inner, _)| inner);
    STANDARD.encode(Sha256::digest(inner))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn wants(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(header::ACCEPT, accept.parse().unwrap());
        }
        wants_html(&headers)
    }

    #[test]
    fn browsers_get_the_page_and_programs_do_not() {
        for accept in [
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"][..],
            &["text/html"],
            &["application/json;q=0.5, Text/HTML ; q=0.9"],
            &["*/*;q=0.1", "text/html"],
        ] {
            assert!(wants(accept), "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &["text/*"],
            &["application/json"],
            &["application/json, text/html"],
            &["text/html;q=0, */*"],
            &["text/html;q=0.5, application/json"],
            &["text/html;q=NaN"],
            &["application/json, text/plain, */*"],
            &["text/htmlx"],
        ] {
            assert!(!wants(accept), "{accept:?}");
        }
    }

    #[test]
    fn the_policy_lets_the_pages_own_script_and_style_run_and_nothing_else() {
        let headers = answer().headers().clone();
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for element in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{element}")).count(), 1, "one {element}, without attributes");
            assert!(PAGE.contains(&format!("<{element}>")) && hash(PAGE, element) != hash("", element));
            assert!(policy.contains(&format!("{element}-src 'sha256-{}'", hash(PAGE, element))), "{policy}");
        }
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        // `printf 'abc' | openssl dgst -sha256 -binary | base64`
        assert_eq!(hash("<b>abc</b>", "b"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }

    #[test]
    fn the_page_loads_nothing_of_others_and_has_text_for_text_only() {
        for foreign in ["http://", "https://", "src=", "@import", "url(", "//cdn"] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
        // Everything by which text becomes elements or code.
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "DOMParser",
            "setHTML",
            "createContextualFragment",
            "onclick=",
            "onload=",
            "onerror=",
            "style=",
            "javascript:",
        ] {
            assert!(!PAGE.contains(way), "{way}");
        }
    }
}
