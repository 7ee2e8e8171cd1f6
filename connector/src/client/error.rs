//! Why a command that asks a worker did not do what was asked, in words for a person.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address is none.
    #[error("--url {url:?} is no address of a worker: {why}; one looks like http://127.0.0.1:8083")]
    Url {
        /// As it was written, without what may be a secret.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No worker can have a connector of this name, and no address can say it.
    #[error("{name:?} can't be the name of a connector: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is a user, and no password for it.
    #[error("--user {user} needs a password: set SLUICE_PASSWORD, or name a file with it by --password-file")]
    NoPassword {
        /// The user.
        user: String,
    },
    /// HTTP's Basic scheme can't say this user's name.
    #[error("--user {user:?} can't be a user's name: it must not be empty nor hold a colon or a line break")]
    User {
        /// The name.
        user: String,
    },
    /// The file of the password can't be read.
    #[error("--password-file: could not read {}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of the password has none.
    #[error("--password-file: the first line of {} is empty or longer than a password is", path.display())]
    PasswordEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The file of `--ca-file` can't be read.
    #[error("--ca-file: could not read {}", path.display())]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of `--ca-file` holds no certificate.
    #[error("--ca-file: {} is no PEM file with certificates (-----BEGIN CERTIFICATE-----)", path.display())]
    CaInvalid {
        /// The file.
        path: PathBuf,
    },
    /// The HTTP library can't be set up.
    #[error("could not set up HTTPS to {url}; name certificate authorities by --ca-file if this machine has none")]
    Setup {
        /// The address.
        url: String,
        /// What the library said.
        source: reqwest::Error,
    },
    /// No answer.
    #[error("could not ask the worker, {asked}: {why}")]
    Ask {
        /// Method and address.
        asked: String,
        /// Why, and what to do.
        why: String,
    },
    /// An answer that is not a worker's.
    #[error("{asked} was answered by {status}, and not as a worker of Kafka Connect does: {body}; is --url right?")]
    Strange {
        /// Method and address.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what came.
        body: String,
    },
    /// The worker does not know who asks.
    #[error("{asked}: {}", match user {
        Some(user) => format!("the worker does not take {user:?} with this password"),
        None => "the worker wants to know who asks: give --user, and the password by SLUICE_PASSWORD or --password-file".to_owned(),
    })]
    Unauthorized {
        /// Method and address.
        asked: String,
        /// As whom it was asked.
        user: Option<String>,
    },
    /// The worker refused, and says why.
    #[error("{message} ({asked} was answered by {status}{})", hint(*status, message))]
    Refused {
        /// Method and address.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The worker's words.
        message: String,
    },
    /// Nobody said that the connectors are to be deleted.
    #[error("{0}")]
    Unconfirmed(&'static str),
    /// The result can't be printed.
    #[error("could not print the result")]
    Print(#[from] io::Error),
}

/// What to do about it, where the worker's words may not say.
fn hint(status: u16, message: &str) -> &'static str {
    match status {
        404 => "; `sluice list` names the connectors that there are",
        400 if message.starts_with("Connectors must be in the STOPPED state") => "; `sluice stop NAME` first",
        _ => "",
    }
}

// === impl ClientError ===

impl ClientError {
    /// Whether the command line has to be changed.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Url { .. } | Self::Name { .. } | Self::NoPassword { .. } | Self::User { .. } => true,
            Self::PasswordFile { .. } | Self::PasswordEmpty { .. } => true,
            Self::CaUnreadable { .. } | Self::CaInvalid { .. } | Self::Unconfirmed(_) => true,
            Self::Setup { .. } | Self::Ask { .. } | Self::Strange { .. } | Self::Unauthorized { .. } => false,
            Self::Refused { .. } | Self::Print(_) => false,
        }
    }

    /// Whether asking on, for another connector or once more, is of no use: the command line has to be changed, or the worker does not take the
    /// password, and counts how often it is wrong.
    pub fn ends_all(&self) -> bool {
        self.is_usage() || matches!(self, Self::Unauthorized { .. })
    }

    /// Whether the worker said that there is nothing of this name.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}
