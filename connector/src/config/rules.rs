//! What a worker lets the settings of its connectors do: read secrets, and override properties of Kafka clients.
//!
//! Whoever checks a connector's settings has to bring these, so that no way to make one passes them by.

use super::overrides::OverridePolicy;
use super::providers::Providers;
use super::resolve::{Provider, Reference, Resolve, System};

/// What the settings of connectors may do: what placeholders stand for, and more. [`ConnectorRules`] are a worker's; tests bring their own.
pub trait Rules: Resolve {
    /// Which properties of Kafka clients connectors may set.
    fn overrides(&self) -> &OverridePolicy;
}

/// The rules of a worker; by default everything is allowed. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct ConnectorRules {
    /// Where the secrets of connectors come from.
    pub providers: Providers,
    /// Which properties of Kafka clients they may set.
    pub overrides: OverridePolicy,
}

// === impl ConnectorRules ===

impl Resolve for ConnectorRules {
    fn provider(&self, name: &str) -> Option<Provider> {
        self.providers.provider(name)
    }

    fn value(&self, reference: &Reference<'_>) -> Result<String, String> {
        self.providers.value(reference)
    }
}

impl Rules for ConnectorRules {
    fn overrides(&self) -> &OverridePolicy {
        &self.overrides
    }
}

// === impl System ===

impl Rules for System {
    fn overrides(&self) -> &OverridePolicy {
        &OverridePolicy::All
    }
}
