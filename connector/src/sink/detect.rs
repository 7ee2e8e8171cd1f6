//! Who answers at `influx.url`? Asked when `influx.version=auto`.
//!
//! [`classify`] is pure: status, headers and body in, a product out. What the servers say of themselves (facts, not promises: VictoriaMetrics
//! claims to be InfluxDB 1.8.0 and QuestDB 2.7, and both are right in that they speak like it):
//!
//! | server | `GET /ping` |
//! | --- | --- |
//! | InfluxDB 1 | 204, `X-Influxdb-Version: 1.…` |
//! | InfluxDB 2, QuestDB | 204, `X-Influxdb-Version: v2.…` |
//! | InfluxDB 3 | 200, `cluster-uuid`, version 3.… in header and body; 401 with `cluster-uuid` without a token |
//! | VictoriaMetrics | 204 and no version; an empty write gives 204 and `X-Influxdb-Version: 1.8.0` |

use std::time::Duration;

use crate::config::Product;
use crate::sink::verdict::{Verdict, excerpt};

/// The server that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Whose endpoint it is written by.
    pub product: Product,
    /// The version it claims, without a leading `v`; `3` if InfluxDB 3 does not tell before it is given a token.
    pub version: String,
}

/// Why it is not known who answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// Something answers, and trying again will not make it an InfluxDB; or the settings do not fit the one that was found.
    #[error("{reason}")]
    Configuration {
        /// What was asked, what answered, and what to do.
        reason: String,
    },
    /// Nobody answers, or only to say that they are not ready.
    #[error("{reason}")]
    Transient {
        /// What was asked and what happened.
        reason: String,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
}

/// What of an answer tells who gave it.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The HTTP status.
    pub status: u16,
    /// The header `X-Influxdb-Version`.
    pub version: Option<String>,
    /// Whether there is a header `cluster-uuid`, which every answer of InfluxDB 3 carries.
    pub has_cluster_uuid: bool,
    /// The body, maybe cut.
    pub body: Vec<u8>,
}

/// Who gave this answer, as far as it tells.
pub fn classify(identity: &Identity) -> Option<Detected> {
    if let Some(detected) = identity.version.as_deref().and_then(by_version) {
        return Some(detected);
    }
    // Only next to `cluster-uuid`: any web service may have a version 3.
    if identity.has_cluster_uuid {
        let body: serde_json::Value = serde_json::from_slice(&identity.body).unwrap_or_default();
        let version = body["version"].as_str().filter(|version| version.starts_with("3.")).unwrap_or("3");
        return Some(Detected { product: Product::V3, version: version.to_owned() });
    }
    None
}

/// What kept the answer from telling: for a person who reads the log.
pub(crate) fn describe(identity: &Identity) -> String {
    let claim = identity.version.as_deref().map_or_else(String::new, |version| {
        format!(" with X-Influxdb-Version: {}", excerpt(version)) //
    });
    // The words are a web page's or another service's: their beginning is enough to recognise it.
    let body: String = excerpt(&String::from_utf8_lossy(&identity.body)).chars().take(80).collect();
    if body.is_empty() { format!("{}{claim}", identity.status) } else { format!("{}{claim}: {body}", identity.status) }
}

fn by_version(claim: &str) -> Option<Detected> {
    let version = claim.trim().trim_start_matches('v');
    let product = match version.split_once('.')?.0 {
        "1" => Product::V1,
        "2" => Product::V2,
        "3" => Product::V3,
        _ => return None,
    };
    Some(Detected { product, version: excerpt(version) })
}

impl From<DetectError> for Verdict {
    fn from(error: DetectError) -> Self {
        match error {
            DetectError::Configuration { reason } => Self::Configuration { reason },
            DetectError::Transient { reason, retry_after } => {
                Self::Transient { reason, retry_after, suspicious: false }
            }
        }
    }
}

#[cfg(test)]
mod tests;
