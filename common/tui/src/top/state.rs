//! What the user chose: everything that keys change, apart from the rows and from drawing.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::screen::Effect;
use crate::screen::keys::{self, Action};

/// What keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Rows,
    Filter,
}

#[derive(Debug)]
pub(crate) struct State {
    /// The index of the column that rows are sorted by.
    pub(crate) sort: usize,
    pub(crate) reversed: bool,
    /// Rows that do not contain this are not shown.
    pub(crate) filter: String,
    pub(crate) mode: Mode,
    pub(crate) paused: bool,
    /// The first row on the screen.
    pub(crate) offset: usize,
    /// How many columns are scrolled out on the left.
    pub(crate) left: usize,
    /// How rows are put together: 0 for not at all, or the number of a group.
    pub(crate) group: usize,
    columns: usize,
    groups: usize,
}

impl State {
    pub(crate) fn new(columns: usize, sort: usize, groups: usize) -> Self {
        let (filter, mode) = (String::new(), Mode::Rows);
        Self { sort, reversed: false, filter, mode, paused: false, offset: 0, left: 0, group: 0, columns, groups }
    }

    /// Takes a key. `rows` are as many as there are, `page` as many as fit on the screen.
    pub(crate) fn press(&mut self, event: &KeyEvent, rows: usize, page: usize) -> Effect {
        let effect = match self.mode {
            Mode::Filter => {
                self.edit(event);
                Effect::None
            }
            // Esc takes back one thing after the other.
            Mode::Rows if event.code == KeyCode::Esc && !self.filter.is_empty() => {
                self.filter.clear();
                Effect::None
            }
            Mode::Rows => match (keys::action(keys::TOP, event), event.code) {
                (Some(Action::SortNumber), KeyCode::Char(digit)) => {
                    let column = digit.to_digit(10).map_or(0, |digit| digit as usize).wrapping_sub(1);
                    self.sort = if column < self.columns { column } else { self.sort };
                    Effect::None
                }
                (action, _) => action.map_or(Effect::None, |action| self.act(action, page)),
            },
        };
        self.clamp(rows, page);
        effect
    }

    /// Keeps the last page full.
    pub(crate) fn clamp(&mut self, rows: usize, page: usize) {
        self.offset = self.offset.min(rows.saturating_sub(page));
    }

    fn act(&mut self, action: Action, page: usize) -> Effect {
        match action {
            Action::SortLeft => self.sort = (self.sort + self.columns - 1) % self.columns.max(1),
            Action::SortRight => self.sort = (self.sort + 1) % self.columns.max(1),
            Action::ScrollLeft => self.left = self.left.saturating_sub(1),
            Action::ScrollRight => self.left = (self.left + 1).min(self.columns.saturating_sub(1)),
            Action::Group => self.group = (self.group + 1) % (self.groups + 1),
            Action::Reverse => self.reversed = !self.reversed,
            Action::Filter => self.mode = Mode::Filter,
            Action::Pause => self.paused = !self.paused,
            Action::Up => self.offset = self.offset.saturating_sub(1),
            Action::Down => self.offset += 1,
            Action::PageUp => self.offset = self.offset.saturating_sub(page),
            Action::PageDown => self.offset += page,
            Action::First => self.offset = 0,
            // Until it is clamped.
            Action::Last => self.offset = usize::MAX,
            other => return Effect::of(other),
        }
        Effect::None
    }

    fn edit(&mut self, event: &KeyEvent) {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        match event.code {
            KeyCode::Enter => self.mode = Mode::Rows,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Rows;
            }
            KeyCode::Char('u') if control => self.filter.clear(),
            KeyCode::Backspace => _ = self.filter.pop(),
            KeyCode::Char(character) if !control => self.filter.push(character),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, State};
    use crate::screen::Effect;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    fn press(state: &mut State, code: KeyCode) -> Effect {
        state.press(&KeyEvent::new(code, KeyModifiers::NONE), 10, 4)
    }

    #[test]
    fn sorting_goes_round() {
        let mut state = State::new(3, 2, 0);
        press(&mut state, KeyCode::Char('>'));
        assert_eq!(state.sort, 0);
        press(&mut state, KeyCode::Char('<'));
        assert_eq!(state.sort, 2);
        for (key, column) in [('2', 1), ('9', 1), ('1', 0)] {
            press(&mut state, KeyCode::Char(key));
            assert_eq!(state.sort, column, "{key}");
        }
        press(&mut state, KeyCode::Char('r'));
        assert!(state.reversed);
    }

    #[test]
    fn columns_scroll_and_groups_go_round() {
        let mut state = State::new(2, 0, 2);
        for (code, left) in [(KeyCode::Right, 1), (KeyCode::Right, 1), (KeyCode::Left, 0), (KeyCode::Left, 0)] {
            press(&mut state, code);
            assert_eq!(state.left, left);
        }
        for group in [1, 2, 0] {
            press(&mut state, KeyCode::Char('g'));
            assert_eq!(state.group, group);
        }
    }

    #[test]
    fn scrolling_stops_at_both_ends() {
        let mut state = State::new(1, 0, 0);
        press(&mut state, KeyCode::Up);
        assert_eq!(state.offset, 0);
        press(&mut state, KeyCode::End);
        assert_eq!(state.offset, 6);
        press(&mut state, KeyCode::PageDown);
        assert_eq!(state.offset, 6);
        press(&mut state, KeyCode::PageUp);
        assert_eq!(state.offset, 2);
    }

    #[test]
    fn letters_are_text_while_a_filter_is_typed() {
        let mut state = State::new(1, 0, 0);
        for code in [KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Char('x'), KeyCode::Backspace] {
            assert_eq!(press(&mut state, code), Effect::None);
        }
        assert_eq!((state.filter.as_str(), state.mode), ("q", Mode::Filter));
        press(&mut state, KeyCode::Enter);
        assert_eq!((state.filter.as_str(), state.mode), ("q", Mode::Rows));
        press(&mut state, KeyCode::Char('/'));
        press(&mut state, KeyCode::Esc);
        assert_eq!((state.filter.as_str(), state.mode), ("", Mode::Rows));
    }

    #[test]
    fn escape_clears_the_filter_before_it_ends_the_tool() {
        let mut state = State::new(1, 0, 0);
        state.filter = "x".into();
        assert_eq!((press(&mut state, KeyCode::Esc), state.filter.as_str()), (Effect::None, ""));
        assert_eq!(press(&mut state, KeyCode::Esc), Effect::Quit);
    }

    #[test]
    fn help_is_left_to_the_loop() {
        assert_eq!(press(&mut State::new(1, 0, 0), KeyCode::Char('?')), Effect::Help);
    }
}
