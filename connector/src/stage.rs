//! What a request is waiting for: told to the client when its time is over, as Kafka Connect does (`Stage`, KAFKA-15563).
//!
//! The request's own task keeps it, so that whoever waits says so without being handed anything.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

tokio::task_local! {
    static STAGE: Stage;
}

/// What one request waits for, and since when. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage(Arc<Mutex<Option<Entered>>>);

type Entered = (Cow<'static, str>, Instant);

/// Says what the request at hand waits for from now on: `saving connector prices`. Nothing where there is no request.
pub(crate) fn enter(what: impl Into<Cow<'static, str>>) {
    let _ = STAGE.try_with(|stage| {
        *stage.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((what.into(), Instant::now()));
    });
}

// === impl Stage ===

impl Stage {
    /// Follows the request that this future answers.
    pub(crate) async fn follow<T>(&self, request: impl Future<Output = T>) -> T {
        STAGE.scope(self.clone(), request).await
    }

    /// The message of an answer that does not come in time, in Connect's words.
    pub(crate) fn timed_out(&self) -> String {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => "Request timed out".to_owned(),
            Some((what, since)) => {
                format!(
                    "Request timed out. The worker is currently {what}, which began {} s ago",
                    since.elapsed().as_secs()
                )
            }
        }
    }
}
