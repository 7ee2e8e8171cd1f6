//! What a person sees of the demo: a live table in a terminal, one line a second anywhere else.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::board::Board;
use super::log_tail::LogTail;

mod plain;
mod table;
mod text;

pub(crate) use text::grouped;

/// What the view says besides the prices.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Where the demo's Kafka listens, `host:port`.
    pub(crate) kafka: String,
    /// Where the demo's receiver listens, a URL.
    pub(crate) influx: String,
    /// The page's URL, if there is a listener.
    pub(crate) page: Option<String>,
    /// After how long the demo ends by itself.
    pub(crate) duration: Option<Duration>,
}

/// A running view. Dropping it ends it, and the terminal is as before once its thread is gone.
#[derive(Debug)]
pub(crate) struct View {
    stop: Arc<AtomicBool>,
    quit: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

// === impl View ===

impl View {
    /// Shows `board` on standard output, as a table in a terminal if `live`, from a thread of its own, so that a terminal that takes nothing holds up nobody else.
    pub(crate) fn start(board: Arc<Board>, facts: Facts, log: LogTail, live: bool) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (quit_tx, quit) = oneshot::channel();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("demo-view".to_owned()).spawn(move || {
            // Dropped when this thread ends, which is how the demo learns that the person wants to leave.
            let _quit_tx = quit_tx;
            let shown = if live { table::show(&board, &facts, &log, &stopped) } else { Ok(table::Shown::Nothing) };
            match shown {
                Ok(table::Shown::UntilQuit) => return,
                Ok(table::Shown::Nothing) => {}
                Err(error) => tracing::warn!(%error, "terminal cannot show the live table, printing lines instead"),
            }
            if let Err(error) = plain::show(&mut io::stdout(), &board, &facts, &stopped) {
                tracing::debug!(%error, "standard output takes no more, ending the demo");
            }
        })?;
        Ok(Self { stop, quit, thread: Some(thread) })
    }

    /// Resolves when the person asked to leave, or standard output was closed.
    pub(crate) async fn quit(&mut self) {
        // The sender is never used but to be dropped.
        let _ = (&mut self.quit).await;
    }

    /// Ends the view and waits until the terminal is as before. Blocks, for a tenth of a second at most.
    pub(crate) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic has been reported by the panic hook, which also gave the terminal back.
            let _ = thread.join();
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes a line to standard output. It may be closed (`sluice demo | head -1`): then there is nobody to tell.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Whether standard output is a terminal that understands more than lines.
pub fn has_live_terminal() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
