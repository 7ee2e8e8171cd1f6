//! The settings of a transform, with types.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::{Key, Measurement, Refused};

/// The settings `transform.config.<key>` of a connector.
///
/// Each method asks for one setting. A bad value is noted and the default returned in its place, so that all problems
/// are reported together; a setting that nobody asked for is one of them.
#[derive(Debug)]
pub struct Settings {
    given: Vec<(String, String)>,
    /// The settings asked for, each with the values it takes.
    known: Vec<(String, String)>,
    problems: Vec<String>,
}

impl Settings {
    pub(crate) fn new(given: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { given: given.into_iter().collect(), known: Vec::new(), problems: Vec::new() }
    }

    /// Any text.
    pub fn text(&mut self, key: &str, default: &str) -> String {
        self.get(key, default, "text").unwrap_or_else(|| default.to_owned())
    }

    /// Exactly one ASCII character.
    pub fn ascii(&mut self, key: &str, default: u8) -> u8 {
        let allowed = "one ASCII character";
        let Some(value) = self.get(key, &char::from(default).to_string(), allowed) else { return default };
        match value.as_bytes() {
            &[byte] if byte.is_ascii() => byte,
            _ => self.bad(key, &value, allowed, default),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &str, default: bool) -> bool {
        self.parsed(key, default, "true or false", |_| true)
    }

    /// A number within a range.
    pub fn number<T>(&mut self, key: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + Display + PartialOrd,
    {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        self.parsed(key, default, &allowed, |number| range.contains(number))
    }

    /// One of several words, each with what it stands for. The first is the default.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        let &[(default, meaning), ..] = choices else { panic!("setting {key} has no choices") };
        let words: Vec<&str> = choices.iter().map(|&(word, _)| word).collect();
        let allowed = words.join(" or ");
        let Some(value) = self.get(key, default, &allowed) else { return meaning };
        match choices.iter().find(|&&(word, _)| word == value) {
            Some(&(_, meaning)) => meaning,
            None => self.bad(key, &value, &allowed, meaning),
        }
    }

    /// A measurement's name.
    ///
    /// # Panics
    /// Line protocol can't carry the default.
    pub fn measurement(&mut self, key: &str, default: &str) -> Measurement {
        self.name(key, default, "the name of a measurement", Measurement::try_new)
    }

    /// A tag's name.
    ///
    /// # Panics
    /// Line protocol can't carry the default.
    pub fn tag_key(&mut self, key: &str, default: &str) -> Key {
        self.name(key, default, "the name of a tag", Key::try_tag)
    }

    /// A field's name.
    ///
    /// # Panics
    /// Line protocol can't carry the default.
    pub fn field_key(&mut self, key: &str, default: &str) -> Key {
        self.name(key, default, "the name of a field", Key::try_field)
    }

    /// Notes a problem with a setting in words of your own.
    pub fn problem(&mut self, key: &str, problem: impl Display) {
        self.problems.push(format!("{key}: {problem}"));
    }

    /// Everything that is wrong, or what `configured` gave.
    pub(crate) fn finish<T>(mut self, configured: Result<T, String>) -> Result<T, String> {
        let is_unknown = |given: &str| !self.known.iter().any(|(key, _)| key == given);
        let unknown: Vec<_> =
            self.given.iter().filter(|(key, _)| is_unknown(key)).map(|(key, _)| key.clone()).collect();
        for key in unknown {
            self.problem(&key, "unknown setting");
        }
        let transform = match configured {
            Ok(transform) if self.problems.is_empty() => return Ok(transform),
            Ok(_) => None,
            Err(problem) => Some(problem),
        };
        self.problems.extend(transform);
        let known: Vec<_> = self.known.iter().map(|(key, allowed)| format!("{key} ({allowed})")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("{}; known settings: {known}", self.problems.join("; ")))
    }

    /// The setting as it was given. If it comes twice the last one counts.
    fn get(&mut self, key: &str, default: &str, allowed: &str) -> Option<String> {
        self.known.push((key.to_owned(), format!("{allowed}; default {default:?}")));
        self.given.iter().rev().find(|(given, _)| given == key).map(|(_, value)| value.clone())
    }

    fn parsed<T: FromStr + Display>(
        &mut self,
        key: &str,
        default: T,
        allowed: &str,
        is_allowed: impl Fn(&T) -> bool,
    ) -> T {
        let Some(value) = self.get(key, &default.to_string(), allowed) else { return default };
        match value.parse() {
            Ok(parsed) if is_allowed(&parsed) => parsed,
            _ => self.bad(key, &value, allowed, default),
        }
    }

    fn name<T>(&mut self, key: &str, default: &str, allowed: &str, make: fn(&str) -> Result<T, Refused>) -> T {
        let value = self.get(key, default, allowed).unwrap_or_else(|| default.to_owned());
        make(&value).unwrap_or_else(|refused| {
            self.problem(key, Quoted(&value, refused));
            make(default).expect("the transform's own default is a good name")
        })
    }

    fn bad<T>(&mut self, key: &str, value: &str, allowed: &str, default: T) -> T {
        self.problem(key, format_args!("{value:?} is not {allowed}"));
        default
    }
}

/// A value and what is wrong with it.
struct Quoted<'a>(&'a str, Refused);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0, self.1)
    }
}
