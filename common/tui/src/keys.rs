//! The keys of the live screen, as a table: what a key does and what the help says of it is one line.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    SortLeft,
    SortRight,
    Reverse,
    Filter,
    Pause,
    Faster,
    Slower,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Help,
    Quit,
}

/// One line of the table.
pub(crate) struct Key {
    codes: &'static [KeyCode],
    pub(crate) action: Action,
    /// What the help calls the keys.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

const fn key(codes: &'static [KeyCode], action: Action, name: &'static str, help: &'static str) -> Key {
    Key { codes, action, name, help }
}

pub(crate) const KEYS: &[Key] = {
    use KeyCode::{Char, Down, End, Esc, Home, Left, PageDown, PageUp, Right, Up};
    &[
        key(&[Char('<'), Char(','), Left], Action::SortLeft, "< left", "sort by the column to the left"),
        key(
            &[Char('>'), Char('.'), Char('s'), Right],
            Action::SortRight,
            "> right s",
            "sort by the column to the right",
        ),
        key(&[Char('r')], Action::Reverse, "r", "turn the order round"),
        key(&[Char('/'), Char('f')], Action::Filter, "/ f", "show only rows that contain a text"),
        key(&[Char('p'), Char(' ')], Action::Pause, "p space", "hold the screen; collecting goes on"),
        key(&[Char('-')], Action::Faster, "-", "shorter interval"),
        key(&[Char('+'), Char('=')], Action::Slower, "+", "longer interval"),
        key(&[Up, Char('k')], Action::Up, "up k", "scroll up"),
        key(&[Down, Char('j')], Action::Down, "down j", "scroll down"),
        key(&[PageUp], Action::PageUp, "pgup", "a page up"),
        key(&[PageDown], Action::PageDown, "pgdn", "a page down"),
        key(&[Home, Char('g')], Action::First, "home g", "the first row"),
        key(&[End, Char('G')], Action::Last, "end G", "the last row"),
        key(&[Char('h'), Char('?')], Action::Help, "h ?", "this help"),
        key(&[Char('q'), Esc], Action::Quit, "q Esc Ctrl-C", "quit"),
    ]
};

/// Ctrl-C ends the tool whatever is on the screen: the terminal does not make a signal of it while it is raw.
pub(crate) fn is_interrupt(event: &KeyEvent) -> bool {
    event.modifiers.contains(KeyModifiers::CONTROL) && event.code == KeyCode::Char('c')
}

/// What a key asks for, if it is in the table.
pub(crate) fn action(event: &KeyEvent) -> Option<Action> {
    if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return None;
    }
    KEYS.iter().find(|key| key.codes.contains(&event.code)).map(|key| key.action)
}

#[cfg(test)]
mod tests {
    use super::{Action, KEYS, action, is_interrupt};
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    #[test]
    fn no_key_has_two_meanings() {
        let mut codes: Vec<_> = KEYS.iter().flat_map(|key| key.codes).collect();
        let all = codes.len();
        codes.sort_by_key(|code| format!("{code:?}"));
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn control_keys_are_no_letters() {
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(is_interrupt(&control));
        assert_eq!(action(&KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL)), None);
        assert_eq!(action(&KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT)), Some(Action::Last));
    }
}
