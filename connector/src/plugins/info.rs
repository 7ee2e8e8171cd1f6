//! What is told of a plugin and its settings, field by field as Kafka Connect's clients read it.

use serde::Serialize;

/// A class that connectors can be of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// Its full name.
    pub class: &'static str,
    /// The kind of plugin, in lower case.
    pub r#type: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// Kafka's types of settings. Clients know these and no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Type {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text, blanks around it cut off.
    String,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Double,
    /// Texts separated by commas.
    List,
    /// The name of a class.
    Class,
    /// Text that is never shown.
    Password,
}

/// How much a setting matters to somebody who sets up a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Importance {
    /// It has to be thought about.
    High,
    /// It is worth a look.
    Medium,
    /// Its default is good for nearly everybody.
    Low,
}

/// How wide a field a form should have for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Width {
    /// A number or a word.
    Short,
    /// A name.
    Medium,
    /// A list or a path.
    Long,
}

/// What a setting is (Connect's ConfigKeyInfo).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigKeyInfo {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub r#type: Type,
    /// Whether it has to be given.
    pub required: bool,
    /// What holds when it is not given.
    pub default_value: Option<String>,
    /// How much it matters.
    pub importance: Importance,
    /// What it means.
    pub documentation: String,
    /// The part of a form that it stands in.
    pub group: String,
    /// How wide its field should be.
    pub width: Width,
    /// What a form calls it.
    pub display_name: String,
    /// The settings that its value decides on.
    pub dependents: Vec<String>,
    /// Its place in the group. -1 for what has none.
    pub order: i32,
    /// The same: Kafka 4.2 calls it so, and clients read the older name.
    pub order_in_group: i32,
}

/// What somebody gave for a setting, and what is wrong with it (Connect's ConfigValueInfo).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigValueInfo {
    /// The setting's name.
    pub name: String,
    /// What was given, or the default; placeholders as they were written, secrets hidden, and nothing for what can't be read.
    pub value: Option<String>,
    /// What it could be.
    pub recommended_values: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether a form shows it.
    pub visible: bool,
}

/// A setting, and what was given for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigInfo {
    /// What it is.
    pub definition: ConfigKeyInfo,
    /// What was given.
    pub value: ConfigValueInfo,
}

/// What came of looking at a configuration (Connect's ConfigInfos).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigInfos {
    /// The class, as it was given.
    pub name: String,
    /// How many errors there are in all values.
    pub error_count: usize,
    /// The parts of a form, in order.
    pub groups: Vec<String>,
    /// Every setting there is, and those given that are wrong.
    pub configs: Vec<ConfigInfo>,
}

// === impl ConfigInfo ===

impl ConfigInfo {
    /// A setting for which nothing is known to be given yet.
    pub(super) fn new(definition: ConfigKeyInfo) -> Self {
        let value = ConfigValueInfo {
            name: definition.name.clone(),
            value: definition.default_value.clone(),
            recommended_values: Vec::new(),
            errors: Vec::new(),
            visible: true,
        };
        Self { definition, value }
    }
}
