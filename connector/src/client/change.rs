//! `sluice pause`, `resume`, `stop` and `delete`: ask for it, then wait until it is so.

use std::io::{self, BufRead, IsTerminal as _};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::bodies::Status;
use super::goal::{Goal, Seen};
use super::screen::Tone;
use super::worker::ANSWER_TIMEOUT;
use super::{ClientError, Screen, Worker};
use crate::cli::rest::{ChangeArgs, DeleteArgs, Form};
use crate::dlq::text::escaped;

/// From one look to the next while a state is waited for.
const POLL: Duration = Duration::from_millis(200);

/// How long something has to stay as it is to be believed: longer than a worker takes to begin with what it was asked for, shorter than anybody
/// minds waiting for bad news.
const STAYS: Duration = Duration::from_secs(3);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pause,
    Resume,
    Stop,
    Delete,
}

/// What became of it for one connector.
#[derive(Debug)]
struct Outcome {
    name: String,
    result: Result<Done, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Requested,
    Reached,
}

// === impl Action ===

impl Action {
    fn request(self, name: &str) -> (Method, Vec<&str>) {
        match self {
            Self::Delete => (Method::DELETE, vec!["connectors", name]),
            _ => (Method::PUT, vec!["connectors", name, self.word()]),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Delete => "delete",
        }
    }

    fn goal(self) -> Goal {
        match self {
            Self::Pause => Goal::Paused,
            Self::Resume => Goal::Running,
            Self::Stop => Goal::Stopped,
            Self::Delete => Goal::Gone,
        }
    }

    fn reached(self) -> &'static str {
        match self {
            Self::Pause => "PAUSED",
            Self::Resume => "RUNNING",
            Self::Stop => "STOPPED",
            Self::Delete => "deleted",
        }
    }
}

/// `sluice delete`: the same, if it is meant.
pub(super) async fn delete(args: &DeleteArgs, screen: &mut Screen<'_>) -> Result<bool, ClientError> {
    if !args.yes {
        let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
        confirm(&args.change.names, &args.change.ask.target.url, asks, &mut io::stdin().lock(), screen)?;
    }
    run(Action::Delete, &args.change, screen).await
}

/// Asks whether it is meant. `asks`: whether there is somebody to answer.
fn confirm(
    names: &[String],
    url: &str,
    asks: bool,
    answers: &mut dyn BufRead,
    screen: &mut Screen<'_>,
) -> Result<(), ClientError> {
    if !asks {
        return Err(ClientError::Unconfirmed(
            "nothing was deleted: there is no terminal to ask at, say --yes if it is meant",
        ));
    }
    let names: Vec<String> = names.iter().map(|name| escaped(name)).collect();
    write!(screen.err, "Delete {} at {}? [y/N] ", names.join(", "), escaped(&crate::http::redacted(url)))?;
    screen.err.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(ClientError::Unconfirmed("nothing was deleted: the answer was not yes")),
    }
}

/// Asks for it for each connector, then waits. Gives back whether all of them are there.
pub(super) async fn run(action: Action, args: &ChangeArgs, screen: &mut Screen<'_>) -> Result<bool, ClientError> {
    let worker = Worker::new(&args.ask.target, Some(ANSWER_TIMEOUT))?;
    let mut outcomes = Vec::new();
    // Everything is asked for before anything is waited for: the connectors change side by side.
    for name in &args.names {
        let (method, path) = action.request(name);
        let result = match worker.change(method, &path, None).await {
            Ok(_) => Ok(Done::Requested),
            Err(error) if error.ends_all() => return Err(error),
            Err(error) => Err(crate::trace(&error)),
        };
        outcomes.push(Outcome { name: name.clone(), result });
    }
    for outcome in &mut outcomes {
        if outcome.result.is_ok() && !args.wait.no_wait {
            let limit = Duration::from_secs(args.wait.timeout_s.into());
            outcome.result = wait(&worker, &outcome.name, action.goal(), limit).await.map(|()| Done::Reached);
        }
        if args.ask.output == Form::Text {
            tell(action, outcome, screen)?;
        }
    }
    if args.ask.output == Form::Json {
        screen.json(&Value::Array(outcomes.iter().map(|outcome| outcome.json(action)).collect()))?;
    }
    Ok(outcomes.iter().all(|outcome| outcome.result.is_ok()))
}

fn tell(action: Action, outcome: &Outcome, screen: &mut Screen<'_>) -> io::Result<()> {
    let name = escaped(&outcome.name);
    match &outcome.result {
        Ok(Done::Requested) => screen.line(&format!("{name}: {} requested", action.word())),
        Ok(Done::Reached) => {
            let tone = if action == Action::Resume { Tone::Good } else { Tone::Plain };
            let reached = screen.paint(tone, action.reached());
            screen.line(&format!("{name}: {reached}"))
        }
        Err(message) => screen.error(&format!("{name}: could not {}: {message}", action.word())),
    }
}

/// Waits until the connector is there; otherwise says why not.
async fn wait(worker: &Worker, name: &str, goal: Goal, limit: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let mut last: Option<(Seen, Instant)> = None;
    loop {
        let seen = goal.judge(status(worker, name).await?.as_ref());
        let since = match &last {
            Some((before, since)) if *before == seen => *since,
            _ => Instant::now(),
        };
        let stays = since.elapsed() >= STAYS;
        match &seen {
            Seen::Reached => return Ok(()),
            Seen::ReachedIfItStays if stays => return Ok(()),
            Seen::Failed(why) => return Err(why.clone()),
            Seen::FailedIfItStays(why) if stays => return Err(why.clone()),
            Seen::Pending(what) | Seen::FailedIfItStays(what) if begun.elapsed() >= limit => {
                let seconds = limit.as_secs();
                return Err(format!(
                    "it was asked for, and after {seconds} s it is still {what}; look on with `sluice status --watch`, or give it longer with --timeout-s"
                ));
            }
            _ => {}
        }
        last = Some((seen, since));
        tokio::time::sleep(POLL).await;
    }
}

/// How the connector fares; `None` if it is not there.
async fn status(worker: &Worker, name: &str) -> Result<Option<Status>, String> {
    match worker.get::<Status>(&["connectors", name, "status"]).await {
        Ok(status) => Ok(Some(status)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(format!("it was asked for, and then: {}", crate::trace(&error))),
    }
}

// === impl Outcome ===

impl Outcome {
    fn json(&self, action: Action) -> Value {
        let (outcome, message) = match &self.result {
            Ok(Done::Requested) => ("requested", None),
            Ok(Done::Reached) => ("done", None),
            Err(message) => ("failed", Some(message)),
        };
        let mut json = json!({ "name": self.name, "action": action.word(), "outcome": outcome });
        if let Some(message) = message {
            json["message"] = json!(message);
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answer: &str, asks: bool) -> (Result<(), ClientError>, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let names = ["a".to_owned(), "b\u{1b}".to_owned()];
        let mut screen = Screen::test(&mut out, &mut err, false);
        let result = confirm(&names, "http://h:1", asks, &mut answer.as_bytes(), &mut screen);
        (result, String::from_utf8(err).unwrap())
    }

    #[test]
    fn nothing_is_deleted_unless_somebody_says_yes() {
        for yes in ["y\n", "YES\n", " y \n"] {
            assert!(asked(yes, true).0.is_ok(), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yy\n", "a, b\n"] {
            assert!(matches!(asked(no, true).0, Err(ClientError::Unconfirmed(_))), "{no:?}");
        }
        assert_eq!(asked("y\n", true).1, r"Delete a, b\u{1b} at http://h:1? [y/N] ");
        let (refused, asked) = asked("y\n", false);
        assert!(refused.unwrap_err().to_string().contains("--yes") && asked.is_empty());
    }
}
