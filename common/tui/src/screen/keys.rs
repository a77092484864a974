//! The keys of the live screens, as tables: what a key does and what the help says of it is one line.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    SortLeft,
    SortRight,
    SortNumber,
    ScrollLeft,
    ScrollRight,
    Group,
    Reverse,
    Filter,
    Earlier,
    Later,
    NextKey,
    PreviousKey,
    AllKeys,
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

use KeyCode::{BackTab, Char, Down, End, Esc, Home, Left, PageDown, PageUp, Right, Tab, Up};

const PAUSE: Key = key(&[Char('p'), Char(' ')], Action::Pause, "p space", "hold the screen; collecting goes on");
const FASTER: Key = key(&[Char('-')], Action::Faster, "-", "shorter interval");
const SLOWER: Key = key(&[Char('+'), Char('=')], Action::Slower, "+", "longer interval");
const UP: Key = key(&[Up, Char('k')], Action::Up, "up k", "scroll up");
const DOWN: Key = key(&[Down, Char('j')], Action::Down, "down j", "scroll down");
const HELP: Key = key(&[Char('h'), Char('?')], Action::Help, "h ?", "this help");
const QUIT: Key = key(&[Char('q'), Esc], Action::Quit, "q Esc Ctrl-C", "quit");

const DIGITS: &[KeyCode] =
    &[Char('1'), Char('2'), Char('3'), Char('4'), Char('5'), Char('6'), Char('7'), Char('8'), Char('9')];

/// Of a screen of rows.
pub(crate) const TOP: &[Key] = &[
    key(&[Char('<'), Char(',')], Action::SortLeft, "<", "sort by the column to the left"),
    key(&[Char('>'), Char('.'), Char('s')], Action::SortRight, "> s", "sort by the column to the right"),
    key(DIGITS, Action::SortNumber, "1 to 9", "sort by the column of that number"),
    key(&[Left], Action::ScrollLeft, "left", "columns to the left"),
    key(&[Right], Action::ScrollRight, "right", "columns to the right"),
    key(&[Char('g')], Action::Group, "g", "put rows together, such as those of a process"),
    key(&[Char('r')], Action::Reverse, "r", "reverse the order"),
    key(&[Char('/'), Char('f')], Action::Filter, "/ f", "show only rows that contain a text"),
    PAUSE,
    FASTER,
    SLOWER,
    UP,
    DOWN,
    key(&[PageUp], Action::PageUp, "pgup", "a page up"),
    key(&[PageDown], Action::PageDown, "pgdn", "a page down"),
    key(&[Home], Action::First, "home", "the first row"),
    key(&[End, Char('G')], Action::Last, "end G", "the last row"),
    HELP,
    QUIT,
];

/// Of a heat map.
pub(crate) const HEAT: &[Key] = &[
    key(&[Left, Char('<'), Char(',')], Action::Earlier, "left <", "scroll back in time"),
    key(&[Right, Char('>'), Char('.')], Action::Later, "right >", "scroll forward"),
    key(&[Home], Action::First, "home", "the oldest interval that is kept"),
    key(&[End, Char('G')], Action::Last, "end G", "the newest interval"),
    key(&[Tab, Char('n')], Action::NextKey, "tab n", "the next thing that has a map of its own"),
    key(&[BackTab, Char('b')], Action::PreviousKey, "shift-tab b", "the one before"),
    key(&[Char('a')], Action::AllKeys, "a", "all of them together"),
    PAUSE,
    FASTER,
    SLOWER,
    UP,
    DOWN,
    HELP,
    QUIT,
];

/// Ctrl-C ends the tool whatever is on the screen: the terminal does not make a signal of it while it is raw.
pub(crate) fn is_interrupt(event: &KeyEvent) -> bool {
    event.modifiers.contains(KeyModifiers::CONTROL) && event.code == KeyCode::Char('c')
}

/// Ctrl-Z likewise.
pub(crate) fn is_suspend(event: &KeyEvent) -> bool {
    event.modifiers.contains(KeyModifiers::CONTROL) && event.code == KeyCode::Char('z')
}

/// What a key asks for, if it is in the table.
pub(crate) fn action(keys: &[Key], event: &KeyEvent) -> Option<Action> {
    if event.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return None;
    }
    keys.iter().find(|key| key.codes.contains(&event.code)).map(|key| key.action)
}

#[cfg(test)]
mod tests {
    use super::{Action, HEAT, TOP, action, is_interrupt};
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    #[test]
    fn no_key_has_two_meanings() {
        for keys in [TOP, HEAT] {
            let mut codes: Vec<_> = keys.iter().flat_map(|key| key.codes).collect();
            let all = codes.len();
            codes.sort_by_key(|code| format!("{code:?}"));
            codes.dedup();
            assert_eq!(codes.len(), all);
        }
    }

    #[test]
    fn control_keys_are_no_letters() {
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(is_interrupt(&control));
        assert_eq!(action(TOP, &KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL)), None);
        assert_eq!(action(TOP, &KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT)), Some(Action::Last));
    }
}
