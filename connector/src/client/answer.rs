//! What a worker answered, and what it means for whoever asked.

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ClientError;
use crate::dlq::text::excerpt;

/// How much of an answer is taken. A connector is some kilobytes of it.
const ANSWER_MAX: usize = 64 << 20;

/// How much of a strange answer is shown, in characters.
const STRANGE_SHOWN: usize = 200;

/// What a worker answered, be it good or bad.
#[derive(Debug)]
pub struct Answer {
    asked: String,
    status: StatusCode,
    body: Vec<u8>,
    user: Option<String>,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
struct ErrorMessage {
    message: Option<String>,
}

// === impl Answer ===

impl Answer {
    /// Reads the whole of it. `asked`: method and address; `user`: as whom.
    pub(super) async fn read(asked: String, user: Option<String>, response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status();
        Ok(Self { asked, status, body: read(response).await?, user })
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// This answer, if it is a good one.
    ///
    /// # Errors
    ///
    /// What the worker says against it.
    pub fn success(self) -> Result<Self, ClientError> {
        if self.status.is_success() { Ok(self) } else { Err(self.refused()) }
    }

    /// What an answer that is not a good one says.
    pub fn refused(&self) -> ClientError {
        let (asked, status) = (self.asked.clone(), self.status.as_u16());
        if self.status == StatusCode::UNAUTHORIZED {
            return ClientError::Unauthorized { asked, user: self.user.clone() };
        }
        match self.message() {
            Some(message) => ClientError::Refused { asked, status, message: printable(&message) },
            None => self.strange(),
        }
    }

    /// The body as `T`.
    ///
    /// # Errors
    ///
    /// It is none: no worker answered.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| self.strange())
    }

    /// An answer that is no worker's.
    pub fn strange(&self) -> ClientError {
        let body = excerpt(&String::from_utf8_lossy(&self.body), STRANGE_SHOWN);
        let body = if body.is_empty() { "an empty body".to_owned() } else { body };
        ClientError::Strange { asked: self.asked.clone(), status: self.status.as_u16(), body }
    }

    fn message(&self) -> Option<String> {
        serde_json::from_slice::<ErrorMessage>(&self.body).ok()?.message.filter(|message| !message.is_empty())
    }

    /// Whether it tells of a state of a cluster that passes, in the words of Connect; `already exists` does not.
    pub(super) fn is_passing(&self) -> bool {
        let message = || self.message().unwrap_or_default();
        match self.status.as_u16() {
            409 => ["rebalance", "stale configuration", "conflicting operation"]
                .iter()
                .any(|word| message().contains(word)),
            // A reading request is told of a rebalance in this way.
            500 => message().contains("a rebalance is expected"),
            _ => false,
        }
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = ANSWER_MAX - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == ANSWER_MAX {
            break;
        }
    }
    Ok(body)
}

/// The worker's words as they may be printed: names of connectors stand in them, and those may be anybody's.
fn printable(message: &str) -> String {
    let mut safe = String::with_capacity(message.len());
    for c in message.trim_end().chars() {
        match c {
            '\n' | '\\' | '"' | '\'' => safe.push(c),
            _ => safe.extend(c.escape_debug()),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workers_words_move_no_cursor() {
        assert_eq!(
            printable("no \"a\u{1b}[2J\r\u{202e}\"\n2 errors: \\d+ 'ü'\n"),
            "no \"a\\u{1b}[2J\\r\\u{202e}\"\n2 errors: \\d+ 'ü'"
        );
    }
}
