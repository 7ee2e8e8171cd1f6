//! Every key there is: name, type, default, range and meaning, as data.
//!
//! The checks walk these tables, `sluice validate` prints them, and the documentation is made from them: there is no second list.

mod connector;
mod worker;

use std::fmt::Write as _;

pub use connector::CONNECTOR;
pub use worker::WORKER;

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name; `transform.config.*` stands for every key that begins with what is before the star.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
    /// What holds when it is not given.
    pub fallback: Fallback,
    /// Whether this version does anything with it.
    pub effect: Effect,
    /// What it means, in a sentence or two.
    pub doc: &'static str,
}

/// What a key's values look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text; blanks around it do not count, and blank is the same as not given.
    Text,
    /// Text that is never shown, taken as it is.
    Password,
    /// A whole number in this range, both ends included.
    Int(i64, i64),
    /// `auto`, or a whole number in this range.
    AutoOr(i64, i64),
    /// A number from 0 to 1.
    Fraction,
    /// `true` or `false`.
    Bool,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Texts separated by commas.
    List,
    /// A file or folder.
    Path,
    /// `http://host[:port][/prefix]` or the same with https.
    Url,
    /// `builtin:<name>`, `sha256:<digest>` or a path.
    Module,
}

/// What holds when a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing: it has to be given.
    Required,
    /// Nothing, and that is fine.
    Absent,
    /// This value.
    Value(&'static str),
}

/// Whether this version does anything with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what the documentation says.
    Full,
    /// Only this value is possible in this version; any other is an error, because ignoring it would change what is written.
    Only {
        /// The value that is possible.
        value: &'static str,
        /// Why no other is, and what to do.
        why: &'static str,
    },
    /// Kafka Connect's own; taken because its clients send it, with a warning that it does nothing here.
    Framework,
}

/// The key of this table that a written name belongs to: itself, or the `…*` it falls under.
pub fn find(table: &'static [Key], name: &str) -> Option<&'static Key> {
    let exact = table.iter().find(|key| key.name == name);
    exact.or_else(|| table.iter().find(|key| key.prefix().is_some_and(|prefix| name.starts_with(prefix))))
}

/// The tables as text for a terminal: for each key its name, type, range, default and meaning.
pub fn render(table: &[Key]) -> String {
    let mut text = String::new();
    for key in table {
        let fallback = match key.fallback {
            Fallback::Required => "required".to_owned(),
            Fallback::Absent | Fallback::Value("") => "no default".to_owned(),
            Fallback::Value(value) => format!("default {value}"),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{} ({}; {fallback})", key.name, key.kind.allowed());
        let _ = writeln!(text, "    {}", key.doc);
        match key.effect {
            Effect::Full => {}
            Effect::Framework => text.push_str("    Kafka Connect's own; taken, but has no effect here.\n"),
            Effect::Only { value, why } => {
                let _ = writeln!(text, "    Only \"{value}\" for now: {why}.");
            }
        }
    }
    text
}

/// The known name nearest to this one, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let edits_max = 1 + length / 4;
    // Each difference in length is an edit; to count those of names that are much longer or shorter takes time for nothing.
    let known = known.into_iter().filter(|candidate| candidate.len().abs_diff(length) <= edits_max);
    // Jaro-Winkler would favour names with a long common beginning, which here nearly all have; edits are what typing errors are.
    let (edits, best) = known.map(|candidate| (edits(name, candidate), candidate)).min_by_key(|(edits, _)| *edits)?;
    (edits <= edits_max).then_some(best)
}

/// How many typing errors lie between a written name and a known one; case does not count.
pub(super) fn edits(written: &str, known: &str) -> usize {
    strsim::damerau_levenshtein(&written.to_ascii_lowercase(), known)
}

// === impl Key ===

impl Key {
    /// A key that has its effect.
    const fn new(name: &'static str, kind: Kind, fallback: Fallback, doc: &'static str) -> Self {
        Self { name, kind, fallback, effect: Effect::Full, doc }
    }

    /// The same, with one value possible.
    const fn only(mut self, value: &'static str, why: &'static str) -> Self {
        self.effect = Effect::Only { value, why };
        self
    }

    /// One of Connect's keys that mean nothing here.
    const fn framework(name: &'static str, doc: &'static str) -> Self {
        Self { name, kind: Kind::Text, fallback: Fallback::Absent, effect: Effect::Framework, doc }
    }

    /// What is before the star of a `…*` key.
    pub fn prefix(&self) -> Option<&'static str> {
        self.name.strip_suffix('*')
    }
}

// === impl Kind ===

impl Kind {
    /// What is allowed, in words.
    pub fn allowed(&self) -> String {
        match self {
            Self::Text | Self::Password => "text".to_owned(),
            Self::Int(low, high) => format!("a whole number from {low} to {high}"),
            Self::AutoOr(low, high) => format!("auto, or a whole number from {low} to {high}"),
            Self::Fraction => "a number from 0 to 1".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Choice(words) => words.join(", "),
            Self::List => "texts separated by commas".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Url => "http://host[:port][/prefix], or the same with https".to_owned(),
            Self::Module => "builtin:<name>, sha256:<digest> or a path".to_owned(),
        }
    }

    /// Whether a value, blanks around it removed, is one of this kind.
    ///
    /// # Errors
    /// What is wrong, in words that do not repeat the value. Paths, URLs, lists and modules are looked into where they are built.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        let fits = match self {
            Self::Int(low, high) => return whole(value, *low, *high),
            Self::AutoOr(..) if value.eq_ignore_ascii_case("auto") => true,
            Self::AutoOr(low, high) => return whole(value, *low, *high),
            Self::Fraction => value.parse::<f64>().is_ok_and(|number| (0.0..=1.0).contains(&number)),
            Self::Bool => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Self::Choice(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            Self::Text | Self::Password | Self::List | Self::Path | Self::Url | Self::Module => true,
        };
        if fits { Ok(()) } else { Err(format!("is not {}", self.noun())) }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Fraction => "a number from 0 to 1",
            Self::Bool => "true or false",
            _ => "one of the words it can be",
        }
    }
}

fn whole(value: &str, low: i64, high: i64) -> Result<(), String> {
    match value.parse::<i64>() {
        Ok(number) if number < low => Err("is too small".to_owned()),
        Ok(number) if number > high => Err("is too large".to_owned()),
        Ok(_) => Ok(()),
        Err(_)
            if value.starts_with(|c: char| c.is_ascii_digit())
                && value.ends_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            Err("is not a plain number (the unit is in the key's name)".to_owned())
        }
        Err(_) => Err("is not a whole number".to_owned()),
    }
}
