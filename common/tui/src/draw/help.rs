//! The list of keys, over whatever is on the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

use super::{line_at, put};
use crate::screen::keys::Key;

const WIDTH: u16 = 66;
/// The frame around the list.
const BORDERS: u16 = 2;

/// How many keys fit on a screen of this height.
pub(crate) fn room(height: u16) -> usize {
    height.saturating_sub(BORDERS).max(1).into()
}

/// Draws the keys from number `offset` on.
pub(crate) fn draw(frame: &mut Frame<'_>, keys: &[Key], offset: usize) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    let height = u16::try_from(keys.len()).unwrap_or(u16::MAX).saturating_add(BORDERS).min(area.height);
    let x = area.x + area.width.saturating_sub(WIDTH) / 2;
    let y = area.y + (area.height - height) / 2;
    let place = Rect { x, y, width: WIDTH, height }.intersection(area);
    Clear.render(place, buffer);
    let is_cut = keys.len() > room(area.height);
    let block = Block::bordered().title(if is_cut { " Keys (up, down: more) " } else { " Keys " });
    let inside = block.inner(place);
    block.render(place, buffer);
    for (y, key) in (0..inside.height).zip(&keys[offset.min(keys.len())..]) {
        put(buffer, line_at(inside, y), &format!(" {:<13} {}", key.name, key.help), Style::new());
    }
}

#[cfg(test)]
mod tests {
    use crate::screen::keys::{HEAT, TOP};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(keys: &[super::Key], height: u16, offset: usize) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, height)).expect("memory");
        terminal.draw(|frame| super::draw(frame, keys, offset)).expect("memory");
        terminal.backend().to_string()
    }

    #[test]
    fn every_key_is_listed() {
        for keys in [TOP, HEAT] {
            let screen = drawn(keys, 24, 0);
            assert!(keys.iter().all(|key| screen.contains(key.help)), "{screen}");
        }
    }

    #[test]
    fn a_low_screen_shows_the_rest_when_it_is_scrolled() {
        let last = TOP.last().expect("keys").help;
        assert!(!drawn(TOP, 12, 0).contains(last) && drawn(TOP, 12, TOP.len() - 10).contains(last));
        assert!(drawn(TOP, 12, 0).contains("more"));
        for height in 1..20 {
            drawn(TOP, height, 99);
        }
    }
}
