//! The one shape of every error: Connect's `{"error_code": …, "message": …}`, the code being the HTTP status.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::types::ErrorMessage;
use crate::registry::RegistryError;

/// An answer that is not a success. The message is for whoever asked and is never empty: clients call string
/// functions on it unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    /// An error about which there is no more to say than its status, in the words of Connect's HTTP library: `HTTP
    /// 404 Not Found`.
    pub(crate) fn of(status: StatusCode) -> Self {
        Self { status, message: format!("HTTP {status}") }
    }

    /// An error that says what to do.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        let status = match &error {
            RegistryError::Unknown(_) | RegistryError::UnknownTask { .. } => StatusCode::NOT_FOUND,
            RegistryError::Exists(_) => StatusCode::CONFLICT,
            RegistryError::Invalid(_) | RegistryError::Refused(_) | RegistryError::OtherName { .. } => {
                StatusCode::BAD_REQUEST
            }
            RegistryError::FromFile(_) => StatusCode::FORBIDDEN,
            RegistryError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            RegistryError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorMessage { error_code: self.status.as_u16(), message: self.message };
        (self.status, Json(body)).into_response()
    }
}
