//! Screens without a terminal: BCC's look as text, or JSON lines.

use std::time::Duration;

use corescope::lost::Lost;
use corescope::{Output, Result};

use crate::pace::Next;
use crate::{Pace, Part, Source, Top, load, model, terminal};

pub(crate) fn run<Row>(
    top: &Top<Row>,
    source: &mut impl Source<Row>,
    mut lost: Lost<'_>,
    mut out: Output,
    mut pace: Pace,
) -> Result<()> {
    let clear = !top.scroll && terminal::can_move_cursor();
    loop {
        let next = pace.wait(source.fd().as_slice(), None);
        source.drain()?;
        if next == Next::Ready {
            continue;
        }
        let rows = interval(source, &mut pace)?;
        out.clock.resync();
        // A long screen takes its time, and what it is about goes on meanwhile.
        let mut drain = || source.drain();
        if out.is_json() {
            json(top, rows, &mut out, &mut drain)?;
        } else {
            text(top, rows, &load::line(), clear, &mut out, &mut drain)?;
        }
        lost.report(&mut out);
        out.flush()?;
        if next == Next::Stop || pace.is_over() {
            return Ok(());
        }
    }
}

/// The rows of the interval that is over.
pub(crate) fn interval<Row>(source: &mut impl Source<Row>, pace: &mut Pace) -> Result<Vec<Row>> {
    let length: Duration = pace.next();
    source.rows(length)
}

/// The rows in which something happened, the most on top.
fn busy<Row>(top: &Top<Row>, mut rows: Vec<Row>) -> Vec<Row> {
    rows.retain(|row| (top.amount)(row) > 0);
    model::sort(&mut rows, top, top.sort_column(), false, |row| row);
    rows
}

fn json<Row>(top: &Top<Row>, rows: Vec<Row>, out: &mut Output, drain: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    let rows = busy(top, rows);
    let shown = rows.iter().take(top.limit.unwrap_or(usize::MAX));
    top.plain.first().map_or(Ok(()), |part| lines(part, shown, out, drain))
}

fn text<Row>(
    top: &Top<Row>,
    rows: Vec<Row>,
    load: &str,
    clear: bool,
    out: &mut Output,
    drain: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    if clear {
        out.push(&terminal::clear_sequence());
    } else {
        out.end_line();
    }
    if top.summary {
        let now = out.clock.now_ns();
        let time = out.clock.hms(now).to_string();
        out.push(&format!("{time} loadavg: {load}\n\n"));
    }
    let rows = busy(top, rows);
    let mut first = true;
    for part in &top.plain {
        let mut shown = rows.iter().filter(|row| (part.takes)(row)).take(top.limit.unwrap_or(usize::MAX)).peekable();
        if shown.peek().is_none() {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.end_line();
        }
        part.table.header(out);
        lines(part, shown, out, drain)?;
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
    use super::{json, text};
    use crate::model::tests::{COLUMNS, rows, top};
    use crate::{Part, Top};
    use corescope::{Output, Table};

    fn print(top: &Top<crate::model::tests::Row>, json_lines: bool) -> String {
        let mut out = Output::to_memory(json_lines);
        if json_lines {
            json(top, rows([0, 1000, 2048]), &mut out, &mut || Ok(())).expect("nothing to drain");
        } else {
            text(top, rows([0, 1000, 2048]), "0.00 1/2 3", false, &mut out, &mut || Ok(())).expect("nothing to drain");
        }
        String::from_utf8_lossy(&out.buffer).into_owned()
    }

    #[test]
    fn only_rows_in_which_something_happened() {
        let mut top = top();
        top.summary = false;
        assert_eq!(
            print(&top, false),
            "\n    PID COMM         IO/s\n      7 Zsh          2.0K\n     30 b\\x1b[31m    1.0K\n"
        );
        assert!(print(&top, true).starts_with("{\"pid\":7,\"comm\":\"Zsh\",\"rate\":2048}\n"));
        top.limit = Some(1);
        assert_eq!(print(&top, true).lines().count(), 1);
    }

    #[test]
    fn tables_without_rows_are_left_out() {
        let mut top = top();
        top.plain = vec![
            Part { table: Table::new(COLUMNS), takes: |_| false },
            Part { table: Table::new(COLUMNS).show("PID", false), takes: |row| row.pid < 10 },
        ];
        let screen = print(&top, false);
        let lines: Vec<&str> = screen.lines().collect();
        assert!(lines[1].ends_with(" loadavg: 0.00 1/2 3"), "{screen}");
        assert_eq!(lines[2..], ["", "COMM         IO/s", "Zsh          2.0K"]);
    }
}
