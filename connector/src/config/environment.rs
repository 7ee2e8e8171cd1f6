//! One connector from environment variables, for containers that are configured by nothing else.

use std::collections::BTreeMap;

/// Variables that begin with this are a connector's settings.
pub const CONNECTOR_PREFIX: &str = "SLUICE_CONNECTOR_";

/// But not those that begin with this: the worker's own `connector.client.config.override.policy` and its like.
const WORKER_PREFIX: &str = "SLUICE_CONNECTOR_CLIENT_CONFIG_OVERRIDE_";

/// Whether a variable is about a connector.
pub(super) fn is_of_connector(variable: &str) -> bool {
    variable.starts_with(CONNECTOR_PREFIX) && !variable.starts_with(WORKER_PREFIX)
}

/// The settings of the connector that the environment describes; none if no variable has the prefix.
///
/// `SLUICE_CONNECTOR_INFLUX_URL` is `influx.url`: lower case, an underscore is a dot. Two underscores are an underscore and three a
/// hyphen, as in the images of Kafka and of Kafka Connect. A variable that is empty counts as not given, which is how compose files
/// and Kubernetes leave one out.
pub fn connector(variables: impl IntoIterator<Item = (String, String)>) -> Option<BTreeMap<String, String>> {
    let given = variables.into_iter().filter(|(variable, value)| is_of_connector(variable) && !value.is_empty());
    let settings: BTreeMap<_, _> =
        given.filter_map(|(variable, value)| Some((key(variable.strip_prefix(CONNECTOR_PREFIX)?), value))).collect();
    (!settings.is_empty()).then_some(settings)
}

fn key(name: &str) -> String {
    // Hyphens and underscores can't stand for themselves before the dots are made, so they go by characters that no name has.
    let marked = name.to_ascii_lowercase().replace("___", "\u{1}").replace("__", "\u{2}");
    marked.replace('_', ".").replace('\u{1}', "-").replace('\u{2}', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        connector(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_variable_is_a_setting() {
        let settings = of(&[
            ("SLUICE_CONNECTOR_NAME", "crypto-prices"),
            ("SLUICE_CONNECTOR_INFLUX_URL", "http://influxdb:8086"),
            ("SLUICE_CONNECTOR_TRANSFORM_CONFIG_SYMBOL__TAG", "a=b"),
            ("SLUICE_CONNECTOR_TRANSFORM_CONFIG_PRICE___FIELD", "c"),
            ("SLUICE_CONNECTOR_INFLUX_PASSWORD", ""),
            ("SLUICE_BOOTSTRAP_SERVERS", "kafka:9092"),
            ("SLUICE_CONNECTOR_CLIENT_CONFIG_OVERRIDE_POLICY", "None"),
            ("HOME", "/"),
        ]);
        let expected = [
            ("influx.url", "http://influxdb:8086"),
            ("name", "crypto-prices"),
            ("transform.config.price-field", "c"),
            ("transform.config.symbol_tag", "a=b"),
        ];
        assert_eq!(settings, Some(expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()));
        assert_eq!(of(&[("SLUICE_BOOTSTRAP_SERVERS", "kafka:9092"), ("SLUICE_CONNECTOR_NAME", "")]), None);
    }

    #[test]
    fn every_setting_of_a_connector_can_be_named() {
        for name in crate::config::keys::CONNECTOR.iter().map(|key| key.name).filter(|name| !name.ends_with('*')) {
            assert_eq!(key(&name.to_ascii_uppercase().replace('.', "_")), name);
        }
    }
}
