//! Text in a line of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A line of an area, counted from its top; empty where the area is not that high.
pub(crate) fn line_at(area: Rect, y: u16) -> Rect {
    Rect { y: area.y.saturating_add(y), height: 1, ..area }.intersection(area)
}

/// Writes a text into a line, as far as there is room.
pub(crate) fn put(buffer: &mut Buffer, line: Rect, text: &str, style: Style) {
    if !line.is_empty() {
        buffer.set_stringn(line.x, line.y, text, line.width.into(), style);
    }
}
