//! The settings of one answer, in its order, while they are being filled.

use std::collections::BTreeMap;

use super::Settings;
use super::definitions;
use super::framework::{self, GROUPS, Rule, items, trim};
use super::info::{ConfigInfo, ConfigKeyInfo, Type};
use super::validate::missing;
use crate::config::shown;
use crate::status::VERSION;

/// What Connect shows in the place of a password.
const HIDDEN: &str = "[hidden]";

/// The settings of one answer.
pub(super) struct Form<'a> {
    given: &'a Settings,
    /// Placeholders resolved; without what can't be looked up.
    values: BTreeMap<String, String>,
    pub(super) groups: Vec<String>,
    pub(super) configs: Vec<ConfigInfo>,
    /// Where in `configs` a setting is.
    places: BTreeMap<String, usize>,
}

/// What may be told of a value.
pub(super) fn told(name: &str, raw: &str) -> String {
    shown(name, raw).unwrap_or_else(|| HIDDEN.to_owned())
}

/// Connect's words for a value that is wrong.
pub(super) fn invalid(value: &str, name: &str, what: &str) -> String {
    format!("Invalid value {value} for configuration {name}: {what}")
}

// === impl Form ===

impl<'a> Form<'a> {
    pub(super) fn new(given: &'a Settings, values: BTreeMap<String, String>) -> Self {
        let groups = GROUPS.map(str::to_owned).to_vec();
        Self { given, values, groups, configs: Vec::new(), places: BTreeMap::new() }
    }

    /// Adds a setting, and reads what was given for it. `rule` is Connect's; settings of ours, which have none, are judged elsewhere.
    pub(super) fn add(&mut self, definition: ConfigKeyInfo, rule: Option<Rule>) {
        let name = definition.name.clone();
        let mut config = ConfigInfo::new(definition);
        config.value.recommended_values = match name.as_str() {
            "connector.plugin.version" => vec![VERSION.to_owned()],
            name => definitions::words(name).iter().map(|&word| word.to_owned()).collect(),
        };
        match self.given.get(&name) {
            None if config.definition.required && rule.is_some() => config.value.errors.push(missing(&name)),
            None => {}
            Some(None) => {
                config.value.value = None;
                let broken = rule.and_then(|rule| rule.broken(None, false));
                config.value.errors.extend(broken.map(|what| invalid("null", &name, &what)));
            }
            Some(Some(raw)) => self.read(&mut config, raw, rule),
        }
        self.push(config);
    }

    fn read(&self, config: &mut ConfigInfo, raw: &str, rule: Option<Rule>) {
        let (name, r#type) = (config.definition.name.as_str(), config.definition.r#type);
        let told = told(name, raw);
        let Some(value) = self.values.get(name) else {
            config.value.value = Some(told);
            return;
        };
        // Neither a secret nor out of a placeholder.
        let is_plain = *value == told;
        let errors = &mut config.value.errors;
        match framework::parse(r#type, value, trim(&told)) {
            Ok(parsed) => {
                let shown = if is_plain { parsed.clone() } else { told };
                if let Some(what) = rule.and_then(|rule| rule.broken(Some(&parsed), !is_plain)) {
                    let list = || format!("[{}]", items(&shown).join(", "));
                    let shown = if r#type == Type::List { list() } else { shown.clone() };
                    errors.push(invalid(&shown, name, &what));
                }
                config.value.value = Some(shown);
            }
            Err(what) => {
                if let Some(rule) = rule {
                    errors.push(invalid(&told, name, &what));
                    errors.extend(rule.broken(None, false).map(|what| invalid("null", name, &what)));
                }
                config.value.value = (!is_plain).then_some(told);
            }
        }
    }

    /// Adds the class of each of Connect's transformations or predicates that are named. There are no such classes.
    pub(super) fn add_aliases(&mut self, list: &str, title: &str) {
        let aliases = self.values.get(list).cloned().unwrap_or_default();
        if self.is_wrong(list) {
            return;
        }
        for alias in items(&aliases) {
            let (name, group) = (format!("{list}.{alias}.type"), format!("{title}: {alias}"));
            let mut config = ConfigInfo::new(definitions::of_alias(&name, &group));
            match self.given.get(&name) {
                None => config.value.errors.push(missing(&name)),
                Some(None) => {}
                Some(Some(class)) => {
                    let class = told(&name, class);
                    let what = format!(
                        "Class {class} could not be found. Sluice runs no Connect transformations, and leaving them out would change what is \
                         written: put them into transform.module"
                    );
                    config.value.errors.push(invalid(&class, &name, &what));
                }
            }
            self.groups.push(group);
            self.push(config);
        }
    }

    fn push(&mut self, config: ConfigInfo) {
        self.places.insert(config.value.name.clone(), self.configs.len());
        self.configs.push(config);
    }

    /// The entry of a setting; made if it has none, as those have of which there may be any number, and those that nobody knows.
    pub(super) fn entry(&mut self, name: &str) -> &mut ConfigInfo {
        let at = match self.places.get(name) {
            Some(at) => *at,
            None => {
                let mut config = ConfigInfo::new(definitions::of_given(name));
                config.value.value = self.given.get(name).cloned().flatten().map(|raw| told(name, &raw));
                self.push(config);
                self.configs.len() - 1
            }
        };
        &mut self.configs[at]
    }

    /// Says what is wrong with a setting.
    pub(super) fn error(&mut self, name: &str, what: &str) {
        self.entry(name).value.errors.push(what.to_owned());
    }

    /// Shows nothing of what was given for a setting.
    pub(super) fn hide(&mut self, name: &str) {
        if let Some(Some(_)) = self.given.get(name) {
            self.entry(name).value.value = Some(HIDDEN.to_owned());
        }
    }

    /// The value of a setting, placeholders resolved, and what may be told of it.
    pub(super) fn given(&self, name: &str) -> Option<(String, String)> {
        let raw = self.given.get(name)?.as_deref()?;
        Some((self.values.get(name)?.clone(), told(name, raw)))
    }

    /// Whether a setting was given and is not blank, as far as can be known.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_there = |raw: &Option<String>| raw.as_deref().is_some_and(|raw| !trim(raw).is_empty());
        self.given.get(name).is_some_and(is_there) && self.values.get(name).is_none_or(|value| !trim(value).is_empty())
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    pub(super) fn is_null(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(Option::is_none)
    }

    /// Whether something is wrong with a setting.
    pub(super) fn is_wrong(&self, name: &str) -> bool {
        self.places.get(name).is_some_and(|at| !self.configs[*at].value.errors.is_empty())
    }

    /// Whether something is wrong with any setting that begins like this.
    pub(super) fn has_wrong_below(&self, prefix: &str) -> bool {
        let below = self.places.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        below.into_iter().any(|(_, at)| !self.configs[*at].value.errors.is_empty())
    }
}
