//! Which providers of secrets there are, and what they may read: Connect's `config.providers` (KIP-297, KIP-421), and one limit for all of
//! them, `config.providers.allowed.paths`.
//!
//! Without `config.providers` there are `env`, `file` and `dir`. Whoever may make connectors can name any file in a placeholder and have its
//! content sent to a server of his own: limit the paths where such people are not the ones that run the worker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regex_lite::Regex;

use super::read::Reader;
use super::resolve::{Provider, Reference, Resolve, System};

/// The key of our own limit, which no provider may be called after.
const ALLOWED_PATHS: &str = "allowed.paths";

/// By which class names Connect knows them.
const CLASSES: [(&str, Provider); 3] = [
    ("EnvVarConfigProvider", Provider::Env),
    ("FileConfigProvider", Provider::File),
    ("DirectoryConfigProvider", Provider::Dir),
];

/// The package of those.
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

/// The providers of a worker. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    /// By the names they were given; `None` for the three that are always there.
    declared: Option<Arc<BTreeMap<String, Declared>>>,
    /// The files and folders that may be read; `None` for all.
    allowed: Option<Arc<Vec<PathBuf>>>,
}

#[derive(Debug)]
struct Declared {
    provider: Provider,
    /// `param.allowed.paths`.
    paths: Option<Vec<PathBuf>>,
    /// `param.allowlist.pattern`: which variables.
    variables: Option<Regex>,
}

// === impl Providers ===

impl Providers {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let allowed = reader.parsed("config.providers.allowed.paths", parse_paths).map(Arc::new);
        let below = reader.below("config.providers.");
        let names = reader.parsed("config.providers", |list| Ok(list.to_owned()));
        let Some(names) = names.filter(|names| !names.trim().is_empty()) else {
            for key in below.keys().filter(|key| *key != ALLOWED_PATHS) {
                reader
                    .problem(&format!("config.providers.{key}"), "belongs to no provider: config.providers names none");
            }
            return Self { declared: None, allowed };
        };
        let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let mut declared = BTreeMap::new();
        for name in &names {
            declared.insert((*name).to_owned(), declare(reader, name));
        }
        for key in below.keys().filter(|key| *key != ALLOWED_PATHS) {
            match key.split_once('.') {
                Some((name, "class" | "param.allowed.paths" | "param.allowlist.pattern")) if names.contains(&name) => {}
                Some((name, _)) if names.contains(&name) => {
                    reader.problem(&format!("config.providers.{key}"), "is no setting of a provider that there is");
                }
                _ => reader
                    .problem(&format!("config.providers.{key}"), "belongs to no provider that config.providers names"),
            }
        }
        Self {
            declared: Some(Arc::new(declared.into_iter().filter_map(|(name, one)| Some((name, one?))).collect())),
            allowed,
        }
    }

    fn declared(&self, name: &str) -> Option<&Declared> {
        self.declared.as_ref()?.get(name)
    }
}

impl Resolve for Providers {
    fn provider(&self, name: &str) -> Option<Provider> {
        match &self.declared {
            Some(declared) => declared.get(name).map(|one| one.provider),
            None => System.provider(name),
        }
    }

    fn value(&self, reference: &Reference<'_>) -> Result<String, String> {
        let declared = self.declared(reference.name);
        if reference.provider == Provider::Env {
            let variables = declared.and_then(|one| one.variables.as_ref());
            if variables.is_some_and(|pattern| !pattern.is_match(reference.key)) {
                return Err(format!(
                    "the environment variable {} is not among those that param.allowlist.pattern allows",
                    reference.key
                ));
            }
            return System.value(reference);
        }
        let own = declared.and_then(|one| one.paths.as_ref());
        for allowed in own.into_iter().chain(self.allowed.as_deref()) {
            check_path(reference, allowed)?;
        }
        System.value(reference)
    }
}

/// A provider by its class; `None` if that is wrong, which is told.
fn declare(reader: &mut Reader, name: &str) -> Option<Declared> {
    let prefix = format!("config.providers.{name}.");
    let class = reader.below(&prefix).remove("class");
    let provider = match &class {
        None => System.provider(name),
        Some(class) => {
            let simple = class.strip_prefix(PACKAGE).unwrap_or(class);
            CLASSES.iter().find(|(known, _)| *known == simple).map(|(_, provider)| *provider)
        }
    };
    let Some(provider) = provider else {
        let classes = CLASSES.map(|(class, _)| class).join(", ");
        match class {
            None => {
                reader.problem("config.providers", format!("names `{name}` without a {prefix}class: one of {classes}"))
            }
            Some(_) => reader.problem(&format!("{prefix}class"), format!("is no provider that there is: {classes}")),
        }
        return None;
    };
    let paths = given(reader, &format!("{prefix}param.allowed.paths"), parse_paths);
    // All of the name has to match, as in Java.
    let pattern =
        |text: &str| Regex::new(&format!("^(?:{text})$")).map_err(|error| format!("is no regular expression: {error}"));
    let variables = given(reader, &format!("{prefix}param.allowlist.pattern"), pattern);
    Some(Declared { provider, paths, variables })
}

/// A setting that no table has, as its name is made up.
fn given<T>(reader: &mut Reader, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
    let text = reader.below("config.providers.").remove(key.strip_prefix("config.providers.")?)?;
    parse(&text).map_err(|what| reader.problem(key, what)).ok()
}

fn parse_paths(list: &str) -> Result<Vec<PathBuf>, String> {
    let paths = list.split(',').map(str::trim).filter(|path| !path.is_empty());
    paths
        .map(|path| {
            if !Path::new(path).is_absolute() {
                return Err(format!("{path} is not an absolute path"));
            }
            // As it really is, so that a link in it does not lead elsewhere unseen.
            std::fs::canonicalize(path).map_err(|error| format!("{path} can't be used: {error}"))
        })
        .collect()
}

/// Whether what a placeholder names lies in one of these, links followed.
fn check_path(reference: &Reference<'_>, allowed: &[PathBuf]) -> Result<(), String> {
    let path = match reference.provider {
        Provider::Dir => Path::new(reference.path).join(reference.key),
        _ => PathBuf::from(reference.path),
    };
    let real = std::fs::canonicalize(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if allowed.iter().any(|folder| real.starts_with(folder)) {
        return Ok(());
    }
    Err(format!("{} is outside of what the worker's allowed.paths of config.providers allow", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::WorkerConfig;
    use super::super::resolve::resolve;
    use super::*;

    fn providers(settings: &[(&str, &str)]) -> Result<Providers, String> {
        let map = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let checked = WorkerConfig::check(&map, [], &BTreeMap::new());
        checked.map(|checked| checked.config.rules.providers).map_err(|problems| problems.to_string())
    }

    fn value(providers: &Providers, text: &str) -> Result<String, Vec<String>> {
        resolve(text, providers).map(|resolved| resolved.value)
    }

    #[test]
    fn providers_have_the_names_they_were_given_and_there_are_no_others() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("token"), "t0k").unwrap();
        let secret = |name: &str| format!("${{{name}:{}:token}}", dir.path().display());
        let java = "org.apache.kafka.common.config.provider.DirectoryConfigProvider";
        let named = providers(&[("config.providers", "env, vault"), ("config.providers.vault.class", java)]).unwrap();
        assert_eq!(value(&named, &secret("vault")), Ok("t0k".to_owned()));
        assert_eq!(value(&named, &secret("dir")), Ok(secret("dir")), "kept as it is");
        assert_eq!(value(&named, "${env:PATH}"), Ok(std::env::var("PATH").unwrap()));
        assert_eq!(value(&providers(&[]).unwrap(), &secret("dir")), Ok("t0k".to_owned()));
    }

    #[test]
    fn files_outside_of_the_allowed_paths_are_not_read_whatever_leads_there() {
        let dir = tempfile::tempdir().unwrap();
        let (open, shut) = (dir.path().join("open"), dir.path().join("shut"));
        for (folder, value) in [(&open, "yes"), (&shut, "no")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("key"), value).unwrap();
            fs::write(folder.join("f.properties"), format!("key={value}\n")).unwrap();
        }
        std::os::unix::fs::symlink(shut.join("key"), open.join("link")).unwrap();
        let allowed = open.to_str().unwrap();
        let own = [
            ("config.providers", "file,dir"),
            ("config.providers.file.param.allowed.paths", allowed),
            ("config.providers.dir.param.allowed.paths", allowed),
        ];
        for providers in [providers(&[("config.providers.allowed.paths", allowed)]), providers(&own)] {
            let providers = providers.unwrap();
            let read = |text: String| value(&providers, &text);
            assert_eq!(read(format!("${{dir:{}:key}}", open.display())), Ok("yes".to_owned()));
            assert_eq!(read(format!("${{file:{}/f.properties:key}}", open.display())), Ok("yes".to_owned()));
            for text in [
                format!("${{dir:{}:key}}", shut.display()),
                format!("${{dir:{}:link}}", open.display()),
                format!("${{file:{}/f.properties:key}}", shut.display()),
                format!("${{file:{}/../shut/f.properties:key}}", open.display()),
                "${file:/etc/passwd:root}".to_owned(),
            ] {
                let errors = read(text.clone()).unwrap_err();
                assert!(errors[0].contains("allowed.paths"), "{text}: {errors:?}");
            }
        }
    }

    #[test]
    fn variables_have_to_match_the_pattern_as_a_whole() {
        let limited =
            providers(&[("config.providers", "env"), ("config.providers.env.param.allowlist.pattern", "PA|PATH|X.*")])
                .unwrap();
        assert_eq!(value(&limited, "${env:PATH}"), Ok(std::env::var("PATH").unwrap()));
        assert!(value(&limited, "${env:HOME}").unwrap_err()[0].contains("allowlist.pattern"));
        let part =
            providers(&[("config.providers", "env"), ("config.providers.env.param.allowlist.pattern", "PAT")]).unwrap();
        assert!(value(&part, "${env:PATH}").is_err());
    }

    #[test]
    fn what_is_declared_wrongly_is_told() {
        for (settings, words) in [
            (&[("config.providers", "vault")][..], "config.providers.vault.class"),
            (&[("config.providers", "v"), ("config.providers.v.class", "com.example.Vault")], "EnvVarConfigProvider"),
            (&[("config.providers.file.param.allowed.paths", "/")], "names none"),
            (
                &[("config.providers", "env"), ("config.providers.file.param.allowed.paths", "/")],
                "belongs to no provider",
            ),
            (&[("config.providers", "env"), ("config.providers.env.param.allowlist", "x")], "is no setting"),
            (
                &[("config.providers", "env"), ("config.providers.env.param.allowlist.pattern", "(")],
                "no regular expression",
            ),
            (&[("config.providers.allowed.paths", "secrets")], "not an absolute path"),
            (&[("config.providers.allowed.paths", "/does/not/exist")], "can't be used"),
        ] {
            let told = providers(settings).unwrap_err();
            assert!(told.contains(words), "{settings:?}: {told}");
        }
    }
}
