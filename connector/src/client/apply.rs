//! `sluice apply`: what files say and the worker does not have is shown, then made so.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use super::diff::{Change, changes};
use super::screen::Tone;
use super::worker::ANSWER_TIMEOUT;
use super::{ClientError, Screen, Worker};
use crate::cli::rest::{ApplyArgs, Form};
use crate::config;
use crate::dlq::text::escaped;

/// What is to be done about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Created,
    Updated,
    Unchanged,
}

/// What became of a file.
#[derive(Debug)]
struct Outcome {
    file: PathBuf,
    name: Option<String>,
    changes: Vec<Change>,
    result: Result<Action, String>,
}

/// Brings each connector to what its file says. Gives back whether every file is applied.
pub(super) async fn run(args: &ApplyArgs, screen: &mut Screen<'_>) -> Result<bool, ClientError> {
    let worker = Worker::new(&args.ask.target, Some(ANSWER_TIMEOUT))?;
    let mut seen = HashMap::new();
    let mut outcomes = Vec::new();
    for file in &args.files {
        let outcome = match read(file, &mut seen) {
            Ok((name, config)) => apply(&worker, file, name, &config, args.dry_run).await?,
            Err(why) => Outcome { file: file.clone(), name: None, changes: Vec::new(), result: Err(why) },
        };
        if args.ask.output == Form::Text {
            outcome.tell(args.dry_run, screen)?;
        }
        outcomes.push(outcome);
    }
    if args.ask.output == Form::Json {
        screen.json(&Value::Array(outcomes.iter().map(|outcome| outcome.json(args.dry_run)).collect()))?;
    }
    Ok(outcomes.iter().all(|outcome| outcome.result.is_ok()))
}

/// The connector of a file. Two files for one connector would undo each other at every run.
fn read(file: &Path, seen: &mut HashMap<String, PathBuf>) -> Result<(String, BTreeMap<String, String>), String> {
    let config = config::load(file).map_err(|error| crate::trace(&error))?;
    let name = config.get("name").filter(|name| !name.is_empty());
    let name = name.ok_or("it does not say which connector it is for: a setting `name` is missing")?.clone();
    if let Some(first) = seen.get(&name) {
        return Err(format!("connector {name} is that of {} already: keep one of both files", first.display()));
    }
    seen.insert(name.clone(), file.to_owned());
    Ok((name, config))
}

/// One file. Fails where no other would fare better.
async fn apply(
    worker: &Worker,
    file: &Path,
    name: String,
    config: &BTreeMap<String, String>,
    dry_run: bool,
) -> Result<Outcome, ClientError> {
    let mut changes = Vec::new();
    let result = match bring(worker, &name, config, dry_run, &mut changes).await {
        Err(error @ ClientError::Unauthorized { .. }) => return Err(error),
        result => result.map_err(|error| crate::trace(&error)),
    };
    Ok(Outcome { file: file.to_owned(), name: Some(name), changes, result })
}

/// Compares, and changes what differs. `differences` is there even if the worker refuses them.
async fn bring(
    worker: &Worker,
    name: &str,
    config: &BTreeMap<String, String>,
    dry_run: bool,
    differences: &mut Vec<Change>,
) -> Result<Action, ClientError> {
    let path = ["connectors", name, "config"];
    let found: Option<BTreeMap<String, Option<String>>> = match worker.get(&path).await {
        Ok(found) => Some(found),
        Err(error) if error.is_missing() => None,
        Err(error) => return Err(error),
    };
    *differences = changes(found.as_ref().unwrap_or(&BTreeMap::new()), config);
    let action = match &found {
        None => Action::Created,
        Some(_) if differences.is_empty() => Action::Unchanged,
        Some(_) => Action::Updated,
    };
    match action {
        _ if dry_run => {}
        Action::Created => {
            let body = json!({ "name": name, "config": config });
            worker.change(Method::POST, &["connectors"], Some(&body)).await?;
        }
        Action::Updated => {
            worker.change(Method::PUT, &path, Some(&json!(config))).await?;
        }
        Action::Unchanged => {}
    }
    Ok(action)
}

// === impl Action ===

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    fn tell(&self, dry_run: bool, screen: &mut Screen<'_>) -> io::Result<()> {
        let file = escaped(&self.file.display().to_string());
        let what = self.name.as_deref().map_or_else(|| file.clone(), escaped);
        if let Ok(action) = self.result {
            let would = if dry_run && action != Action::Unchanged { "would be " } else { "" };
            screen.line(&format!("{what}: {would}{} ({file})", action.word()))?;
        } else if !self.changes.is_empty() {
            screen.line(&format!("{what}: not changed ({file})"))?;
        }
        for change in &self.changes {
            let line = change.line();
            let tone = match line.as_bytes().first() {
                Some(b'+') => Tone::Good,
                Some(b'-') => Tone::Bad,
                _ => Tone::Warn,
            };
            let line = screen.paint(tone, &line);
            screen.line(&format!("  {line}"))?;
        }
        match &self.result {
            Ok(_) => Ok(()),
            Err(message) => screen.error(&format!("could not apply {file}: {message}")),
        }
    }

    fn json(&self, dry_run: bool) -> Value {
        let changes: Vec<Value> = self.changes.iter().map(Change::json).collect();
        let action = self.result.as_ref().map_or("failed", |action| action.word());
        let mut json = json!({
            "file": self.file.display().to_string(), "name": self.name, "action": action, "dry_run": dry_run, "changes": changes,
        });
        if let Err(message) = &self.result {
            json["message"] = json!(message);
        }
        json
    }
}
