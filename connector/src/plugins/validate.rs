//! Looks at a configuration as Connect does: every setting with what was given for it and what is wrong, in words that Connect's clients
//! know. What Connect does not ask for is asked by [`ConnectorConfig::check_with`], whose problems are put to the settings that they are about.
//!
//! There is one such look. A form is shown what it finds, and a connector is made only if it finds nothing: the two can't disagree.

use std::collections::BTreeMap;

use super::form::{Form, invalid, told};
use super::framework::{FRAMEWORK, items, trim};
use super::info::{ConfigInfo, ConfigInfos};
use super::version::VersionRange;
use super::{ALIASES, CLASS, ClassError, Invalid, Refused, Settings, definitions};
use crate::config::keys::{CONNECTOR, Fallback, find};
use crate::config::resolve;
use crate::config::{Checked, ConnectorConfig, Problem, Problems, Rules, is_secret, subscribes, too_many};
use crate::status::VERSION;

/// Values are repeated in our own messages up to this many characters: enough to recognise one.
const SHOWN_CHARS_MAX: usize = 200;

const NULL: &str = "Null value can not be supplied as the configuration value.";
const CLASS_KEY: &str = "connector.class";
const VERSION_KEY: &str = "connector.plugin.version";
const TOPICS: &str = "topics";
const REGEX: &str = "topics.regex";
const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

/// What a look at a configuration found.
pub(super) struct Examined {
    /// The class, as it was written.
    class: String,
    groups: Vec<String>,
    configs: Vec<ConfigInfo>,
    checked: Option<Checked<ConnectorConfig>>,
}

/// Looks at a configuration.
///
/// # Errors
/// It is of no class that there is, or has too many settings.
pub(super) fn examine(given: &Settings, rules: &dyn Rules) -> Result<Examined, ClassError> {
    if let Some(what) = too_many(given.len()) {
        return Err(ClassError::TooMany(what));
    }
    let values = resolved(given, rules);
    let class = class_of(given, &values)?;
    let mut form = Form::new(given, values);
    for (definition, row) in definitions::framework().into_iter().zip(&FRAMEWORK) {
        form.add(definition, Some(row.rule));
    }
    form.add_aliases("transforms", "Transforms");
    form.add_aliases("predicates", "Predicates");
    form.groups.extend(definitions::OWN_GROUPS.map(str::to_owned));
    definitions::own().into_iter().for_each(|definition| form.add(definition, None));
    for name in given.keys().filter(|name| find(CONNECTOR, name).is_some()) {
        form.entry(name);
    }
    plugin_version(&mut form);
    let said = [topics(&mut form), dead_letters(&mut form)];
    for (name, _) in given.iter().filter(|(_, value)| value.is_none()) {
        form.error(name, NULL);
    }
    let written = given.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
    let checked = ConnectorConfig::check_with(&written, rules).map_err(|problems| place(&mut form, problems, said));
    Ok(Examined { class, groups: form.groups, configs: form.configs, checked: checked.ok() })
}

/// What the placeholders of a configuration stand for; without those settings that can't be looked up, of which the check will tell.
fn resolved(given: &Settings, rules: &dyn Rules) -> BTreeMap<String, String> {
    let resolve = |raw: &str| resolve::resolve(raw, rules).ok().map(|resolved| resolved.value);
    given.iter().filter_map(|(key, raw)| Some((key.clone(), resolve(raw.as_deref()?)?))).collect()
}

/// The class as it was written, which has to be ours.
fn class_of(given: &Settings, values: &BTreeMap<String, String>) -> Result<String, ClassError> {
    let Some(Some(written)) = given.get(CLASS_KEY) else { return Err(ClassError::missing(given)) };
    match values.get(CLASS_KEY) {
        Some(class) if ALIASES.contains(&class.as_str()) => Ok(written.clone()),
        _ => Err(ClassError::Unknown { class: written.clone() }),
    }
}

/// The version of the class that is asked for has to be the one that there is.
fn plugin_version(form: &mut Form<'_>) {
    let Some((value, told)) = form.given(VERSION_KEY) else { return };
    match VersionRange::parse(&value) {
        Ok(None) => {}
        Ok(Some(range)) if range.contains(VERSION) => {}
        Ok(Some(range)) => {
            let range = if value == told { range.to_string() } else { told };
            let what = not_of_range(&range);
            form.error(CLASS_KEY, &what);
            form.error(VERSION_KEY, &what);
        }
        Err(_) => form.error(VERSION_KEY, &format!("Invalid version specification: {told}")),
    }
}

/// Connect's words for a version that there is not.
pub(super) fn not_of_range(range: &str) -> String {
    format!("Plugin {CLASS} not found that matches the version range {range}, available versions: [{VERSION}]")
}

/// One of the two, on both of them. Gives back of which key the check is going to say the same.
fn topics(form: &mut Form<'_>) -> Option<&'static str> {
    let (what, same) = match (form.has(TOPICS), form.has(REGEX)) {
        (true, true) => ("topics and topics.regex are mutually exclusive options, but both are set.", REGEX),
        (false, false) => ("Must configure one of topics or topics.regex", TOPICS),
        _ => return None,
    };
    form.error(TOPICS, what);
    form.error(REGEX, what);
    Some(same)
}

/// The dead-letter topic may not be one that is read. Gives back of which key the check is going to say the same.
fn dead_letters(form: &mut Form<'_>) -> Option<&'static str> {
    let (letters, told) = form.given(DEAD_LETTERS)?;
    let letters = trim(&letters);
    if letters.is_empty() {
        return None;
    }
    let told = trim(&told);
    if let Some((topics, shown)) = form.given(TOPICS)
        && items(&topics).contains(&letters)
    {
        let list = items(&shown).join(", ");
        form.error(TOPICS, &format!("The DLQ topic '{told}' may not be included in the list of topics ('topics=[{list}]') consumed by the connector"));
        return Some(DEAD_LETTERS);
    }
    let (regex, shown) = form.given(REGEX)?;
    if !subscribes(trim(&regex), letters) {
        return None;
    }
    let what = format!(
        "The DLQ topic '{told}' may not be matched by the regex for the topics ('topics.regex={}') consumed by the connector",
        trim(&shown)
    );
    form.error(REGEX, &what);
    Some(DEAD_LETTERS)
}

/// Puts the check's problems to the settings that they are about. What has been said in Connect's words is not said again: `said` are keys with
/// one problem each that has.
fn place(form: &mut Form<'_>, problems: Problems, mut said: [Option<&'static str>; 2]) {
    for problem in problems.problems {
        let key = problem.key.as_str();
        if let Some(said) = said.iter_mut().find(|said| **said == Some(key)) {
            *said = None;
        } else if !is_said(form, key) {
            let what = text(form, &problem);
            form.error(key, &what);
            // A misspelt name of a password may be anywhere, as in `consumer.override.sasl.pasword`.
            if problem.value.is_none() {
                form.hide(key);
            }
        }
    }
}

fn is_said(form: &Form<'_>, key: &str) -> bool {
    match key {
        _ if form.is_null(key) => true,
        // Each of their problems is another.
        TOPICS | REGEX | DEAD_LETTERS => false,
        // The classes under their aliases can't be found.
        "transforms" | "predicates" => form.is_wrong(key) || form.has_wrong_below(&format!("{key}.")),
        // Connect's rules are about what our table says.
        _ => FRAMEWORK.iter().any(|row| row.name == key) && form.is_wrong(key),
    }
}

/// A problem in the words of Connect, as far as it has some.
fn text(form: &Form<'_>, problem: &Problem) -> String {
    if problem.is_sentence() {
        return problem.what.clone();
    }
    let key = &problem.key;
    let given = form.is_given(key);
    let required = find(CONNECTOR, key).is_some_and(|known| known.fallback == Fallback::Required);
    if required && !given {
        return missing(key);
    }
    let allowed = problem.allowed.as_ref().map_or_else(String::new, |allowed| format!("; allowed: {allowed}"));
    let what = format!("{}{allowed}", problem.what);
    match &problem.value {
        Some(value) if value.chars().count() > SHOWN_CHARS_MAX => {
            invalid(&format!("{}…", value.chars().take(SHOWN_CHARS_MAX).collect::<String>()), key, &what)
        }
        Some(value) => invalid(value, key, &what),
        None if given && is_secret(key) && find(CONNECTOR, key).is_some() => invalid(&told(key, ""), key, &what),
        None => format!("{key}: {what}"),
    }
}

/// Connect's words for a setting that has to be given.
pub(super) fn missing(name: &str) -> String {
    format!("Missing required configuration \"{name}\" which has no default value.")
}

// === impl Examined ===

impl Examined {
    /// What was found, for a form.
    pub(super) fn infos(self) -> ConfigInfos {
        let error_count = self.configs.iter().map(|config| config.value.errors.len()).sum();
        ConfigInfos { name: self.class, error_count, groups: self.groups, configs: self.configs }
    }

    /// The configuration, if nothing was found wrong with it.
    pub(super) fn check(self) -> Result<Checked<ConnectorConfig>, Refused> {
        let errors: Vec<String> = self.configs.into_iter().flat_map(|config| config.value.errors).collect();
        match self.checked {
            Some(checked) if errors.is_empty() => Ok(checked),
            _ => Err(Refused::Invalid(Invalid { errors })),
        }
    }
}
