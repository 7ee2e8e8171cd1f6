//! The demo's page: `GET /demo` draws the prices live, from `GET /demo/data`, which answers the `Snapshot` as JSON.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::board::Board;

/// One file with its style and script; it loads nothing but `/demo/data`.
const PAGE: &str = include_str!("page.html");

/// Lets the browser do what the page needs and nothing else, whatever a symbol's name may hold.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'",
);

/// The page's routes, to be merged into the listener's.
pub fn router(board: Arc<Board>) -> Router {
    Router::new().route("/demo", get(page)).route("/demo/data", get(data)).with_state(board)
}

async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE)).into_response()
}

async fn data(State(board): State<Arc<Board>>) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(board.snapshot())).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::super::testing::request;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn page_and_data_are_served() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/demo", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router(Arc::new(Board::new()))).await });
        let page = request("GET", &url, "", b"");
        assert!(page.headers.contains("content-type: text/html; charset=utf-8"), "{}", page.headers);
        assert!(page.headers.contains("content-security-policy: default-src 'none'"), "{}", page.headers);
        assert!(page.body.contains("\"/demo/data\""));
        let data = request("GET", &format!("{url}/data"), "", b"");
        assert!(data.headers.contains("cache-control: no-store"), "{}", data.headers);
        let data: serde_json::Value = serde_json::from_str(&data.body).unwrap();
        assert_eq!(data["points"], 0);
        server.abort();
    }

    #[test]
    fn page_loads_nothing_from_elsewhere() {
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            let allowed = if outside == "http://" { PAGE.matches("http://www.w3.org/2000/svg").count() } else { 0 };
            assert_eq!(PAGE.matches(outside).count(), allowed, "{outside}");
        }
    }
}
