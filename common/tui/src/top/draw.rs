//! The live screen as a function of what is known: nothing here changes anything.

use corescope::clock::Clock;
use corescope::column::Align;
use corescope::table::text;
use corescope::{Value, escape};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::Top;
use super::layout::{self, Want};
use super::model::{self, Line, Model};
use super::state::{Mode, State};
use crate::draw::bars::{ASCII, Bars, LENGTH};
use crate::draw::{line_at, put};
use crate::screen::Status;

/// Lines that are no rows: the title, the headers, and the keys or the filter.
const HEAD: u16 = 2;
const FOOT: u16 = 1;
const HINTS: &str = "q quit  h help  </> sort  r reverse  g group  / filter  p pause  +/- interval";
const HISTORY: &str = "HISTORY";

/// What a screen is made of.
#[derive(Debug)]
pub(crate) struct View<'a, Row: 'static> {
    pub(crate) top: &'a Top<Row>,
    pub(crate) state: &'a State,
    pub(crate) model: &'a Model<Row>,
    pub(crate) status: &'a Status,
    pub(crate) bars: &'a Bars,
}

/// How many rows fit on a screen of this height.
pub(crate) fn page(height: u16) -> usize {
    height.saturating_sub(HEAD + FOOT).max(1).into()
}

/// Draws all of it, whatever room there is.
pub(crate) fn screen<Row>(frame: &mut Frame<'_>, view: &View<'_, Row>, clock: &mut Clock) {
    let area = frame.area();
    let lines = view.model.lines(view.top, view.state, clock);
    let buffer = frame.buffer_mut();
    title(buffer, line_at(area, 0), view, &lines, clock);
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + FOOT), ..area }.intersection(area);
    table(buffer, rows, view, &lines, clock);
    if area.height > HEAD {
        footer(buffer, line_at(area, area.height - 1), view.state);
    }
}

fn title<Row>(buffer: &mut Buffer, line: Rect, view: &View<'_, Row>, lines: &[&Line<Row>], clock: &mut Clock) {
    let shown = &view.model.shown;
    let mut parts = vec![format!("{}  {}", view.top.name, shown.time)];
    let rates = sums(view.top, lines);
    parts.extend(rates.iter().map(|(header, sum)| format!("{header} {}", text(sum, clock))));
    parts.push(match view.state.offset {
        0 => format!("rows {}", lines.len()),
        offset => format!("rows {} from {}", lines.len(), offset + 1),
    });
    if let Some(group) = view.state.group.checked_sub(1).and_then(|index| view.top.groups.get(index)) {
        parts.push(format!("by {}", group.name));
    }
    parts.push(format!("every {} s", view.status.interval));
    let mut text = parts.join("  ");
    let load = format!("  load {}", shown.load);
    // All of it or nothing: half a number is another number.
    if text.len() + load.len() <= line.width.into() {
        text += &load;
    }
    put(buffer, line, &text, Style::new().add_modifier(Modifier::BOLD));
    let mut notes = Vec::new();
    if view.status.lost > 0 {
        notes.push(format!(" {} events lost ", view.status.lost));
    }
    if view.state.paused {
        notes.push(" PAUSED ".into());
    }
    // On the right, where no long title pushes them out.
    let notes = notes.concat();
    let width = u16::try_from(notes.len()).unwrap_or(u16::MAX).min(line.width);
    let right = Rect { x: line.right() - width, width, ..line };
    put(buffer, right, &notes, view.status.colours.style(Color::Red).add_modifier(Modifier::REVERSED));
}

/// The sums of the columns that can be added up.
fn sums<Row>(top: &Top<Row>, lines: &[&Line<Row>]) -> Vec<(&'static str, Value<'static>)> {
    let rates = top.live.shown().iter().filter(|column| top.sums.contains(&column.header));
    let sum = |value: fn(&Row) -> Value<'_>| {
        lines.iter().fold(Value::Size(0), |sum, line| match (sum, value(&line.row)) {
            (Value::Size(sum), Value::Size(more)) => Value::Size(sum.saturating_add(more)),
            (Value::Size(sum) | Value::Unsigned(sum), Value::Unsigned(more)) => {
                Value::Unsigned(sum.saturating_add(more))
            }
            (sum, _) => sum,
        })
    };
    rates.map(|column| (column.header, sum(column.value))).collect()
}

fn escaped(text: &str) -> String {
    let mut out = Vec::new();
    escape::push(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// A column as it is on the screen.
struct Place {
    index: usize,
    x: u16,
    width: u16,
    align: Align,
}

/// Headers and rows.
fn table<Row>(buffer: &mut Buffer, area: Rect, view: &View<'_, Row>, lines: &[&Line<Row>], clock: &mut Clock) {
    let room = usize::from(area.height.saturating_sub(1));
    let most = lines.iter().map(|line| line.history.most()).max().unwrap_or(0);
    let shown: Vec<_> = lines.iter().skip(view.state.offset).take(room).collect();
    let cells: Vec<_> = shown.iter().map(|line| model::cells(&view.top.live, &line.row, clock)).collect();
    let headers = headers(view);
    let (places, history) = places(view, area, &headers, &cells);
    let header = Style::new().add_modifier(Modifier::REVERSED);
    let heads = line_at(area, 0);
    let mark = if std::ptr::eq(view.bars, &ASCII) { '~' } else { '…' };
    buffer.set_style(heads, header);
    for place in &places {
        let sorted = if place.index == view.state.sort { header.add_modifier(Modifier::BOLD) } else { header };
        cell(buffer, heads, place, &headers[place.index], mark, sorted);
    }
    cell(buffer, heads, &history, HISTORY, mark, header);
    if lines.is_empty() {
        put(buffer, line_at(area, 1), &nothing(view), Style::new().add_modifier(Modifier::DIM));
    }
    for (y, (row, line)) in (1..).zip(cells.iter().zip(&shown)) {
        let at = line_at(area, y);
        let quiet = (view.top.amount)(&line.row) == 0;
        let style = if quiet { Style::new().add_modifier(Modifier::DIM) } else { Style::new() };
        for place in &places {
            cell(buffer, at, place, &row[place.index], mark, style);
        }
        // Where there is no room for all of it, the newest.
        let bars: String =
            line.history.line(view.bars, most).chars().skip(LENGTH - usize::from(history.width)).collect();
        cell(buffer, at, &history, &bars, mark, view.status.colours.style(Color::Cyan));
    }
}

/// Why there are no rows.
fn nothing<Row>(view: &View<'_, Row>) -> String {
    if view.model.shown.time.is_empty() {
        format!("collecting: the first rows come after {} s", view.status.interval)
    } else if view.model.shown.lines.is_empty() {
        "nothing has happened so far".into()
    } else {
        format!("none of {} rows contains \"{}\"", view.model.shown.lines.len(), escaped(&view.state.filter))
    }
}

/// Where the columns and the history are.
fn places<Row>(view: &View<'_, Row>, area: Rect, headers: &[String], cells: &[Vec<String>]) -> (Vec<Place>, Place) {
    let (columns, sort) = (view.top.live.shown(), view.state.sort);
    let widest = |index: usize| cells.iter().map(|row| layout::width(&row[index])).max().unwrap_or(0);
    let want = |(index, header): (usize, &String)| Want::new(index, columns[index], header, widest(index));
    let wants = headers.iter().enumerate().filter(|(index, _)| *index >= view.state.left || *index == sort).map(want);
    let fitting = layout::fit(wants.collect(), area.width.into(), LENGTH, sort, &view.top.leave_order());
    let mut x = area.x;
    let mut places = Vec::new();
    for (want, width) in fitting {
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        places.push(Place { index: want.index, x, width, align: want.align });
        x = x.saturating_add(width).saturating_add(1);
    }
    let left = usize::from(area.right().saturating_sub(x)).min(LENGTH);
    (places, Place { index: usize::MAX, x, width: u16::try_from(left).unwrap_or(0), align: Align::Left })
}

/// The header of the column that rows are sorted by says so.
fn headers<Row>(view: &View<'_, Row>) -> Vec<String> {
    let columns = view.top.live.shown().iter().enumerate();
    let mark = if view.state.reversed { '^' } else { '*' };
    let header = |(index, header): (usize, &str)| {
        if index == view.state.sort { format!("{header}{mark}") } else { header.to_string() }
    };
    columns.map(|(index, column)| header((index, column.header))).collect()
}

fn cell(buffer: &mut Buffer, line: Rect, place: &Place, text: &str, mark: char, style: Style) {
    let text = layout::shortened(text, place.width.into(), mark);
    let used = u16::try_from(layout::width(&text)).unwrap_or(u16::MAX);
    let indent = if place.align == Align::Right { place.width.saturating_sub(used) } else { 0 };
    let x = place.x.saturating_add(indent);
    if x < line.right() {
        put(buffer, Rect { x, width: line.right() - x, ..line }, &text, style);
    }
}

fn footer(buffer: &mut Buffer, line: Rect, state: &State) {
    match state.mode {
        Mode::Filter => {
            let text = format!("/{}_  Enter keeps it, Esc clears it", escaped(&state.filter));
            put(buffer, line, &text, Style::new().add_modifier(Modifier::BOLD));
        }
        Mode::Rows if !state.filter.is_empty() => {
            let text = format!("only \"{}\", Esc shows all  {HINTS}", escaped(&state.filter));
            put(buffer, line, &text, Style::new().add_modifier(Modifier::BOLD));
        }
        Mode::Rows => put(buffer, line, HINTS, Style::new().add_modifier(Modifier::DIM)),
    }
}

#[cfg(test)]
mod tests {
    use super::{View, page, screen};
    use crate::draw::Colours;
    use crate::draw::bars::{ASCII, BLOCKS};
    use crate::screen::Status;
    use crate::top::model::Model;
    use crate::top::model::tests::{Row, rows, top};
    use crate::top::state::{Mode, State};
    use corescope::clock::Clock;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    /// Draws three rows after two intervals, with what `change` makes of the state.
    fn drawn(width: u16, height: u16, change: impl FnOnce(&mut State)) -> String {
        let mut model = Model::new();
        for rates in [[0, 10, 0], [0, 2048, 100]] {
            model.update(&top(), rows(rates), "17:05:09".into(), "0.52 0.40 0.30".into(), false);
        }
        let mut state = State::new(3, 2, 1);
        change(&mut state);
        draw(width, height, &model, &state, 0)
    }

    fn draw(width: u16, height: u16, model: &Model<Row>, state: &State, lost: u64) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
        let top = top();
        let status = Status { interval: 0.5, lost, colours: Colours::Many };
        let view = View { top: &top, state, model, status: &status, bars: &BLOCKS };
        terminal.draw(|frame| screen(frame, &view, &mut Clock::new())).expect("memory");
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_whole_screen() {
        assert_eq!(
            drawn(80, 7, |_| ()),
            "iotop  17:05:09  IO/s 2.1K  rows 3  every 0.5 s  load 0.52 0.40 0.30\n    \
                 PID COMM        IO/s* HISTORY\n     \
                  30 b\\x1b[31m    2.0K                   ▁█\n      \
                   7 Zsh           100                    ▁\n      \
                   1 init            0\n\n\
             q quit  h help  </> sort  r reverse  g group  / filter  p pause  +/- interval"
        );
    }

    #[test]
    fn order_filter_and_pause_show() {
        let screen = drawn(100, 6, |state| {
            state.sort = 1;
            state.reversed = true;
            state.filter = "in".into();
            state.paused = true;
        });
        let lines: Vec<&str> = screen.lines().collect();
        assert!(lines[0].contains("rows 1 ") && lines[5].starts_with("only \"in\""), "{screen}");
        assert!(lines[0].ends_with("PAUSED"), "{screen}");
        assert!(lines[1].contains("COMM^"), "{screen}");
        assert!(lines[2].contains("init"), "{screen}");
    }

    #[test]
    fn a_filter_that_is_typed_shows_and_is_escaped() {
        let screen = drawn(60, 5, |state| {
            state.mode = Mode::Filter;
            state.filter = "a\u{202e}".into();
        });
        assert!(screen.contains("/a\\u{202e}_"), "{screen}");
    }

    #[test]
    fn scrolling_leaves_out_the_first_rows() {
        let screen = drawn(60, 5, |state| state.offset = 1);
        assert!(!screen.contains("b\\x1b") && screen.contains("Zsh") && screen.contains("rows 3 from 2"), "{screen}");
    }

    #[test]
    fn no_rows_say_why() {
        let mut model = Model::new();
        assert!(draw(80, 6, &model, &State::new(3, 2, 1), 0).contains("after 0.5 s"));
        model.update(&top(), Vec::new(), "17:05:09".into(), String::new(), false);
        assert!(draw(80, 6, &model, &State::new(3, 2, 1), 0).contains("nothing has happened so far"));
        assert!(drawn(80, 6, |state| state.filter = "no such row".into()).contains("none of 3 rows contains"));
    }

    #[test]
    fn columns_are_scrolled_but_for_the_sorted_one() {
        let screen = drawn(60, 5, |state| state.left = 2);
        assert!(!screen.contains("PID") && !screen.contains("Zsh") && screen.contains("IO/s*"), "{screen}");
    }

    #[test]
    fn lost_events_are_told() {
        let screen = draw(60, 5, &Model::new(), &State::new(3, 2, 1), 17);
        assert!(screen.lines().next().is_some_and(|line| line.ends_with("17 events lost")), "{screen}");
    }

    #[test]
    fn every_size_is_drawn() {
        for mode in [Mode::Rows, Mode::Filter] {
            for width in 1..=90 {
                for height in 1..=24 {
                    drawn(width, height, |state| {
                        state.mode = mode;
                        state.offset = usize::from(height) % 5;
                        state.paused = true;
                    });
                }
            }
        }
        assert_eq!(drawn(1, 1, |_| ()), "i");
        assert_eq!((page(0), page(3), page(24)), (1, 1, 21));
    }

    #[test]
    fn bars_need_no_unicode() {
        let mut model = Model::new();
        model.update(&top(), rows([1, 2, 4]), String::new(), String::new(), false);
        let (top, state) = (top(), State::new(3, 2, 1));
        let mut terminal = Terminal::new(TestBackend::new(60, 6)).expect("memory");
        let status = Status { interval: 1.0, lost: 0, colours: Colours::None };
        let view = View { top: &top, state: &state, model: &model, status: &status, bars: &ASCII };
        terminal.draw(|frame| screen(frame, &view, &mut Clock::new())).expect("memory");
        assert!(terminal.backend().to_string().is_ascii());
    }
}
