//! What screens are drawn with: lines, colours, bars, help.

pub(crate) mod bars;
mod colours;
pub(crate) mod help;
mod line;

pub(crate) use colours::Colours;
pub(crate) use line::{line_at, put};
