//! What a client sends and takes, as Connect's server looks at it before the request itself: 406 for an answer it would not take, 415 for a
//! body of another kind than JSON.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

const JSON: &str = "application/json";

/// Layer of the endpoints that are Connect's.
pub(super) async fn json_only(request: Request, next: Next) -> Response {
    let status = if !takes_json(request.headers()) {
        StatusCode::NOT_ACCEPTABLE
    } else if !is_json(request.method(), request.headers()) {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else {
        return next.run(request).await;
    };
    ApiError::of(status).into_response()
}

/// Whether `Accept` leaves room for JSON; without one, everything is taken.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    let mut asked = false;
    let takes = ranges.any(|value| {
        value.split(',').map(essence).filter(|range| !range.is_empty()).any(|range| {
            asked = true;
            range == "*/*" || range == "application/*" || range == JSON
        })
    });
    takes || !asked
}

/// Whether a body, if one is sent, is JSON. Clients that send none leave the type out or not, and both is well; a body without a type is not.
fn is_json(method: &Method, headers: &HeaderMap) -> bool {
    let has_body = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
        || headers.contains_key(header::TRANSFER_ENCODING);
    match headers.get(header::CONTENT_TYPE) {
        Some(given) => given.to_str().is_ok_and(|given| essence(given) == JSON),
        None => !has_body || *method == Method::GET,
    }
}

/// A media type without its parameters, in lower case.
fn essence(given: &str) -> String {
    given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn accept() {
        let takes = |accept| takes_json(&headers(&[("accept", accept)]));
        for accept in ["*/*", "application/*", "application/json;q=0.5, text/html", "", "Application/JSON"] {
            assert!(takes(accept), "{accept}");
        }
        for accept in ["text/html", "text/plain", "application/xml", "garbage"] {
            assert!(!takes(accept), "{accept}");
        }
        assert!(takes_json(&headers(&[])));
    }

    #[test]
    fn content_type() {
        let is = |given: &[(&'static str, &'static str)]| is_json(&Method::POST, &headers(given));
        assert!(is(&[]) && is(&[("content-length", "0")]));
        assert!(is(&[("content-type", "application/json; charset=utf-8"), ("content-length", "2")]));
        assert!(!is(&[("content-length", "2")]) && !is(&[("transfer-encoding", "chunked")]));
        assert!(!is(&[("content-type", "text/plain")]) && !is(&[("content-type", "application/vnd.x+json")]));
    }
}
