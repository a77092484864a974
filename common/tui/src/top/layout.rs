//! Which columns are on the screen, and how wide. Numbers and the column that rows are sorted by stay: texts are shortened
//! first, then columns go, the least important ones first.

use corescope::column::{Align, Field};
use ratatui::text::Span;

/// Cells that a text is not shortened below.
const SHORTEST: usize = 8;

/// What is known of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    /// Its place among those of the table.
    pub(crate) index: usize,
    pub(crate) align: Align,
    /// Its width where there is room for all.
    planned: usize,
    /// What its widest cell takes.
    narrow: usize,
    /// What its header takes.
    least: usize,
}

impl Want {
    pub(crate) fn new(index: usize, field: &Field, header: &str, widest: usize) -> Self {
        let least = width(header);
        let narrow = widest.max(least);
        Self { index, align: field.align, planned: field.width.max(narrow), narrow, least }
    }

    fn is_text(&self) -> bool {
        self.align == Align::Left
    }
}

/// The columns that are shown, each with its width, where there are `room` cells and `beside` more are wished for behind them.
/// `leave` gives the order in which columns go; the one of index `keep` does not.
pub(crate) fn fit(
    mut columns: Vec<Want>,
    room: usize,
    beside: usize,
    keep: usize,
    leave: &[usize],
) -> Vec<(Want, usize)> {
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + widths.len().saturating_sub(1);
    let planned: Vec<usize> = columns.iter().map(|column| column.planned).collect();
    if total(&planned) + 1 + beside <= room {
        return columns.into_iter().zip(planned).collect();
    }
    let mut leave = leave.iter().filter(|index| **index != keep);
    loop {
        let mut widths: Vec<usize> = columns.iter().map(|column| column.narrow).collect();
        // The widest text gives way first.
        while total(&widths) > room {
            let texts = columns.iter().zip(&mut widths).filter(|(column, _)| column.is_text());
            let longest = texts.filter(|(column, width)| **width > column.least.max(SHORTEST)).map(|(_, width)| width);
            let Some(width) = longest.max_by_key(|width| **width) else { break };
            *width -= 1;
        }
        let gone = if total(&widths) > room { leave.next() } else { None };
        match gone {
            Some(gone) => columns.retain(|column| column.index != *gone),
            None => return columns.into_iter().zip(widths).collect(),
        }
    }
}

/// A text in so many cells: what is too much is left out in the middle.
pub(crate) fn shortened(text: &str, cells: usize, mark: char) -> String {
    if width(text) <= cells {
        return text.into();
    }
    let (front, back) = (cells.saturating_sub(1).div_ceil(2), cells.saturating_sub(1) / 2);
    let start: String = text.chars().scan(0, |used, character| taken(used, character, front)).collect();
    let end: Vec<char> = text.chars().rev().scan(0, |used, character| taken(used, character, back)).collect();
    if cells == 0 { String::new() } else { start + &mark.to_string() + &end.into_iter().rev().collect::<String>() }
}

fn taken(used: &mut usize, character: char, most: usize) -> Option<char> {
    *used += width(character.encode_utf8(&mut [0; 4]));
    (*used <= most).then_some(character)
}

pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests {
    use super::{Want, fit, shortened};
    use corescope::column::{Align, Field};

    fn wants() -> Vec<Want> {
        let field = |align, width| Field::text("", align, width, "");
        let columns = [
            (Align::Right, 7, "PID"),
            (Align::Left, 21, "LADDR"),
            (Align::Left, 21, "RADDR"),
            (Align::Right, 6, "RX/s"),
        ];
        let want = |(index, (align, width, header)): (usize, (Align, usize, &str))| {
            Want::new(index, &field(align, width), header, if align == Align::Left { 40 } else { 5 })
        };
        columns.into_iter().enumerate().map(want).collect()
    }

    fn widths(room: usize) -> Vec<(usize, usize)> {
        fit(wants(), room, 20, 3, &[1, 2, 0, 3]).into_iter().map(|(want, width)| (want.index, width)).collect()
    }

    #[test]
    fn texts_give_way_before_numbers() {
        assert_eq!(widths(200), [(0, 7), (1, 40), (2, 40), (3, 6)]);
        assert_eq!(widths(93), [(0, 5), (1, 40), (2, 40), (3, 5)]);
        assert_eq!(widths(80), [(0, 5), (1, 34), (2, 33), (3, 5)]);
        // Both are as short as may be.
        assert_eq!(widths(29), [(0, 5), (1, 8), (2, 8), (3, 5)]);
    }

    #[test]
    fn what_does_not_fit_goes_but_for_one() {
        assert_eq!(widths(20), [(0, 5), (2, 8), (3, 5)]);
        assert_eq!(widths(12), [(0, 5), (3, 5)]);
        assert_eq!(widths(1), [(3, 5)]);
    }

    #[test]
    fn texts_are_shortened_in_the_middle() {
        assert_eq!(shortened("[2001:db8::1]:443", 9, '~'), "[200~:443");
        assert_eq!(shortened("short", 5, '~'), "short");
        assert_eq!((shortened("日本語", 4, '~').as_str(), shortened("ab", 0, '~').as_str()), ("日~", ""));
    }
}
