//! Secrets by reference: `${env:NAME}`, `${file:PATH:KEY}` and `${dir:PATH:FILE}`, as Kafka Connect writes them.
//!
//! The provider is what stands before the first colon; if there is a second colon, the path is between them and the key after it.
//! Text around a placeholder is kept, one value may hold several, and what comes out is not looked into again. Other than Connect, which
//! leaves a placeholder as it is when there is no such key, that is an error here: a password that reads `${env:…}` never helped anybody.

use std::env;
use std::path::Path;

use super::{load, properties};

/// Where a placeholder's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The environment.
    Env,
    /// A Java properties file.
    File,
    /// A folder with one file per value, as Kubernetes mounts secrets.
    Dir,
}

/// One placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// What the provider is called.
    pub name: &'a str,
    /// Where from.
    pub provider: Provider,
    /// The file or folder; empty for the environment.
    pub path: &'a str,
    /// The name of the variable, the key in the file, or the name of the file in the folder.
    pub key: &'a str,
}

/// Looks placeholders up. [`System`] is the one that does; tests bring their own.
pub trait Resolve {
    /// Which provider has this name.
    fn provider(&self, name: &str) -> Option<Provider> {
        match name {
            "env" => Some(Provider::Env),
            "file" => Some(Provider::File),
            "dir" => Some(Provider::Dir),
            _ => None,
        }
    }

    /// The value behind a reference.
    ///
    /// # Errors
    /// Why there is none, in words that do not hold a secret.
    fn value(&self, reference: &Reference<'_>) -> Result<String, String>;
}

/// Looks into the process's environment and the file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

/// A value with its placeholders replaced.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(crate) value: String,
    /// Whether there was a provider nobody knows; such placeholders are kept as they are, as in Connect. Which one is not told: a
    /// password may hold `${…}` by chance.
    pub(crate) has_unknown: bool,
}

/// Replaces every placeholder of one value.
///
/// # Errors
/// What could not be looked up, all of it.
pub(crate) fn resolve(text: &str, resolver: &dyn Resolve) -> Result<Resolved, Vec<String>> {
    let (mut done, mut errors) = (Resolved::default(), Vec::new());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let (before, end) = (&rest[..start], start + length + 1);
        done.value.push_str(before);
        let inner = &rest[start + 2..end - 1];
        match parse(inner, resolver) {
            Parsed::Known(reference) => match resolver.value(&reference) {
                Ok(value) => done.value.push_str(&value),
                Err(error) => errors.push(error),
            },
            Parsed::Unknown => {
                done.has_unknown = true;
                done.value.push_str(&rest[start..end]);
            }
            Parsed::Text => done.value.push_str(&rest[start..end]),
        }
        rest = &rest[end..];
    }
    done.value.push_str(rest);
    if errors.is_empty() { Ok(done) } else { Err(errors) }
}

enum Parsed<'a> {
    Known(Reference<'a>),
    Unknown,
    /// Without a colon it is no placeholder.
    Text,
}

fn parse<'a>(inner: &'a str, resolver: &dyn Resolve) -> Parsed<'a> {
    let Some((name, rest)) = inner.split_once(':') else { return Parsed::Text };
    let (path, key) = rest.split_once(':').unwrap_or(("", rest));
    match resolver.provider(name) {
        Some(provider) => Parsed::Known(Reference { name, provider, path, key }),
        None => Parsed::Unknown,
    }
}

// === impl System ===

impl Resolve for System {
    fn value(&self, reference: &Reference<'_>) -> Result<String, String> {
        let Reference { path, key, .. } = *reference;
        if key.is_empty() {
            return Err(
                "a placeholder names nothing: write ${env:NAME}, ${file:PATH:KEY} or ${dir:PATH:FILE}".to_owned()
            );
        }
        match reference.provider {
            Provider::Env if !path.is_empty() => Err(format!("${{env:{path}:{key}}} has a path; write ${{env:NAME}}")),
            Provider::Env => env::var(key).map_err(|error| match error {
                env::VarError::NotPresent => format!("the environment variable {key} is not set"),
                env::VarError::NotUnicode(_) => format!("the environment variable {key} is not UTF-8"),
            }),
            Provider::File | Provider::Dir if path.is_empty() => {
                Err(format!("the placeholder of {key} has no path before it"))
            }
            Provider::File => from_file(path, key),
            Provider::Dir => from_dir(path, key),
        }
    }
}

fn from_file(path: &str, key: &str) -> Result<String, String> {
    let text = read(Path::new(path))?;
    let entries = properties::parse(&text).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| fault.line.to_string()).collect();
        format!("the properties file {path} cannot be read at line {}", lines.join(", "))
    })?;
    let last = entries.into_iter().rev().find(|entry| entry.key == key);
    last.map(|entry| entry.value).ok_or_else(|| format!("the properties file {path} has no key {key}"))
}

fn from_dir(path: &str, key: &str) -> Result<String, String> {
    if key.contains(['/', '\\']) || key == ".." {
        return Err(format!("{key} is not the name of a file in the folder {path}"));
    }
    let mut text = read(&Path::new(path).join(key))?;
    // Connect keeps the line end that editors and `echo` leave, and every password fails by it.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = load::read_bounded(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|_error| format!("{} is not UTF-8", path.display()))
}
