//! Rows of a stream with their stacks, named many at a time: the symbol tables of executables, and before 5.14 the
//! kernel's, are read once for all new addresses.

use crate::named::{Named, Space};
use crate::stack::Stack;
use crate::symbols::Symbols;

/// Rows that wait for the names of their stacks: this many take about a megabyte.
const FULL: usize = 1000;

/// A stream's rows until their stacks have names.
#[derive(Debug)]
pub struct Batch<Row> {
    symbols: Symbols,
    rows: Vec<(Row, u32, Stack, Stack)>,
}

impl<Row> Batch<Row> {
    /// An empty one, with the symbolizer of the tool.
    #[must_use]
    pub fn new(symbols: Symbols) -> Self {
        Self { symbols, rows: Vec::new() }
    }

    /// Adds a row of the process `pid` with its kernel and its user stack. Gives whether it is time to
    /// [take them out](Self::take).
    pub fn push(&mut self, row: Row, pid: u32, (kernel, user): (Stack, Stack)) -> bool {
        self.symbols.want(Space::Kernel, &kernel);
        self.symbols.want(Space::Process(pid), &user);
        self.rows.push((row, pid, kernel, user));
        self.rows.len() >= FULL
    }

    /// Takes out all rows, each with its kernel and its user stack, in their order.
    pub fn take(&mut self) -> impl Iterator<Item = (Row, Named, Named)> {
        let Self { symbols, rows } = self;
        symbols.resolve();
        let name = |(row, pid, kernel, user): (Row, u32, Stack, Stack)| {
            (row, symbols.name(Space::Kernel, &kernel), symbols.name(Space::Process(pid), &user))
        };
        let named: Vec<_> = rows.drain(..).map(name).collect();
        symbols.forget_processes();
        named.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use crate::stack::Stack;
    use crate::symbols::Symbols;

    #[test]
    fn rows_come_out_in_their_order_with_their_own_stacks() {
        let mut batch = Batch::new(Symbols::new(false));
        let here = rows_come_out_in_their_order_with_their_own_stacks as *const () as u64;
        let own = std::process::id();
        assert!(!batch.push("first", own, (Stack::None, Stack::Addresses(vec![here]))));
        assert!(!batch.push("second", own, (Stack::Addresses(vec![0x1000]), Stack::None)));
        let rows: Vec<_> = batch.take().collect();
        assert_eq!((rows[0].0, rows[1].0), ("first", "second"));
        assert!(rows[0].1.frames.is_empty() && rows[1].2.frames.is_empty());
        assert!(rows[0].2.frames[0].symbol.as_deref().is_some_and(|symbol| symbol.contains("rows_come_out")));
        assert_eq!(rows[1].1.frames[0].address, 0x1000);
        assert_eq!(batch.take().count(), 0);
    }
}
