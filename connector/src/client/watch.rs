//! `sluice status --watch`: drawn again on a terminal, a line for each change anywhere else.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::status::{self, Look, first_line, lines, place};
use super::{ClientError, Screen, Worker};
use crate::cli::rest::{Form, StatusArgs};
use crate::dlq::moment::Moment;

/// How many lines a terminal has that does not tell.
const LINES: u16 = 24;

/// What one look is compared with: the state and the first line of the trace of each connector and task.
type States = BTreeMap<(String, Option<u32>), (String, String)>;

/// What was seen before.
#[derive(Debug, Default)]
struct Before {
    states: States,
    errors: Vec<String>,
    bodies: Option<Vec<Value>>,
}

/// Ends with Ctrl-C or SIGTERM.
///
/// # Errors
///
/// The system does not let us hear of them.
pub(super) fn interrupt() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Looks until `stop` is done. Gives back whether the last look was well. A worker that is away is looked for again.
pub(super) async fn run(
    args: &StatusArgs,
    worker: &Worker,
    screen: &mut Screen<'_>,
    stop: impl Future<Output = ()>,
) -> Result<bool, ClientError> {
    let pause = Duration::from_secs(args.interval_s.into());
    let (mut before, mut well) = (Before::default(), false);
    let mut stop = std::pin::pin!(stop);
    loop {
        let look = tokio::select! {
            look = status::look(worker, &args.names) => look,
            () = &mut stop => return Ok(well),
        };
        let look = match look {
            Err(error) if error.ends_all() => return Err(error),
            Err(error) => Look { errors: vec![error.to_string()], ..Look::default() },
            Ok(look) => look,
        };
        well = look.is_well();
        match args.ask.output {
            Form::Json => before.tell_json(look, screen)?,
            Form::Text if screen.is_terminal() => draw(&look, args.full, worker, screen)?,
            Form::Text => before.tell_changes(&look, screen)?,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = &mut stop => return Ok(well),
        }
    }
}

/// Draws over what was drawn before: line by line, so that nothing flickers.
fn draw(look: &Look, full: bool, worker: &Worker, screen: &mut Screen<'_>) -> io::Result<()> {
    let mut shown = vec![format!("{}  {}  (Ctrl-C ends)", now(), worker.url()), String::new()];
    // A whole trace comes in lines of its own, the first of which begins with a line break.
    let drawn = lines(&look.found, full, screen);
    shown.extend(drawn.iter().flat_map(|line| line.split('\n')).map(str::to_owned));
    if look.found.is_empty() && look.errors.is_empty() {
        shown.push("no connectors".to_owned());
    }
    shown.extend(look.errors.iter().flat_map(|error| error.split('\n')).map(str::to_owned));
    let rows = ratatui::crossterm::terminal::size().map_or(LINES, |(_, rows)| rows);
    write!(screen.out, "{}", frame(shown, usize::from(rows.max(3))))?;
    screen.out.flush()
}

/// One picture: from the upper left corner on, lines that are too long cut off, what was there before erased. Afterwards the terminal
/// is as it was, in case the process is killed.
fn frame(mut lines: Vec<String>, rows: usize) -> String {
    let room = rows - 1;
    if lines.len() > room {
        let more = lines.len() - room + 1;
        lines.truncate(room - 1);
        lines.push(format!("… {more} more lines; a larger window or names of connectors show them"));
    }
    let lines: String = lines.iter().map(|line| format!("{line}\x1b[K\r\n")).collect();
    format!("\x1b[?7l\x1b[H{lines}\x1b[J\x1b[?7h")
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

// === impl Before ===

impl Before {
    /// A list on a line, if it is another one than before. What failed comes after it on standard error.
    fn tell_json(&mut self, look: Look, screen: &mut Screen<'_>) -> io::Result<()> {
        if look.errors != self.errors {
            look.errors.iter().try_for_each(|error| screen.error(error))?;
            self.errors = look.errors;
        }
        if self.bodies.as_ref() != Some(&look.bodies) {
            screen.line(&Value::Array(look.bodies.clone()).to_string())?;
            self.bodies = Some(look.bodies);
        }
        Ok(())
    }

    /// A line for each change.
    fn tell_changes(&mut self, look: &Look, screen: &mut Screen<'_>) -> io::Result<()> {
        if look.errors != self.errors {
            look.errors.iter().try_for_each(|error| screen.error(error))?;
            self.errors.clone_from(&look.errors);
        }
        // Nobody has gone if the worker did not answer.
        if look.found.is_empty() && !look.errors.is_empty() {
            return Ok(());
        }
        let states = states(look);
        let now = now();
        for change in changes(&self.states, &states) {
            screen.line(&format!("{now}  {change}"))?;
        }
        self.states = states;
        Ok(())
    }
}

fn states(look: &Look) -> States {
    let parts = look.found.iter().flat_map(|status| status.parts().map(move |part| (status, part)));
    let state = |(status, (task, part)): (&super::bodies::Status, (Option<u32>, &super::bodies::Part))| {
        let trace = part.trace.as_deref().map(first_line).unwrap_or_default();
        ((status.name.clone(), task), (part.state.clone(), trace))
    };
    parts.map(state).collect()
}

/// What is different now, each in a line.
fn changes(before: &States, now: &States) -> Vec<String> {
    let mut changes = Vec::new();
    for ((name, task), state) in now {
        if before.get(&(name.clone(), *task)) == Some(state) {
            continue;
        }
        let (word, trace) = state;
        let trace = if trace.is_empty() { String::new() } else { format!(": {trace}") };
        changes.push(format!("{}  {}{trace}", place(name, *task), crate::dlq::text::escaped(word)));
    }
    let gone = before.keys().filter(|part| !now.contains_key(part));
    changes.extend(gone.map(|(name, task)| format!("{}  gone", place(name, *task))));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(parts: &[(&str, Option<u32>, &str, &str)]) -> States {
        let state = |&(name, task, state, trace): &(&str, Option<u32>, &str, &str)| {
            ((name.to_owned(), task), (state.to_owned(), trace.to_owned()))
        };
        parts.iter().map(state).collect()
    }

    #[test]
    fn only_what_changes_is_told() {
        let first = states(&[("a", None, "RUNNING", ""), ("a", Some(0), "RUNNING", ""), ("b", None, "PAUSED", "")]);
        assert_eq!(changes(&States::new(), &first), ["a  RUNNING", "a, task 0  RUNNING", "b  PAUSED"]);
        assert_eq!(changes(&first, &first), [""; 0]);
        let second = states(&[("a", None, "RUNNING", ""), ("a", Some(0), "FAILED", "a trap")]);
        assert_eq!(changes(&first, &second), ["a, task 0  FAILED: a trap", "b  gone"]);
    }

    #[test]
    fn a_picture_fits_its_window() {
        let lines = |number: usize| (0..number).map(|line| line.to_string()).collect::<Vec<_>>();
        assert_eq!(frame(lines(2), 3), "\x1b[?7l\x1b[H0\x1b[K\r\n1\x1b[K\r\n\x1b[J\x1b[?7h");
        let cut = frame(lines(10), 5);
        assert!(cut.contains("2\x1b[K") && !cut.contains("3\x1b[K") && cut.contains("… 7 more lines"), "{cut:?}");
        assert_eq!(cut.matches("\r\n").count(), 4);
    }
}
