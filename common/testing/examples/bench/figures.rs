//! Figures that were taken several times.

use std::fmt;

/// What rounds that took turns gave.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }

    /// The one in the middle, where there are any.
    pub(crate) fn median(&self) -> Option<f64> {
        self.0.get(self.0.len() / 2).copied()
    }
}

impl fmt::Display for Figures {
    /// The median and the spread.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(median), Some(least), Some(most)) = (self.median(), self.0.first(), self.0.last()) else {
            return to.write_str("-");
        };
        if self.0.len() == 1 {
            return to.write_str(&short(median));
        }
        write!(to, "{} ({} to {})", short(median), short(*least), short(*most))
    }
}

/// As many digits as mean something.
pub(crate) fn short(figure: f64) -> String {
    let decimals = match figure.abs() {
        size if size < 1. => 2,
        size if size < 20. => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

/// With two digits that count: 0.049, 1.3, 27.
pub(crate) fn ratio(figure: f64) -> String {
    let decimals = match figure.abs() {
        size if size < 0.1 => 3,
        size if size < 1. => 2,
        size if size < 10. => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

/// A whole number, its thousands apart.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
