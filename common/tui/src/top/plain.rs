//! Screens without a terminal: BCC's look as text, or JSON lines.

use corescope::lost::Lost;
use corescope::{Output, Result};

use super::{Part, Source, Span, Top, TopOptions, model};
use crate::screen::{Next, Pace, load, terminal};

pub(crate) fn run<Row>(
    top: &Top<Row>,
    source: &mut impl Source<Row>,
    options: &TopOptions,
    mut lost: Lost<'_>,
    mut out: Output,
    mut pace: Pace,
) -> Result<()> {
    let clear = !options.noclear && terminal::can_move_cursor();
    loop {
        let next = pace.wait(source.fd().as_slice(), None);
        source.drain()?;
        if next == Next::Ready {
            continue;
        }
        let rows = source.rows(Span::ending_now(pace.next()))?;
        out.clock.resync();
        // A long screen takes its time, and what it is about goes on meanwhile.
        let mut drain = || source.drain();
        if out.is_json() {
            json(top, rows, options, &mut out, &mut drain)?;
        } else {
            text(top, rows, options, clear, &mut out, &mut drain)?;
        }
        lost.report(&mut out);
        out.flush()?;
        if next == Next::Stop || pace.is_over() {
            return Ok(());
        }
    }
}

/// The rows in which something happened, the most on top.
fn busy<Row>(top: &Top<Row>, mut rows: Vec<Row>) -> Vec<Row> {
    rows.retain(|row| (top.amount)(row) > 0);
    model::sort(&mut rows, top, top.sort_column(), false, |row| row);
    rows
}

fn json<Row>(
    top: &Top<Row>,
    rows: Vec<Row>,
    options: &TopOptions,
    out: &mut Output,
    drain: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let rows = busy(top, rows);
    let shown = rows.iter().take(options.limit());
    top.plain.first().map_or(Ok(()), |part| lines(part, shown, out, drain))
}

fn text<Row>(
    top: &Top<Row>,
    rows: Vec<Row>,
    options: &TopOptions,
    clear: bool,
    out: &mut Output,
    drain: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    if clear {
        out.push(&terminal::clear_sequence());
    } else {
        out.end_line();
    }
    if !options.nosummary {
        let now = out.clock.now_ns();
        let time = out.clock.hms(now).to_string();
        out.push(&format!("{time} loadavg: {}\n\n", load::line()));
    }
    let rows = busy(top, rows);
    let mut first = true;
    for part in &top.plain {
        let mut shown = rows.iter().filter(|row| (part.takes)(row)).take(options.limit()).peekable();
        if shown.peek().is_none() {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.end_line();
        }
        part.table.header(out);
        lines(part, shown, out, drain)?;
    }
    if first && let Some(part) = top.plain.first() {
        // A screen of nothing but its time might be mistaken for a tool that does not work.
        part.table.header(out);
    }
    Ok(())
}

/// Writes rows, and calls `drain` every now and then.
fn lines<'a, Row: 'static>(
    part: &Part<Row>,
    rows: impl Iterator<Item = &'a Row>,
    out: &mut Output,
    drain: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    const NOW_AND_THEN: usize = 512;
    for (index, row) in rows.enumerate() {
        part.table.row(out, row);
        if !out.flush_if_full() {
            break;
        }
        if index % NOW_AND_THEN == NOW_AND_THEN - 1 {
            drain()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Top, TopOptions, json, text};
    use crate::top::model::tests::{Row, rows, top};
    use corescope::Output;
    use std::time::Duration;

    fn print(top: &Top<Row>, json_lines: bool, nosummary: bool, limit: Option<u32>) -> String {
        let options = TopOptions { noclear: true, nosummary, rows: limit, interval: Duration::ZERO, count: None };
        let mut out = Output::to_memory(json_lines);
        let mut drain = || Ok(());
        let rows = rows([0, 1000, 2048]);
        let printed = if json_lines {
            json(top, rows, &options, &mut out, &mut drain)
        } else {
            text(top, rows, &options, false, &mut out, &mut drain)
        };
        printed.expect("nothing to drain");
        String::from_utf8_lossy(&out.buffer).into_owned()
    }

    #[test]
    fn only_rows_in_which_something_happened() {
        let top = top().plain(&["PID", "COMM", "IO/s"], |_| true);
        assert_eq!(
            print(&top, false, true, None),
            "\n    PID COMM         IO/s\n      7 Zsh          2.0K\n     30 b\\x1b[31m    1.0K\n"
        );
        assert!(print(&top, true, true, None).starts_with("{\"pid\":7,\"comm\":\"Zsh\",\"rate\":2048}\n"));
        assert_eq!(print(&top, true, true, Some(1)).lines().count(), 1);
    }

    #[test]
    fn tables_without_rows_are_left_out() {
        let top = top().plain(&["PID"], |_| false).plain(&["COMM", "IO/s"], |row| row.pid < 10);
        let screen = print(&top, false, false, None);
        let lines: Vec<&str> = screen.lines().collect();
        assert!(lines[1].contains(" loadavg: "), "{screen}");
        assert_eq!(lines[2..], ["", "COMM         IO/s", "Zsh          2.0K"]);
    }

    #[test]
    fn where_nothing_happened_there_is_a_header() {
        let top = top().plain(&["PID"], |_| false).plain(&["COMM", "IO/s"], |_| false);
        assert_eq!(print(&top, false, true, None), "\n    PID\n");
        assert_eq!(print(&top, true, true, None).lines().count(), 2);
    }
}
