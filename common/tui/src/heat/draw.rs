//! The heat map as a function of what is known: nothing here changes anything.

use corescope::histogram::{Histogram, Look, SLOTS};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::model::{Column, Model};
use super::shades::shade;
use super::state::State;
use crate::draw::{line_at, put};
use crate::screen::Status;

/// Lines above the map: the title, and what the newest interval that is shown counted.
const HEAD: u16 = 2;
/// And below it: the times, and the keys.
const FOOT: u16 = 2;
/// Digits of the bounds on the left.
const DIGITS: usize = 9;
/// A time takes eight cells, and some room.
const TIME_EVERY: u16 = 12;
const HINTS: &str = "q quit  h help  left/right time  tab next  a all  p pause  +/- interval";

/// What a screen is made of.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) name: &'static str,
    pub(crate) look: &'a Look,
    pub(crate) model: &'a Model,
    pub(crate) state: &'a State,
    pub(crate) status: &'a Status,
}

/// Draws all of it, whatever room there is.
pub(crate) fn screen(frame: &mut Frame<'_>, view: &View<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    let newest = view.model.back(view.state.back);
    title(buffer, line_at(area, 0), view, newest);
    put(buffer, line_at(area, 1), &summary(view, newest), Style::new());
    let height = area.height.saturating_sub(HEAD + FOOT);
    let map = Rect { y: area.y + HEAD, height, ..area }.intersection(area);
    if height > 0 {
        rows(buffer, map, view);
        times(buffer, line_at(area, HEAD + height), view);
        put(buffer, line_at(area, area.height - 1), HINTS, Style::new().add_modifier(Modifier::DIM));
    }
}

fn title(buffer: &mut Buffer, line: Rect, view: &View<'_>, newest: Option<&Column>) {
    let time = newest.map_or("collecting", |column| column.time.as_str());
    let key = view.state.key.as_deref();
    let keys = view.model.keys().len();
    let what = match (key, keys) {
        (Some(key), _) => key.to_string(),
        (None, 0) => "all".into(),
        (None, keys) => format!("all of {keys}"),
    };
    let interval = view.status.interval;
    let text = format!("{}  {time}  {what}  {}  every {interval} s", view.name, view.look.header);
    put(buffer, line, &text, Style::new().add_modifier(Modifier::BOLD));
    let lost = if view.status.lost > 0 { format!(" {} events lost ", view.status.lost) } else { String::new() };
    let held = match view.state {
        State { paused: true, .. } => " PAUSED ".into(),
        State { back: 0, .. } => String::new(),
        State { back, .. } => format!(" {back} intervals back "),
    };
    let notes = lost + &held;
    let width = u16::try_from(notes.len()).unwrap_or(u16::MAX).min(line.width);
    let right = Rect { x: line.right() - width, width, ..line };
    put(buffer, right, &notes, view.status.colours.style(Color::Red).add_modifier(Modifier::REVERSED));
}

/// Count, average, median, 99th percentile and maximum of an interval; what is known of the last three is a range.
fn summary(view: &View<'_>, newest: Option<&Column>) -> String {
    let Some(histogram) = newest.and_then(|column| column.of(view.state.key.as_deref())) else {
        return "nothing was counted".into();
    };
    let Some(last) = histogram.last() else { return "nothing was counted".into() };
    let range = |slot: usize| match view.look.scale.bounds(slot) {
        // The last one has no bound.
        (low, _) if slot + 1 == SLOTS => format!("{low}+"),
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}-{high}"),
    };
    let percentile = |percent| histogram.percentile(percent).map_or_else(String::new, range);
    format!(
        "count {}  average {} {}  p50 {}  p99 {}  max {}",
        histogram.count(),
        average(histogram, view.look.per),
        view.look.unit,
        percentile(50),
        percentile(99),
        range(last),
    )
}

/// In the unit of the bounds, with one digit behind the point.
#[allow(clippy::cast_precision_loss, reason = "people read a few digits")]
fn average(histogram: &Histogram, per: u64) -> String {
    format!("{:.1}", histogram.sum() as f64 / per as f64 / histogram.count().max(1) as f64)
}

/// The slots that share a row, the lowest row first: all that are used, and as many to a row as it takes for all to fit.
fn ranges(view: &View<'_>, height: u16) -> Vec<(usize, usize)> {
    let Some((low, high)) = view.model.slots(view.state.key.as_deref()) else { return Vec::new() };
    let each = (high - low + 1).div_ceil(usize::from(height).max(1));
    let all: Vec<(usize, usize)> = (low..=high).step_by(each).map(|slot| (slot, (slot + each - 1).min(high))).collect();
    let skip = view.state.up.min(all.len() - 1);
    all[skip..].to_vec()
}

fn rows(buffer: &mut Buffer, area: Rect, view: &View<'_>) {
    let margin = margin(view.look);
    let width = area.width.saturating_sub(margin);
    let key = view.state.key.as_deref();
    let count = |histogram: &Histogram, (low, high): (usize, usize)| histogram.slots()[low..=high].iter().sum::<u64>();
    let ranges = ranges(view, area.height);
    // From the right, the newest first.
    let columns: Vec<Option<&Histogram>> = (0..usize::from(width))
        .map(|back| view.model.back(view.state.back + back).and_then(|column| column.of(key)))
        .collect();
    let shown = columns.iter().flatten();
    let most = shown.flat_map(|histogram| ranges.iter().map(|range| count(histogram, *range))).max().unwrap_or(0);
    for (row, range) in (0..area.height).zip(&ranges) {
        let line = line_at(area, area.height - 1 - row);
        let (low, _) = view.look.scale.bounds(range.0);
        put(buffer, line, &bound(low, view.look), Style::new());
        for (back, histogram) in (1..).zip(&columns) {
            let Some(histogram) = histogram else { continue };
            let (symbol, style) = shade(count(histogram, *range), most, view.status.colours);
            let x = line.right().saturating_sub(back);
            if x >= line.x + margin {
                put(buffer, Rect { x, width: 1, ..line }, symbol, style);
            }
        }
    }
}

/// A bound with its unit, and the line that parts it from the map. The large ones are powers of two.
fn bound(low: u64, look: &Look) -> String {
    let number = if low < 1_000_000_000 { low.to_string() } else { format!("2^{}", low.ilog2()) };
    let unit = if look.unit.is_empty() { String::new() } else { format!(" {}", look.unit) };
    format!("{number:>DIGITS$}{unit} |")
}

/// The cells that bounds take.
fn margin(look: &Look) -> u16 {
    u16::try_from(bound(0, look).len()).unwrap_or(u16::MAX)
}

/// The time of day below every dozenth interval.
fn times(buffer: &mut Buffer, line: Rect, view: &View<'_>) {
    let margin = margin(view.look);
    let width = line.width.saturating_sub(margin);
    for back in (0..width).step_by(TIME_EVERY.into()) {
        let Some(column) = view.model.back(view.state.back + usize::from(back)) else { return };
        let length = u16::try_from(column.time.len()).unwrap_or(0);
        // It ends where its interval is.
        let x = line.right().saturating_sub(back + length);
        if x >= line.x + margin {
            put(buffer, Rect { x, width: length, ..line }, &column.time, Style::new().add_modifier(Modifier::DIM));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{View, bound, margin, screen};
    use crate::draw::Colours;
    use crate::heat::model::Model;
    use crate::heat::model::tests::histogram;
    use crate::heat::state::State;
    use crate::screen::Status;
    use corescope::histogram::{Look, Scale};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    const LOOK: Look = Look {
        scale: Scale::Log2,
        header: "usecs",
        unit: "us",
        sum: "sum_ns",
        per: 1_000,
        timestamp: false,
        averages: false,
    };

    fn model() -> Model {
        let mut model = Model::default();
        model.push(
            "17:05:08".into(),
            vec![("disk a".into(), histogram(&[1], 1)), ("disk b".into(), histogram(&[3], 9))],
        );
        model.push("17:05:09".into(), vec![("disk b".into(), histogram(&[1, 2], 50))]);
        model
    }

    fn drawn(width: u16, height: u16, model: &Model, state: &State, colours: Colours) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
        let status = Status { interval: 1.0, lost: 0, colours };
        let view = View { name: "disklat", look: &LOOK, model, state, status: &status };
        terminal.draw(|frame| screen(frame, &view)).expect("memory");
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_whole_screen() {
        assert_eq!(
            drawn(80, 8, &model(), &State::default(), Colours::None),
            format!(
                "disklat  17:05:09  all of 2  usecs  every 1 s\n\
                 count 100  average 1.0 us  p50 2-3  p99 4-7  max 4-7\n\
                 \n\
                 \u{20}       8 us |{0}+\n\
                 \u{20}       4 us |{0} @\n\
                 \u{20}       2 us |{0}.@\n\
                 {1}17:05:09\n\
                 q quit  h help  left/right time  tab next  a all  p pause  +/- interval",
                " ".repeat(64),
                " ".repeat(72),
            )
        );
    }

    #[test]
    fn one_of_many_by_itself_and_earlier() {
        let state = State { key: Some("disk a".into()), back: 1, ..State::default() };
        let text = drawn(80, 8, &model(), &state, Colours::None);
        assert!(text.starts_with("disklat  17:05:08  disk a  usecs"), "{text}");
        assert!(text.contains("1 intervals back") && text.contains("count 1  average"), "{text}");
        let state = State { key: Some("disk a".into()), ..State::default() };
        assert!(drawn(80, 8, &model(), &state, Colours::None).contains("nothing was counted"));
    }

    #[test]
    fn before_the_first_interval_it_says_so() {
        let text = drawn(80, 8, &Model::default(), &State::default(), Colours::Many);
        assert!(text.starts_with("disklat  collecting  all  usecs  every 1 s\nnothing was counted"), "{text}");
    }

    #[test]
    fn many_slots_share_a_row() {
        let mut model = Model::default();
        model.push("17:05:08".into(), vec![(String::new(), histogram(&[0, 62], 1))]);
        let text = drawn(40, 8, &model, &State::default(), Colours::None);
        assert_eq!(text.matches('@').count(), 2, "{text}");
    }

    #[test]
    fn every_size_is_drawn() {
        for colours in [Colours::None, Colours::Sixteen, Colours::Many] {
            for width in 1..=90 {
                for height in 1..=24 {
                    let state = State { back: usize::from(width % 3), up: usize::from(height), ..State::default() };
                    drawn(width, height, &model(), &state, colours);
                }
            }
        }
    }

    #[test]
    fn bounds_stay_short() {
        let none = Look { unit: "", ..LOOK };
        assert_eq!(bound(0, &LOOK), "        0 us |");
        assert_eq!(bound(999_999_999, &none), "999999999 |");
        assert_eq!(bound(1 << 40, &LOOK), "     2^40 us |");
        assert_eq!((margin(&LOOK), margin(&none)), (14, 11));
    }

    #[test]
    fn the_last_slot_has_no_bound() {
        let mut model = Model::default();
        model.push("17:05:08".into(), vec![(String::new(), histogram(&[62], 1))]);
        let text = drawn(120, 8, &model, &State::default(), Colours::None);
        assert!(text.contains("max 4611686018427387904+"), "{text}");
    }
}
