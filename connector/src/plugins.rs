//! The one class of connectors, as Kafka Connect's clients know plugins: what it is called, what its settings are, and what is wrong with a
//! configuration.
//!
//! Pure but for the placeholders, which are looked up.
//!
//! - what clients read, field by field: `plugins/info.rs`
//! - what every setting is: `plugins/definitions.rs`, of Connect's own `plugins/framework.rs`
//! - what is wrong: `plugins/validate.rs`, gathered in `plugins/form.rs`; the checks of ours are those of [`ConnectorConfig::check`]
//! - which version is asked for: `plugins/version.rs`

mod definitions;
mod form;
mod framework;
mod info;
#[cfg(test)]
mod tests;
mod validate;
mod version;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::config::{Checked, ConnectorConfig, Rules};
use crate::status::VERSION;
pub use info::{ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo, Importance, PluginInfo, Type, Width};
pub use version::{NoVersionRange, VersionRange};

/// The full name of the class of connectors. Clients written in Java expect a package before it.
pub const CLASS: &str = "io.sluice.InfluxSinkConnector";

/// Every name of the class that may be given, as Connect makes them: the full one, that without the package, and that without `Connector`.
pub const ALIASES: [&str; 3] = [CLASS, "InfluxSinkConnector", "InfluxSink"];

/// A configuration as clients send it; `None` is a JSON null.
pub type Settings = BTreeMap<String, Option<String>>;

/// Why a configuration is not looked at. Clients know how the messages begin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClassError {
    /// It names no class.
    #[error("Connector config {config} contains no connector type")]
    Missing {
        /// The configuration, secrets hidden.
        config: String,
    },
    /// There is no such class.
    #[error(
        "Failed to find any class that implements Connector and which name matches {class}, available connectors are: {}",
        ALIASES.join(", also called ")
    )]
    Unknown {
        /// The class, as it was written.
        class: String,
    },
    /// It has too many settings.
    #[error("{0}")]
    TooMany(String),
    /// It is not the class that was asked about.
    #[error("Included connector type {included} does not match request type {requested}")]
    Mismatch {
        /// The class in the configuration.
        included: String,
        /// The class in the request's path.
        requested: String,
    },
}

/// Why there is nothing to tell of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PluginError {
    /// There is no such plugin.
    #[error("Unknown plugin {0}.")]
    Unknown(String),
    /// There is none of this version.
    #[error("{}", validate::not_of_range(.0))]
    Version(String),
    /// The version asked for is none.
    #[error(transparent)]
    NoVersion(#[from] NoVersionRange),
}

/// What is wrong with a configuration. `Display` is Connect's message, which clients take apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong, in the order of the settings.
    pub errors: Vec<String>,
}

/// Why a connector is not given a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is of no class that there is, or too large.
    #[error(transparent)]
    Class(#[from] ClassError),
    /// Settings are wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Every plugin. There are no converters, transformations or predicates: a transform gets a record's bytes, and the shipped transforms are
/// modules, which `transforms` could not name. So the list is the same whether or not only connectors are asked for.
pub fn catalogue() -> [PluginInfo; 1] {
    [PluginInfo { class: CLASS, r#type: "sink", version: VERSION }]
}

/// What the settings of a plugin are: ours first, then Connect's, as Connect has them. `version` is a version, a range of them, or `latest`.
///
/// # Errors
/// There is no such plugin, or none of this version.
pub fn definitions(plugin: &str, version: &str) -> Result<Vec<ConfigKeyInfo>, PluginError> {
    if !ALIASES.contains(&plugin) {
        return Err(PluginError::Unknown(plugin.to_owned()));
    }
    match VersionRange::parse(version)? {
        Some(range) if !range.contains(VERSION) => Err(PluginError::Version(range.to_string())),
        _ => Ok(definitions::own().into_iter().chain(definitions::framework()).collect()),
    }
}

/// Looks at a configuration for a form. `plugin` is the class it is meant to be of, or the end of its name; `rules` are
/// the worker's.
///
/// # Errors
/// It is of another class, or of none that there is, or has too many settings.
pub fn validate(plugin: &str, given: &Settings, rules: &dyn Rules) -> Result<ConfigInfos, ClassError> {
    if let Some(Some(included)) = given.get("connector.class")
        && !without_suffix(included).ends_with(without_suffix(plugin))
    {
        return Err(ClassError::Mismatch { included: included.clone(), requested: plugin.to_owned() });
    }
    Ok(validate::examine(given, rules)?.infos())
}

/// Checks a configuration that a connector is to have. It holds exactly if [`validate`] finds no error in it.
///
/// # Errors
/// It is of no class that there is, has too many settings, or settings are wrong: all that are, at once.
pub fn check(given: &Settings, rules: &dyn Rules) -> Result<Checked<ConnectorConfig>, Refused> {
    validate::examine(given, rules)?.check()
}

fn without_suffix(class: &str) -> &str {
    class.strip_suffix("Connector").filter(|rest| !rest.is_empty()).unwrap_or(class)
}

// === impl ClassError ===

impl ClassError {
    fn missing(given: &Settings) -> Self {
        let told = |name: &str, value: &Option<String>| match value {
            Some(value) => format!("{name}={}", form::told(name, value)),
            None => format!("{name}=null"),
        };
        let config: Vec<String> = given.iter().map(|(name, value)| told(name, value)).collect();
        Self::Missing { config: format!("{{{}}}", config.join(", ")) }
    }
}

// === impl Invalid ===

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Connector configuration is invalid and contains the following {} error(s):", self.errors.len())?;
        for error in &self.errors {
            writeln!(f, "{error}")?;
        }
        f.write_str(
            "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
        )
    }
}

impl std::error::Error for Invalid {}
