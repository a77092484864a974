//! Counts as shades: colours from blue to red, or characters from light to dark.

use ratatui::style::{Color, Style};

use crate::draw::Colours;

/// Of 256 colours.
const MANY: [u8; 12] = [18, 19, 26, 32, 37, 71, 107, 143, 179, 208, 202, 196];
const SIXTEEN: [Color; 6] = [Color::Blue, Color::Cyan, Color::Green, Color::Yellow, Color::LightRed, Color::Red];
const CHARACTERS: [&str; 9] = [".", ":", "-", "=", "+", "*", "#", "%", "@"];

/// What a count looks like, where `most` is the largest on the screen.
pub(crate) fn shade(count: u64, most: u64, colours: Colours) -> (&'static str, Style) {
    if count == 0 {
        return (" ", Style::new());
    }
    match colours {
        Colours::Many => (" ", Style::new().bg(Color::Indexed(MANY[level(count, most, MANY.len())]))),
        Colours::Sixteen => (" ", Style::new().bg(SIXTEEN[level(count, most, SIXTEEN.len())])),
        Colours::None => (CHARACTERS[level(count, most, CHARACTERS.len())], Style::new()),
    }
}

/// By the logarithm: one among thousands is still to be seen.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few levels")]
fn level(count: u64, most: u64, levels: usize) -> usize {
    if most <= 1 {
        return levels - 1;
    }
    let part = (count as f64).ln() / (most as f64).ln();
    ((part * (levels - 1) as f64).round() as usize).min(levels - 1)
}

#[cfg(test)]
mod tests {
    use super::{CHARACTERS, level, shade};
    use crate::draw::Colours;

    #[test]
    fn levels_rise_with_the_logarithm() {
        assert_eq!([1, 10, 100, 1000, 10_000].map(|count| level(count, 10_000, 9)), [0, 2, 4, 6, 8]);
        assert_eq!((level(1, 1, 9), level(u64::MAX, u64::MAX, 9)), (8, 8));
    }

    #[test]
    fn nothing_is_blank_and_something_never_is() {
        assert_eq!(shade(0, 9, Colours::None).0, " ");
        assert_eq!(shade(1, 9, Colours::None).0, CHARACTERS[0]);
        for colours in [Colours::Sixteen, Colours::Many] {
            assert!(shade(1, 9, colours).1.bg.is_some() && shade(0, 9, colours).1.bg.is_none());
        }
    }
}
