//! Reading the body of a request within a limit, and reading one that nobody wants.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;

use super::error::ApiError;

/// How much of an unwanted body is read at the most, and for how long.
const DISCARD_MAX_BYTES: u64 = 64 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// All bytes of a body that has at most `limit`; `what` it is, for messages.
pub(super) async fn read(mut body: Body, limit: u64, what: &str) -> Result<Vec<u8>, ApiError> {
    let too_large = || {
        let message = format!("{what} has more than {limit} bytes, which is the limit");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    if body.size_hint().lower() > limit {
        discard(body).await;
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(data) = next(&mut body).await? {
        if (bytes.len() + data.len()) as u64 > limit {
            drop(bytes);
            discard(body).await;
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads a body without keeping it, so that whoever sends it comes to read the answer: a connection that is closed while data comes in is
/// reset, and the answer lost. Only up to a limit; whoever sends more has to live with that.
pub(super) async fn discard(mut body: Body) {
    let read = async {
        let mut left = DISCARD_MAX_BYTES;
        while let Ok(Some(data)) = next(&mut body).await
            && left > 0
        {
            left = left.saturating_sub(data.len() as u64);
        }
    };
    // Over or not, it is dropped.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

/// The next bytes, `None` at the end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            None => return Ok(None),
            Some(Err(error)) => {
                let message = format!("the body of the request broke off: {error}");
                return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
            }
            Some(Ok(frame)) => {
                // What is no data are trailers.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
