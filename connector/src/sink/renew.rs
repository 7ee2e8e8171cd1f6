//! Secrets that are changed while the data is held: they are read again, so that nobody has to restart anything.
//!
//! A new token or password usually comes by the file or folder that a `${file:…}` or `${dir:…}` names. Whenever the server's answer says
//! that somebody has to act, the connector's settings are resolved again; only if a credential or the authorities' file has changed,
//! there is another client. All other settings stay as they were at the start.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::influx::InfluxClient;
use crate::config::{ConnectorConfig, ConnectorRules, InfluxConfig, Secret};

/// The client of a connector's InfluxDB, with the credentials last read.
#[derive(Debug)]
pub struct Renewable {
    connector: Arc<ConnectorConfig>,
    rules: ConnectorRules,
    client: RwLock<Arc<InfluxClient>>,
    seen: Mutex<Credentials>,
}

/// What may change while the program runs.
#[derive(Debug, PartialEq, Eq)]
struct Credentials {
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    /// The bytes of `influx.tls.ca.location`.
    authorities: Option<Vec<u8>>,
}

// === impl Renewable ===

impl Renewable {
    /// Begins with `client`, which was made from `connector`'s settings by the rules of a worker.
    pub fn new(client: InfluxClient, connector: Arc<ConnectorConfig>, rules: ConnectorRules) -> Self {
        let seen = Mutex::new(Credentials::of(&connector.influx));
        Self { connector, rules, client: RwLock::new(Arc::new(client)), seen }
    }

    /// The client as of now.
    pub fn client(&self) -> Arc<InfluxClient> {
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the secrets again. Gives back whether there is another client now. What can't be read leaves the old one: a secret may be
    /// half written at this moment, and is looked at again before the next try.
    pub fn renew(&self) -> bool {
        let connector = &self.connector.name;
        let influx = match ConnectorConfig::check_with(&self.connector.raw, &self.rules) {
            Ok(checked) => checked.config.influx,
            Err(problems) => {
                tracing::warn!(connector, %problems, "could not read the settings again, keeping the credentials");
                return false;
            }
        };
        let fresh = Credentials::of(&influx);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == fresh {
            return false;
        }
        let Credentials { username, password, token, .. } = &fresh;
        let influx = InfluxConfig {
            username: username.clone(),
            password: password.clone(),
            token: token.clone(),
            ..self.connector.influx.clone()
        };
        match InfluxClient::new(&influx, connector) {
            Ok(client) => {
                *self.client.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(client);
                *seen = fresh;
                tracing::info!(connector, "credentials for influxdb have changed, using the new ones");
                true
            }
            Err(error) => {
                tracing::warn!(connector, error = crate::trace(&error), "the new credentials cannot be used");
                false
            }
        }
    }
}

// === impl Credentials ===

impl Credentials {
    fn of(influx: &InfluxConfig) -> Self {
        let InfluxConfig { username, password, token, tls_ca_location, .. } = influx.clone();
        let authorities = tls_ca_location.as_deref().map(Path::new).and_then(|path| std::fs::read(path).ok());
        Self { username, password, token, authorities }
    }
}
