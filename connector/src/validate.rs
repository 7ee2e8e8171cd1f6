//! From files to configurations that are known to work, for `run`, `validate` and `try`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::app::Kept;
use crate::cli::{ValidateArgs, WorkerArgs};
use crate::config::{
    self, Checked, ConfigError, ConnectorConfig, ConnectorRules, ModuleRef, Problem, Problems, TransformConfig,
    WorkerConfig, keys,
};
use crate::connector::{PrepareError, Prepared};
use crate::services::Services;

/// Why a connector's file is no good.
#[derive(Debug, Error)]
pub enum FileError {
    /// It can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Settings are wrong.
    #[error("{} is not a valid connector configuration:\n{problems}", path.display())]
    Problems {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Problems,
    },
    /// The module can't be used.
    #[error("connector {connector} of {} can't start", path.display())]
    Prepare {
        /// The file.
        path: PathBuf,
        /// The connector.
        connector: String,
        /// Why.
        source: PrepareError,
    },
    /// The state folder has a connector of this name, which may differ.
    #[error(
        "connector {connector} of {} is also in the state folder, where the REST API may have changed it; start with --adopt to go on with \
         that one, or leave the file out, or delete the connector over REST first", path.display()
    )]
    Kept {
        /// The file.
        path: PathBuf,
        /// The connector.
        connector: String,
    },
    /// Two files name the same connector.
    #[error("{} names its connector `{connector}`, as an earlier file does; every connector needs a name of its own", path.display())]
    SameName {
        /// The second file.
        path: PathBuf,
        /// The name.
        connector: String,
    },
}

/// Reads the worker's settings: file, environment, flags, of which the last weighs most.
///
/// # Errors
///
/// If the file can't be read, or settings are wrong: all of them at once.
pub fn read_worker(args: &WorkerArgs) -> Result<WorkerConfig, WorkerError> {
    told(check_worker(args, |_| true)?)
}

/// The same for commands that do not listen: what is wrong with the listeners of a worker is none of their business.
///
/// # Errors
///
/// As [`read_worker`].
pub fn read_client(args: &WorkerArgs) -> Result<WorkerConfig, WorkerError> {
    told(check_worker(args, is_for_clients)?)
}

fn told(Checked { config, warnings }: Checked<WorkerConfig>) -> Result<WorkerConfig, WorkerError> {
    for warning in &warnings {
        tracing::warn!(setting = %warning, "worker setting");
    }
    config.bootstrap_servers()?;
    Ok(config)
}

/// The folders of `plugin.path`, from wherever the worker's settings come. Asks for no broker.
///
/// # Errors
///
/// As [`read_worker`].
pub fn worker_plugin_path(args: &WorkerArgs) -> Result<Vec<PathBuf>, WorkerError> {
    Ok(check_worker(args, is_for_clients)?.config.plugin_path)
}

/// Checks those settings of the file and of the environment whose keys are wanted, and all flags: those somebody has typed for this command.
fn check_worker(args: &WorkerArgs, wanted: fn(&str) -> bool) -> Result<Checked<WorkerConfig>, WorkerError> {
    let mut file = args.worker.as_deref().map(config::load).transpose()?.unwrap_or_default();
    file.retain(|key, _| wanted(key));
    let is_wanted = |(variable, _): &(String, String)| {
        let key = variable.strip_prefix(config::ENV_PREFIX).map(|name| name.to_ascii_lowercase().replace('_', "."));
        key.is_none_or(|key| wanted(&key))
    };
    Ok(WorkerConfig::check(&file, std::env::vars().filter(is_wanted), &args.flags())?)
}

fn is_for_clients(key: &str) -> bool {
    !(key == "listeners" || key.starts_with("listeners.") || key.ends_with(".listeners"))
}

/// What can be wrong with the worker's settings.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// The file can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Settings are wrong.
    #[error("the worker's settings are not valid:\n{0}")]
    Problems(Problems),
}

// Not `#[from]`: that would make them a cause as well, and they would be told twice.
impl From<Problems> for WorkerError {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

/// Reads one connector's file by the rules of a worker, finds its module in the folders of `plugin.path`, and gives back what is worth a warning.
///
/// # Errors
///
/// If the file can't be read, or settings are wrong.
pub fn read_connector(
    path: &Path,
    plugin_path: &[PathBuf],
    rules: &ConnectorRules,
) -> Result<Checked<ConnectorConfig>, FileError> {
    check_connector(path, &config::load(path)?, plugin_path, rules)
}

/// The same with settings that are read already; `path` says where they are from.
fn check_connector(
    path: &Path,
    settings: &BTreeMap<String, String>,
    plugin_path: &[PathBuf],
    rules: &ConnectorRules,
) -> Result<Checked<ConnectorConfig>, FileError> {
    let mut checked = ConnectorConfig::check_with(settings, rules)
        .map_err(|problems| FileError::Problems { path: path.to_owned(), problems })?;
    checked.config.transform.module = locate(checked.config.transform.module, plugin_path);
    Ok(checked)
}

/// Reads connectors' files, and the connector that the environment describes, and prepares them: everything that can be known without a
/// server. Those that are in the state folder already are left to it with `adopt`.
///
/// # Errors
///
/// The first one that is no good.
pub fn prepare(
    services: &Services,
    files: &[PathBuf],
    worker: &WorkerConfig,
    (kept, adopt): (&Kept, bool),
) -> Result<Vec<Prepared>, FileError> {
    let mut sources =
        files.iter().map(|path| Ok((path.clone(), config::load(path)?))).collect::<Result<Vec<_>, ConfigError>>()?;
    sources.extend(of_environment());
    let mut names = BTreeMap::new();
    let mut prepared = Vec::new();
    for (path, settings) in &sources {
        let Checked { config, warnings } = check_connector(path, settings, &worker.plugin_path, &worker.rules)?;
        let connector = config.name.clone();
        for warning in &warnings {
            tracing::warn!(connector, setting = %warning, "connector setting");
        }
        if names.insert(connector.clone(), path).is_some() {
            return Err(FileError::SameName { path: path.clone(), connector });
        }
        match kept.has(&connector) {
            true if adopt => {
                tracing::info!(connector, file = %path.display(), "the state folder has this connector, the file is passed over")
            }
            true => return Err(FileError::Kept { path: path.clone(), connector }),
            false => prepared.push(prepare_one(services, path, config)?),
        }
    }
    Ok(prepared)
}

/// The connector of `SLUICE_CONNECTOR_…`, if there is one, with what stands for the name of a file in messages.
fn of_environment() -> Option<(PathBuf, BTreeMap<String, String>)> {
    let settings = config::environment::connector(std::env::vars())?;
    Some((PathBuf::from(format!("the environment ({}…)", config::environment::CONNECTOR_PREFIX)), settings))
}

fn prepare_one(services: &Services, path: &Path, config: ConnectorConfig) -> Result<Prepared, FileError> {
    let connector = config.name.clone();
    Prepared::new(services, config).map_err(|source| FileError::Prepare { path: path.to_owned(), connector, source })
}

/// The folders of a `plugin.path` as it stands on the command line.
pub fn plugin_path(given: Option<&str>) -> Vec<PathBuf> {
    given.into_iter().flat_map(|path| path.split(',')).map(|folder| PathBuf::from(folder.trim())).collect()
}

/// A file that is not where its name says is looked for in the folders of `plugin.path`.
pub(crate) fn locate(module: ModuleRef, plugin_path: &[PathBuf]) -> ModuleRef {
    match module {
        ModuleRef::Path(path) if path.is_relative() && !path.exists() => {
            let found = plugin_path.iter().map(|folder| folder.join(&path)).find(|candidate| candidate.exists());
            ModuleRef::Path(found.unwrap_or(path))
        }
        module => module,
    }
}

/// Puts module and settings of the command line in the place of a connector's.
pub(crate) fn override_transform(
    config: &mut TransformConfig,
    module: Option<&str>,
    settings: &[(String, String)],
    plugin_path: &[PathBuf],
) {
    if let Some(module) = module {
        config.module = match module.strip_prefix("builtin:") {
            Some(name) => ModuleRef::Builtin(name.to_owned()),
            None => locate(ModuleRef::Path(PathBuf::from(module)), plugin_path),
        };
    }
    config.settings.retain(|(key, _)| !settings.iter().any(|(given, _)| given == key));
    config.settings.extend(settings.iter().cloned());
}

/// A transform with every default and no settings, for a trial without a connector's file.
///
/// # Panics
///
/// Never: the settings in it are valid, which a test shows.
pub fn bare_transform() -> TransformConfig {
    let settings = [
        ("name", "try"),
        ("topics", "try"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "try"),
    ];
    let map = settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    ConnectorConfig::check(&map).expect("these settings are valid").config.transform
}

/// `sluice validate`: tells of each file whether a connector would start with it. Gives back whether all would.
///
/// # Errors
///
/// If the result can't be printed.
pub fn run(args: &ValidateArgs, out: &mut impl Write) -> io::Result<bool> {
    if args.keys {
        writeln!(out, "Settings of a connector\n\n{}", keys::render(keys::CONNECTOR))?;
        writeln!(out, "Settings of the worker\n\n{}", keys::render(keys::WORKER))?;
        return Ok(true);
    }
    let services = Services::bare();
    let plugin_path = plugin_path(args.plugin_path.as_deref());
    let mut valid = true;
    let environment = args.env.then(of_environment).flatten();
    if args.env && environment.is_none() {
        writeln!(out, "no variable of the environment begins with {}", config::environment::CONNECTOR_PREFIX)?;
        valid = false;
    }
    let files = args.files.iter().map(|path| (path.clone(), None));
    for (path, settings) in files.chain(environment.map(|(path, settings)| (path, Some(settings)))) {
        match check_file(&services, &path, settings, &plugin_path) {
            Ok(warnings) => {
                writeln!(out, "{}: valid", path.display())?;
                for warning in warnings {
                    writeln!(out, "  warning: {warning}")?;
                }
            }
            Err(error) => {
                valid = false;
                writeln!(out, "{}", crate::trace(&error))?;
            }
        }
    }
    Ok(valid)
}

/// Without `settings` the file has them.
fn check_file(
    services: &Services,
    path: &Path,
    settings: Option<BTreeMap<String, String>>,
    plugin_path: &[PathBuf],
) -> Result<Vec<Problem>, FileError> {
    let settings = settings.map_or_else(|| config::load(path), Ok)?;
    let Checked { config, warnings } = check_connector(path, &settings, plugin_path, &ConnectorRules::default())?;
    prepare_one(services, path, config)?;
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_transform_has_the_defaults() {
        let transform = bare_transform();
        assert_eq!(transform.memory_max_bytes, 64 * 1024 * 1024);
        assert!(transform.settings.is_empty());
    }

    #[test]
    fn a_module_is_found_in_the_plugin_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.wasm"), "").unwrap();
        let folders = [PathBuf::from("/nowhere"), dir.path().to_owned()];
        let found = locate(ModuleRef::Path("mine.wasm".into()), &folders);
        assert_eq!(found, ModuleRef::Path(dir.path().join("mine.wasm")));
        let missing = locate(ModuleRef::Path("other.wasm".into()), &folders);
        assert_eq!(missing, ModuleRef::Path("other.wasm".into()));
    }
}
