//! What a tool prints: values in columns, as text or JSON.

pub mod clock;
pub mod column;
pub mod escape;
pub mod histogram;
pub mod json;
mod stdout;
pub mod table;
pub mod vocabulary;
mod zone;

pub use stdout::{Closed, Output};
