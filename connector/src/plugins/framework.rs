//! The settings that Kafka Connect gives to every sink: their names, types, groups and order, and the checks that clients know the messages of.
//!
//! Clients build forms from these, so the data are Connect's; what a setting means here is told by the table in `config/keys`.

use std::collections::BTreeSet;

use super::info::{Importance, Type, Width};
use crate::status::VERSION;

/// Groups of Connect's own settings, in the order of a form.
pub(super) const GROUPS: [&str; 4] = ["Common", "Transforms", "Predicates", "Error Handling"];

/// One of Connect's settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framework {
    pub(super) name: &'static str,
    pub(super) r#type: Type,
    pub(super) required: bool,
    pub(super) default: Option<&'static str>,
    pub(super) importance: Importance,
    pub(super) group: &'static str,
    pub(super) order: i32,
    pub(super) width: Width,
    pub(super) display: &'static str,
    pub(super) rule: Rule,
}

/// What Connect demands of a value beside its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    Any,
    /// Text that is not empty and has no control characters; nothing at all is another error.
    Name,
    /// A number that is not less than one, and not nothing.
    AtLeastOne,
    /// One of these words, in this case.
    Word(&'static [&'static str]),
    /// Names, none of them twice, and not nothing.
    Aliases,
}

/// The converters that Kafka has, which are told apart from misspelt ones. None of them does anything here, because a transform gets the bytes.
const CONVERTERS: [&str; 10] = [
    "org.apache.kafka.connect.converters.BooleanConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
    "org.apache.kafka.connect.converters.DoubleConverter",
    "org.apache.kafka.connect.converters.FloatConverter",
    "org.apache.kafka.connect.converters.IntegerConverter",
    "org.apache.kafka.connect.converters.LongConverter",
    "org.apache.kafka.connect.converters.ShortConverter",
    "org.apache.kafka.connect.json.JsonConverter",
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "org.apache.kafka.connect.storage.StringConverter",
];

const COMMON: &str = GROUPS[0];
const ERRORS: &str = GROUPS[3];

/// Every one of them, in Connect's order.
pub(super) const FRAMEWORK: [Framework; 24] = {
    use Importance::{High, Low, Medium as Middling};
    use Type::{Boolean, Class, Int, List, Long as LongInt, Short as ShortInt, String as Text};
    use Width::{Long, Medium, Short};
    [
        row("name", Text, High, COMMON, 1, Medium, "Connector name").needed().rule(Rule::Name),
        row("connector.class", Text, High, COMMON, 2, Long, "Connector class").needed(),
        row("connector.plugin.version", Text, Middling, COMMON, 3, Medium, "Connector version").or(VERSION),
        row("tasks.max", Int, High, COMMON, 4, Short, "Tasks max").or("1").rule(Rule::AtLeastOne),
        row("tasks.max.enforce", Boolean, Low, COMMON, 5, Short, "Enforce tasks max").or("true"),
        row("key.converter", Class, Low, COMMON, 6, Short, "Key converter class"),
        row("key.converter.plugin.version", Text, Low, COMMON, 7, Short, "Key converter version"),
        row("value.converter", Class, Low, COMMON, 8, Short, "Value converter class"),
        row("value.converter.plugin.version", Text, Low, COMMON, 9, Short, "Value converter version"),
        row("header.converter", Class, Low, COMMON, 10, Short, "Header converter class"),
        row("header.converter.plugin.version", Text, Low, COMMON, 11, Short, "Header converter version"),
        row("transforms", List, Low, GROUPS[1], 12, Long, "Transforms").or("").rule(Rule::Aliases),
        row("predicates", List, Low, GROUPS[2], 13, Long, "Predicates").or("").rule(Rule::Aliases),
        row("config.action.reload", Text, Low, COMMON, 14, Medium, "Reload Action")
            .or("restart")
            .rule(Rule::Word(&["none", "restart"])),
        row("errors.retry.timeout", LongInt, Middling, ERRORS, 1, Medium, "Retry Timeout for Errors").or("0"),
        row(
            "errors.retry.delay.max.ms",
            LongInt,
            Middling,
            ERRORS,
            2,
            Medium,
            "Maximum Delay Between Retries for Errors",
        )
        .or("60000"),
        row("errors.tolerance", Text, Middling, ERRORS, 3, Short, "Error Tolerance")
            .or("none")
            .rule(Rule::Word(&["none", "all"])),
        row("errors.log.enable", Boolean, Middling, ERRORS, 4, Short, "Log Errors").or("false"),
        row("errors.log.include.messages", Boolean, Middling, ERRORS, 5, Short, "Log Error Details").or("false"),
        row("topics", List, High, COMMON, 4, Long, "Topics").or(""),
        row("topics.regex", Text, High, COMMON, 4, Long, "Topics regex").or(""),
        row("errors.deadletterqueue.topic.name", Text, Middling, ERRORS, 6, Medium, "Dead Letter Queue Topic Name")
            .or(""),
        row(
            "errors.deadletterqueue.topic.replication.factor",
            ShortInt,
            Middling,
            ERRORS,
            7,
            Medium,
            "Dead Letter Queue Topic Replication Factor",
        )
        .or("3"),
        row(
            "errors.deadletterqueue.context.headers.enable",
            Boolean,
            Middling,
            ERRORS,
            8,
            Medium,
            "Enable Error Context Headers",
        )
        .or("false"),
    ]
};

const fn row(
    name: &'static str,
    r#type: Type,
    importance: Importance,
    group: &'static str,
    order: i32,
    width: Width,
    display: &'static str,
) -> Framework {
    let (required, default, rule) = (false, None, Rule::Any);
    Framework { name, r#type, required, default, importance, group, order, width, display, rule }
}

// === impl Framework ===

impl Framework {
    const fn needed(mut self) -> Self {
        self.required = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }
}

// === impl Rule ===

impl Rule {
    /// What is wrong with a value of the right type, or with there being none, in Connect's words. `hides` for a value that came out of a
    /// placeholder: nothing of it is told.
    pub(super) fn broken(self, value: Option<&str>, hides: bool) -> Option<String> {
        match (self, value) {
            (Self::Name, Some("")) => Some("String may not be empty".to_owned()),
            (Self::Name, Some(name)) => control_characters(name, hides),
            (Self::AtLeastOne, None) => Some("Value must be non-null".to_owned()),
            (Self::AtLeastOne, Some(number)) => {
                let small = number.parse::<i64>().is_ok_and(|number| number < 1);
                small.then(|| "Value must be at least 1".to_owned())
            }
            (Self::Word(words), value) => {
                let known = value.is_some_and(|value| words.contains(&value));
                (!known).then(|| format!("String must be one of: {}", words.join(", ")))
            }
            (Self::Aliases, None) => Some("entry must be non null".to_owned()),
            (Self::Aliases, Some(list)) => {
                let mut aliases = BTreeSet::new();
                let twice = items(list).into_iter().any(|alias| !aliases.insert(alias));
                twice.then(|| "Duplicate alias provided.".to_owned())
            }
            (Self::Any | Self::Name, _) => None,
        }
    }
}

/// ISO control characters, as Java has them.
fn control_characters(name: &str, hides: bool) -> Option<String> {
    let codes: Vec<String> = name.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
    match (codes.is_empty(), hides) {
        (true, _) => None,
        (false, true) => Some("String may not contain control sequences".to_owned()),
        (false, false) => Some(format!(
            "String may not contain control sequences but had the following ASCII chars: {}",
            codes.join(", ")
        )),
    }
}

/// Whether Kafka has a converter of this name: the whole one, that without the package, or that without `Converter`.
pub(super) fn is_converter(name: &str) -> bool {
    CONVERTERS.iter().any(|full| {
        let simple = full.rsplit('.').next().unwrap_or(full);
        [*full, simple].contains(&name) || simple.strip_suffix("Converter") == Some(name)
    })
}

/// The items of a list as Java splits it; none of an empty one.
pub(super) fn items(list: &str) -> Vec<&str> {
    let list = trim(list);
    if list.is_empty() { Vec::new() } else { list.split(',').map(str::trim).collect() }
}

/// Without what Java takes for blank: all up to the space.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// A value as Connect understands it; `shown` is what may be told of it.
///
/// # Errors
/// Why it is none of this type, in Connect's words.
pub(super) fn parse(r#type: Type, value: &str, shown: &str) -> Result<String, String> {
    let text = trim(value);
    let number = |number: Option<String>, name: &str| number.ok_or_else(|| format!("Not a number of type {name}"));
    match r#type {
        Type::Boolean => match text.to_ascii_lowercase() {
            word if word == "true" || word == "false" => Ok(word),
            _ => Err("Expected value to be either true or false".to_owned()),
        },
        Type::Short => number(text.parse::<i16>().ok().map(|number| number.to_string()), "SHORT"),
        Type::Int => number(text.parse::<i32>().ok().map(|number| number.to_string()), "INT"),
        Type::Long => number(text.parse::<i64>().ok().map(|number| number.to_string()), "LONG"),
        Type::Double => number(text.parse::<f64>().ok().map(|_| text.to_owned()), "DOUBLE"),
        Type::List => Ok(items(text).join(",")),
        Type::Class if is_converter(text) => Ok(text.to_owned()),
        Type::Class => Err(format!("Class {shown} could not be found.")),
        Type::String => Ok(text.to_owned()),
        Type::Password => Ok(value.to_owned()),
    }
}
