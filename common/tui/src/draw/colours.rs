//! How many colours there are.

use std::env;

use ratatui::style::{Color, Style};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    /// None, or the user does not want any.
    None,
    Sixteen,
    Many,
}

impl Colours {
    /// Those of the terminal, by its environment; see <https://no-color.org>.
    pub(crate) fn of_terminal() -> Self {
        let variable = |name| env::var(name).unwrap_or_default();
        Self::of(&variable("NO_COLOR"), &variable("COLORTERM"), &variable("TERM"))
    }

    fn of(no_color: &str, colorterm: &str, term: &str) -> Self {
        if !no_color.is_empty() || term == "dumb" || term.ends_with("-m") || term.ends_with("-mono") {
            Self::None
        } else if matches!(colorterm, "truecolor" | "24bit") || term.contains("256color") {
            Self::Many
        } else {
            Self::Sixteen
        }
    }

    /// The style of a text in this colour, where there are any.
    pub(crate) fn style(self, colour: Color) -> Style {
        if self == Self::None { Style::new() } else { Style::new().fg(colour) }
    }
}

#[cfg(test)]
mod tests {
    use super::Colours;

    #[test]
    fn the_environment_says_how_many() {
        assert_eq!(Colours::of("", "", "xterm-256color"), Colours::Many);
        assert_eq!(Colours::of("", "truecolor", "xterm"), Colours::Many);
        assert_eq!(Colours::of("", "", "linux"), Colours::Sixteen);
        assert_eq!(Colours::of("1", "truecolor", "xterm-256color"), Colours::None);
        assert_eq!(Colours::of("", "", "vt100-m"), Colours::None);
    }
}
