//! The rows of the live screen: their history, order and choice.

use std::cmp::Ordering;
use std::collections::HashMap;

use corescope::clock::Clock;
use corescope::table::text;
use corescope::{Table, Value};

use super::state::State;
use super::{Group, Top};
use crate::draw::bars::History;

/// A row and what it did before.
#[derive(Debug)]
pub(crate) struct Line<Row> {
    pub(crate) row: Row,
    pub(crate) history: History,
}

/// What one interval gave.
#[derive(Debug)]
pub(crate) struct Snapshot<Row> {
    pub(crate) lines: Vec<Line<Row>>,
    /// The time of day at its end.
    pub(crate) time: String,
    pub(crate) load: String,
}

impl<Row> Default for Snapshot<Row> {
    fn default() -> Self {
        Self { lines: Vec::new(), time: String::new(), load: String::new() }
    }
}

/// What is on the screen, and what is known beside it.
#[derive(Debug)]
pub(crate) struct Model<Row> {
    pub(crate) shown: Snapshot<Row>,
    /// The rows that are put together, where they are.
    grouped: Option<Vec<Line<Row>>>,
    /// What came while the screen was held.
    waiting: Option<Snapshot<Row>>,
    history: HashMap<u64, History>,
}

impl<Row> Model<Row> {
    pub(crate) fn new() -> Self {
        Self { shown: Snapshot::default(), grouped: None, waiting: None, history: HashMap::new() }
    }

    /// Takes the rows of the next interval. A row that is not among them any more is forgotten.
    pub(crate) fn update(&mut self, top: &Top<Row>, rows: Vec<Row>, time: String, load: String, hold: bool) {
        let mut history = HashMap::with_capacity(rows.len());
        let lines = rows.into_iter().map(|row| {
            let id = (top.id)(&row);
            let mut line = self.history.get(&id).copied().unwrap_or_default();
            line.push((top.rate)(&row));
            history.insert(id, line);
            Line { row, history: line }
        });
        let snapshot = Snapshot { lines: lines.collect(), time, load };
        self.history = history;
        if hold {
            self.waiting = Some(snapshot);
        } else {
            self.shown = snapshot;
            self.waiting = None;
        }
    }

    /// Shows what came while the screen was held.
    pub(crate) fn release(&mut self) {
        if let Some(snapshot) = self.waiting.take() {
            self.shown = snapshot;
        }
    }

    /// Puts the rows together that are of one of a group, or shows each by itself.
    pub(crate) fn group(&mut self, group: Option<&Group<Row>>) {
        self.grouped = group.map(|group| {
            let mut places: HashMap<u64, Vec<&Line<Row>>> = HashMap::new();
            for line in &self.shown.lines {
                places.entry((group.key)(&line.row)).or_default().push(line);
            }
            let together = |lines: Vec<&Line<Row>>| {
                let mut history = History::default();
                for line in &lines {
                    history.add(&line.history);
                }
                let rows: Vec<&Row> = lines.iter().map(|line| &line.row).collect();
                Line { row: (group.merge)(&rows), history }
            };
            places.into_values().map(together).collect()
        });
    }

    /// The lines that the filter lets through, in their order.
    pub(crate) fn lines(&self, top: &Top<Row>, state: &State, clock: &mut Clock) -> Vec<&Line<Row>> {
        let needle = state.filter.to_lowercase();
        let all = self.grouped.as_ref().unwrap_or(&self.shown.lines);
        let matching = all.iter().filter(|line| needle.is_empty() || contains(top, line, &needle, clock));
        let mut lines: Vec<&Line<Row>> = matching.collect();
        sort(&mut lines, top, state.sort, state.reversed, |line| &line.row);
        lines
    }
}

fn contains<Row>(top: &Top<Row>, line: &Line<Row>, needle: &str, clock: &mut Clock) -> bool {
    cells(&top.live, &line.row, clock).join(" ").to_lowercase().contains(needle)
}

/// What the columns say of a row, escaped.
pub(crate) fn cells<Row>(table: &Table<Row>, row: &Row, clock: &mut Clock) -> Vec<String> {
    table.shown().iter().map(|column| text(&(column.value)(row), clock)).collect()
}

/// Sorts by a column of the live screen: amounts from the largest, texts from A, and what is equal always the same way.
pub(crate) fn sort<Row, Item>(
    items: &mut Vec<Item>,
    top: &Top<Row>,
    column: usize,
    reversed: bool,
    row: impl Fn(&Item) -> &Row,
) {
    let Some(column) = top.live.shown().get(column) else {
        return;
    };
    // Each value is made once, not at every comparison.
    let keys: Vec<_> = items.iter().map(|item| ((column.value)(row(item)), (top.id)(row(item)))).collect();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| compare(&keys[*a], &keys[*b], reversed));
    drop(keys);
    let mut from: Vec<Option<Item>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|index| from[index].take()));
}

fn compare(a: &(Value<'_>, u64), b: &(Value<'_>, u64), reversed: bool) -> Ordering {
    let text = |value: &Value<'_>| matches!(value, Value::Text(_) | Value::Words(_) | Value::Quoted(_));
    let ascending = (text(&a.0) || text(&b.0)) != reversed;
    let order = a.0.order(&b.0);
    let order = if ascending { order } else { order.reverse() };
    order.then(a.1.cmp(&b.1))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Model;
    use crate::top::state::State;
    use crate::top::{Group, Top};
    use corescope::clock::Clock;
    use corescope::{Column, Value};

    pub(crate) struct Row {
        pub(crate) pid: u32,
        pub(crate) comm: &'static [u8],
        pub(crate) rate: u64,
    }

    pub(crate) const COLUMNS: &[Column<Row>] = corescope::columns![Row;
        PID as "PID" right 7 => |row| row.pid.into(),
        COMM as "COMM" left 10 => |row| Value::c_string(row.comm),
        "IO/s" right 6 "rate" number: "" => |row| Value::Size(row.rate),
    ];

    pub(crate) const GROUPS: &[Group<Row>] = &[Group {
        name: "all",
        key: |_| 0,
        merge: |rows| Row { pid: 0, comm: b"all", rate: rows.iter().map(|row| row.rate).sum() },
    }];

    pub(crate) fn top() -> Top<Row> {
        let top = Top::new("iotop", COLUMNS, |row| row.pid.into(), |row| row.rate);
        top.sort("IO/s").sums(&["IO/s"]).groups(GROUPS)
    }

    pub(crate) fn rows(rates: [u64; 3]) -> Vec<Row> {
        let named = [(1, b"init".as_slice()), (30, b"b\x1b[31m"), (7, b"Zsh")];
        named.into_iter().zip(rates).map(|((pid, comm), rate)| Row { pid, comm, rate }).collect()
    }

    fn pids(model: &Model<Row>, state: &State) -> Vec<u32> {
        model.lines(&top(), state, &mut Clock::new()).iter().map(|line| line.row.pid).collect()
    }

    #[test]
    fn amounts_fall_and_names_rise() {
        let mut model = Model::new();
        model.update(&top(), rows([5, 5, 900]), String::new(), String::new(), false);
        let mut state = State::new(3, 2, 0);
        // Equal ones by their id, whichever way they came.
        assert_eq!(pids(&model, &state), [7, 1, 30]);
        state.reversed = true;
        assert_eq!(pids(&model, &state), [1, 30, 7]);
        state.sort = 1;
        state.reversed = false;
        assert_eq!(pids(&model, &state), [7, 30, 1]);
    }

    #[test]
    fn the_filter_sees_what_the_screen_shows() {
        let mut model = Model::new();
        model.update(&top(), rows([5, 5, 900]), String::new(), String::new(), false);
        let mut state = State::new(3, 0, 0);
        for (filter, found) in [("zSH", vec![7]), ("\\x1b", vec![30]), ("7 zsh 900", vec![7]), ("none", vec![])] {
            state.filter = filter.into();
            assert_eq!(pids(&model, &state), found, "{filter}");
        }
    }

    #[test]
    fn a_held_screen_stays_and_collects() {
        let mut model = Model::new();
        model.update(&top(), rows([1, 1, 1]), "one".into(), String::new(), false);
        model.update(&top(), rows([2, 2, 2]), "two".into(), String::new(), true);
        assert_eq!((model.shown.time.as_str(), model.shown.lines[0].row.rate), ("one", 1));
        model.release();
        assert_eq!((model.shown.time.as_str(), model.shown.lines[0].row.rate), ("two", 2));
        assert_eq!(model.shown.lines[0].history.line(&crate::draw::bars::ASCII, 2).trim(), ";#");
    }

    #[test]
    fn rows_are_put_together() {
        let mut model = Model::new();
        model.update(&top(), rows([1, 2, 4]), String::new(), String::new(), false);
        model.group(GROUPS.first());
        let state = State::new(3, 2, 1);
        let top = top();
        let lines = model.lines(&top, &state, &mut Clock::new());
        assert_eq!((lines.len(), lines[0].row.rate, lines[0].history.most()), (1, 7, 7));
        model.group(None);
        assert_eq!(pids(&model, &state).len(), 3);
    }

    #[test]
    fn rows_that_are_gone_are_forgotten() {
        let mut model = Model::new();
        model.update(&top(), rows([1, 1, 1]), String::new(), String::new(), false);
        model.update(&top(), Vec::new(), String::new(), String::new(), false);
        assert!(model.history.is_empty());
    }
}
