//! The view for a terminal: a table of the prices on the alternate screen, drawn in place ten times a second.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Cell, Paragraph, Row, Table};

use super::super::board::{Board, Snapshot, SymbolSnapshot};
use super::super::log_tail::LogTail;
use super::{Facts, text};

/// Pause between two frames, in which keys are waited for.
const FRAME: Duration = Duration::from_millis(100);

/// Log lines shown at the foot.
const LOG_LINES: usize = 3;

/// How the live table ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It was shown until it was told to stop or the person asked to leave.
    UntilQuit,
    /// There was no terminal to show it on.
    Nothing,
}

/// Gives the terminal back when it is dropped; on a panic ratatui's hook has done so before.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the table until `stop`, or until q, Esc or Ctrl-C, which a terminal in raw mode hands over as a key.
///
/// # Errors
/// The terminal cannot be set up or no longer be drawn on; it is as before.
pub(super) fn show(board: &Board, facts: &Facts, log: &LogTail, stop: &AtomicBool) -> io::Result<Shown> {
    // Declared first, dropped last: held log lines come out when the screen is as before.
    let _holding = log.hold();
    let mut terminal = ratatui::try_init()?;
    let _restore = Restore;
    while !stop.load(Ordering::Relaxed) {
        let snapshot = board.snapshot();
        let lines = log.latest(LOG_LINES);
        terminal.draw(|frame| draw(frame, &snapshot, facts, &lines))?;
        if event::poll(FRAME)? && is_quit(&event::read()?) {
            break;
        }
    }
    Ok(Shown::UntilQuit)
}

fn is_quit(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return false };
    match code {
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => true,
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, facts: &Facts, log: &[String]) {
    let rows = snapshot.symbols.len().max(1) as u16;
    let foot = 1 + log.len() as u16;
    let [head, table, foot, _] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Max(rows + 3),
        Constraint::Length(foot),
        Constraint::Fill(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, snapshot, facts);
    draw_table(frame, table, snapshot);
    draw_foot(frame, foot, facts, log);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot, facts: &Facts) {
    let figure =
        |name: &'static str, value: String| [Span::from(name).dim(), Span::from(value).bold(), Span::from("   ")];
    let (p50, p99) = snapshot.freshness.map_or(("…".to_owned(), "…".to_owned()), |freshness| {
        (text::milliseconds(freshness.p50_ms), text::milliseconds(freshness.p99_ms))
    });
    let mut figures = Vec::new();
    figures.extend(figure("points/s ", text::grouped(snapshot.points_per_second.round() as u64)));
    figures.extend(figure("freshness p50 ", p50));
    figures.extend(figure("p99 ", p99));
    figures.extend(figure("points ", text::grouped(snapshot.points)));
    if snapshot.repeats > 0 {
        figures.extend(figure("repeats ", text::grouped(snapshot.repeats)));
    }
    let influx = facts.influx.trim_start_matches("http://");
    let path = format!("prices → Kafka {} → WebAssembly → InfluxDB {influx}", facts.kafka);
    let elapsed = Duration::from_secs_f64(snapshot.elapsed_s);
    let clock = match facts.duration {
        Some(duration) => format!(" {} of {} ", text::clock(elapsed), text::clock(duration)),
        None => format!(" {} ", text::clock(elapsed)),
    };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().dim())
        .title(Line::from(" Sluice demo ").bold().cyan())
        .title(Line::from(clock).alignment(Alignment::Right));
    frame.render_widget(Paragraph::new(vec![Line::from(figures), Line::from(path).dim()]).block(block), area);
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let header = ["symbol", "price", "change", "last half minute", "points"].map(|name| {
        let right = matches!(name, "price" | "change" | "points");
        Cell::from(Line::from(name).alignment(if right { Alignment::Right } else { Alignment::Left }))
    });
    let widths = [
        Constraint::Length(10),
        Constraint::Length(12),
        Constraint::Length(9),
        Constraint::Fill(1),
        Constraint::Length(10),
    ];
    // What is left for the line: the borders, the other columns and the gaps between the five take 51 cells.
    let spark_width = usize::from(area.width.saturating_sub(51));
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(Style::new().dim());
    if snapshot.symbols.is_empty() {
        let waiting = Paragraph::new("waiting for the first price …".dim()).block(block);
        frame.render_widget(waiting, area);
        return;
    }
    let rows = snapshot.symbols.iter().map(|symbol| row(symbol, spark_width));
    let table = Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().add_modifier(Modifier::DIM)))
        .column_spacing(2)
        .block(block);
    frame.render_widget(table, area);
}

fn row(symbol: &SymbolSnapshot, spark_width: usize) -> Row<'static> {
    let colour = if symbol.change_percent < 0.0 { Color::Red } else { Color::Green };
    let right = |text: String| Line::from(text).alignment(Alignment::Right);
    Row::new([
        Cell::from(symbol.symbol.clone().bold()),
        Cell::from(right(text::price(symbol.price))),
        Cell::from(right(text::change(symbol.change_percent)).fg(colour)),
        Cell::from(text::sparkline(&symbol.history, spark_width).fg(colour)),
        Cell::from(right(text::grouped(symbol.points)).dim()),
    ])
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, facts: &Facts, log: &[String]) {
    let mut keys = vec![Span::from(" q").bold(), Span::from(" ends the demo").dim()];
    if let Some(page) = &facts.page {
        keys.extend([Span::from("   the same in a browser: ").dim(), Span::from(page.clone()).cyan()]);
    }
    let mut lines = vec![Line::from(keys)];
    lines.extend(log.iter().map(|line| Line::from(format!(" {line}")).yellow()));
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::super::board::Point;
    use super::*;
    use crate::feed::SYMBOLS;

    const SECOND: i64 = 1_000_000_000;

    fn screen(width: u16, height: u16, snapshot: &Snapshot, log: &[String]) -> String {
        let facts = Facts {
            kafka: "127.0.0.1:9092".into(),
            influx: "http://127.0.0.1:8086".into(),
            page: Some("http://127.0.0.1:8083/demo".into()),
            duration: Some(Duration::from_secs(60)),
        };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, snapshot, &facts, log)).unwrap();
        terminal.backend().to_string()
    }

    fn snapshot() -> Snapshot {
        let board = Board::starting_at(0);
        for second in 1..=20 {
            let points = SYMBOLS.map(|symbol| Point {
                symbol: symbol.name.to_owned(),
                price: 1_000.0 + second as f64,
                timestamp_ns: second * SECOND,
            });
            board.record(&points, second * SECOND + 2_000_000);
        }
        board.snapshot_at(21 * SECOND)
    }

    #[test]
    fn an_ordinary_terminal_shows_every_symbol() {
        let screen = screen(80, 24, &snapshot(), &[]);
        for symbol in SYMBOLS {
            assert!(screen.contains(symbol.name), "{} in {screen}", symbol.name);
        }
        for part in ["1,020.00", "+1.90 %", "▁▁▂▂▂", "00:21 of 01:00", "p99 2.01 ms", "q ends the demo", "8083/demo"]
        {
            assert!(screen.contains(part), "{part} in {screen}");
        }
    }

    #[test]
    fn log_lines_are_shown_at_the_foot() {
        let screen = screen(100, 30, &snapshot(), &["WARN broker is gone".to_owned()]);
        assert!(screen.contains("WARN broker is gone"), "{screen}");
    }

    #[test]
    fn any_size_and_no_prices_are_fine() {
        let empty = Board::starting_at(0).snapshot_at(SECOND);
        assert!(screen(80, 24, &empty, &[]).contains("waiting for the first price"));
        for (width, height) in [(1, 1), (10, 3), (30, 10), (400, 100)] {
            screen(width, height, &snapshot(), &["line".to_owned()]);
        }
    }

    #[test]
    fn quit_keys_quit() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(is_quit(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(is_quit(&key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(is_quit(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!is_quit(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!is_quit(&Event::FocusGained));
    }
}
