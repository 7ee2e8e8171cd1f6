//! Walks the table of keys over what was written, collects every problem, and hands out typed values.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::keys::{self, Effect, Fallback, Key, Kind};
use super::problem::{Checked, Problem, Problems};
use super::resolve::{self, Resolve};
use super::secret::{Secret, is_secret};

/// One setting as it was written.
#[derive(Clone)]
pub(super) struct Given {
    /// Placeholders unresolved: this is what problems show.
    pub(super) raw: String,
    /// Where it came from, if not from the file.
    pub(super) origin: Option<String>,
}

/// The settings under check. Getters answer with the default where the value is wrong: that has been reported by then.
pub(super) struct Reader {
    table: &'static [Key],
    given: BTreeMap<String, Given>,
    /// Placeholders resolved; without those that could not be.
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader {
    /// Resolves all values and checks each known one against the table.
    pub(super) fn open(table: &'static [Key], given: BTreeMap<String, Given>, resolver: &dyn Resolve) -> Self {
        let mut reader = Self { table, given, values: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
        for (name, given) in reader.given.clone() {
            let is_known = keys::find(table, &name).is_some();
            match resolve::resolve(&given.raw, resolver) {
                Ok(resolved) => {
                    if resolved.has_unknown {
                        reader.warn(
                            &name,
                            "has a ${…} of no provider that there is (env, file, dir): it is kept as it is",
                        );
                    }
                    let value =
                        if keeps_blanks(table, &name) { resolved.value } else { resolved.value.trim().to_owned() };
                    reader.values.insert(name, value);
                }
                Err(errors) => {
                    for error in errors {
                        let problem = Problem::new(&name, error);
                        reader.add(if is_known { problem } else { problem.without_value() });
                    }
                }
            }
        }
        table.iter().for_each(|key| reader.check(key));
        reader
    }

    fn check(&mut self, key: &Key) {
        if let Some(prefix) = key.prefix() {
            return self.check_prefix(key, prefix);
        }
        if !self.given.contains_key(key.name) {
            if key.fallback == Fallback::Required {
                self.add(Problem::new(key.name, "is missing").allowed(key.kind.allowed()));
            }
            return;
        }
        self.check_effect(key, key.name);
        let Some(value) = self.values.get(key.name) else { return };
        let blank = value.is_empty();
        let wrong = match key.kind {
            _ if blank && key.fallback == Fallback::Required => Err("is blank".to_owned()),
            // Connect's clients send blanks for what they leave out.
            Kind::Text | Kind::Password | Kind::List | Kind::Path | Kind::Url | Kind::Module if blank => Ok(()),
            _ if matches!(key.effect, Effect::Framework) => Ok(()),
            kind => kind.check(value),
        };
        if let Err(what) = wrong {
            self.add(Problem::new(key.name, what).allowed(key.kind.allowed()));
        }
    }

    fn check_prefix(&mut self, key: &Key, prefix: &str) {
        // One with a row of its own is checked there.
        let is_meant = |name: &&String| keys::find(self.table, name).is_some_and(|found| found.name == key.name);
        let names: Vec<String> =
            self.given.keys().filter(|name| name.starts_with(prefix)).filter(is_meant).cloned().collect();
        for name in names {
            if name.len() == prefix.len() {
                self.problem(&name, "nothing comes after the last dot: a name belongs there");
            }
            self.check_effect(key, &name);
        }
    }

    fn check_effect(&mut self, key: &Key, name: &str) {
        match key.effect {
            Effect::Full => {}
            Effect::Framework => self.warn(name, "Kafka Connect's own key, has no effect here"),
            Effect::Only { value, why } => {
                let valid = self
                    .values
                    .get(name)
                    .is_none_or(|given| given.eq_ignore_ascii_case(value) || key.kind.check(given).is_err());
                if !valid {
                    self.problem(name, why);
                }
            }
        }
    }

    /// Adds a problem of this key, showing its value as written unless it is a secret.
    pub(super) fn problem(&mut self, key: &str, what: impl Into<String>) {
        self.add(Problem::new(key, what));
    }

    /// Adds a problem made elsewhere, completed by value and origin.
    pub(super) fn add(&mut self, problem: Problem) {
        let problem = self.complete(problem);
        self.problems.push(problem);
    }

    /// Adds a warning, which does not show the value: the value is not what is wrong.
    pub(super) fn warn(&mut self, key: &str, what: impl Into<String>) {
        let mut warning = Problem::new(key, what);
        warning.origin = self.given.get(key).and_then(|given| given.origin.clone());
        self.warnings.push(warning);
    }

    /// Reports a key nobody knows. Its value is not shown: the key may be a misspelt `password`.
    pub(super) fn unknown(&mut self, key: &str, nearest: Option<&str>, is_error: bool) {
        let what = match nearest {
            Some(nearest) => format!("unknown key, did you mean {nearest}?"),
            None => "unknown key".to_owned(),
        };
        let mut problem = Problem::new(key, what);
        problem.origin = self.given.get(key).and_then(|given| given.origin.clone());
        if is_error {
            self.problems.push(problem);
        } else {
            problem.what.push_str(if nearest.is_some() { " It has no effect" } else { ", has no effect" });
            self.warnings.push(problem);
        }
    }

    fn complete(&self, problem: Problem) -> Problem {
        let Some(given) = self.given.get(&problem.key) else { return problem };
        let mut problem = problem.with_value(&given.raw);
        problem.origin.clone_from(&given.origin);
        problem
    }

    /// The names written that the table does not have.
    pub(super) fn strangers(&self) -> Vec<String> {
        self.given.keys().filter(|name| keys::find(self.table, name).is_none()).cloned().collect()
    }

    /// Whether the key was written and is not blank, resolvable or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.given.get(key).is_some_and(|given| !given.raw.trim().is_empty())
            && self.values.get(key).is_none_or(|value| !value.is_empty())
    }

    /// The value of a text key, or its default; `None` if there is neither.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let given = self.values.get(key).map(String::as_str).filter(|value| !value.is_empty());
        given.or_else(|| self.default(key)).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// The value of a secret key, as it is.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let value = self.values.get(key).filter(|value| !value.is_empty())?.clone();
        if value.contains(char::is_control) {
            self.problem(key, "holds a line end or another control character, which no header can carry (is it the last line end of a file?)");
        }
        Some(Secret::new(value))
    }

    /// The value of a key with this function applied; a problem of its words, and `None`, if that fails or there is no value.
    pub(super) fn parsed<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text(key)?) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problem(key, what);
                None
            }
        }
    }

    /// The value of a number key; its default if what was written is no number in the range.
    pub(super) fn int(&self, key: &str) -> i64 {
        self.valid(key).parse().unwrap_or_default()
    }

    /// The value of a number key as a count.
    pub(super) fn count(&self, key: &str) -> NonZeroUsize {
        usize::try_from(self.int(key)).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN)
    }

    /// The value of a number key as a small count.
    pub(super) fn count_u32(&self, key: &str) -> NonZeroU32 {
        u32::try_from(self.int(key)).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }

    /// The value of a key that counts milliseconds.
    pub(super) fn millis(&self, key: &str) -> Duration {
        Duration::from_millis(self.int(key).unsigned_abs())
    }

    /// The value of a boolean key.
    pub(super) fn bool(&self, key: &str) -> bool {
        self.valid(key).eq_ignore_ascii_case("true")
    }

    /// The value of a key with a choice of words, in lower case.
    pub(super) fn word(&self, key: &str) -> String {
        self.valid(key).to_ascii_lowercase()
    }

    /// Whether the key was written at all.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// What was written under a prefix, without it, placeholders resolved.
    pub(super) fn below(&self, prefix: &str) -> BTreeMap<String, String> {
        let below = self.values.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        below
            .map(|(name, value)| (name[prefix.len()..].to_owned(), value.clone()))
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// The value written, if it is right; the default otherwise.
    fn valid(&self, key: &str) -> &str {
        let fallback = self.default(key).unwrap_or_default();
        let kind = keys::find(self.table, key).map(|known| known.kind);
        let given = self.values.get(key).filter(|value| kind.is_some_and(|kind| kind.check(value).is_ok()));
        given.map_or(fallback, String::as_str)
    }

    fn default(&self, key: &str) -> Option<&'static str> {
        match keys::find(self.table, key)?.fallback {
            Fallback::Value(value) => Some(value),
            Fallback::Required | Fallback::Absent => None,
        }
    }

    /// The configuration, unless there was a problem.
    ///
    /// # Errors
    /// All problems, in the order of the keys.
    pub(super) fn finish<T>(mut self, config: Option<T>) -> Result<Checked<T>, Problems> {
        self.problems.sort_by(|left, right| left.key.cmp(&right.key));
        self.warnings.sort_by(|left, right| left.key.cmp(&right.key));
        match config {
            Some(config) if self.problems.is_empty() => Ok(Checked { config, warnings: self.warnings }),
            _ => Err(Problems { problems: self.problems, warnings: self.warnings }),
        }
    }
}

/// Whether blanks around the value belong to it: in secrets, and in what is handed to a transform (a separator may be a blank).
fn keeps_blanks(table: &'static [Key], name: &str) -> bool {
    is_secret(name) || keys::find(table, name).is_some_and(|key| key.prefix() == Some("transform.config."))
}
