//! Rows as tables, for eyes.

mod cell;
mod layout;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Write};

use self::cell::Cell;
use self::layout::Table;
use super::{lines, no_row};
use crate::line::{Kind, Member, Projection, Scanner, json};

/// A batch is drawn in blocks of so many rows.
const BLOCK_ROWS: usize = 5_000;
/// Or of rows of so many bytes, if they are long.
const BLOCK_BYTES: usize = 8 << 20;

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// Draws each batch of rows as a table, or as one for each query.
///
/// Columns are as wide as their widest cell. On a terminal that is too narrow
/// the widest ones are cut, which an ellipsis shows; elsewhere nothing is. A
/// batch of more than 5,000 rows is drawn in blocks, each with a header and
/// widths of its own, so that memory stays bounded.
///
/// Numbers stand right, all else left. Null is `null`, a field that a row
/// lacks is blank. Characters that could do something to a terminal are
/// printed as their escapes.
pub struct TableSink<W> {
    scanner: Scanner,
    slots: Slots,
    tables: Vec<Table>,
    /// What the tables hold.
    rows: usize,
    bytes: usize,
    /// Asked anew for each block, since a terminal can be resized; `None` if
    /// stdout is none.
    terminal: Box<dyn Fn() -> Option<TerminalSize>>,
    redraws: bool,
    /// Lines of the batch before that are to be drawn over.
    drawn: usize,
    has_drawn: bool,
    /// Lines of the batch that is being drawn.
    batch: usize,
    out: W,
}

#[derive(Clone, Copy, Debug)]
struct Slots {
    /// The query's name, if rows have one.
    query: Option<usize>,
    window: usize,
    start: usize,
    end: usize,
}

impl<W: Write> TableSink<W> {
    /// Draws to `out`. With `named`, rows say their query; tables are then
    /// headed by it. With `redraws`, a batch on a terminal takes the place of
    /// the one before.
    pub fn new(
        named: bool,
        redraws: bool,
        terminal: Box<dyn Fn() -> Option<TerminalSize>>,
        out: W,
    ) -> Self {
        let mut projection = Projection::default();
        let slots = Slots {
            query: named.then(|| projection.add("query")),
            window: projection.add("window"),
            start: projection.add("window.start"),
            end: projection.add("window.end"),
        };
        Self {
            scanner: Scanner::new(projection).with_members(),
            slots,
            tables: Vec::new(),
            rows: 0,
            bytes: 0,
            terminal,
            redraws,
            drawn: 0,
            has_drawn: false,
            batch: 0,
            out,
        }
    }

    fn row(&mut self, line: &[u8]) -> io::Result<()> {
        self.scanner.scan(line).map_err(no_row)?;
        let query = self.slots.query.map(|slot| self.scanner.field(slot));
        let query = query.filter(|query| query.is_present());
        let query = query.map(|query| Cell::of_field(query, line).text);
        let index = self.tables.iter().position(|table| table.query == query);
        let index = index.unwrap_or_else(|| {
            self.tables.push(Table { query, ..Table::default() });
            self.tables.len() - 1
        });
        let table = &mut self.tables[index];
        let mut row = vec![Cell::default(); table.names.len()];
        for member in self.scanner.members() {
            if member.slot.is_some() && member.slot.map(usize::from) == self.slots.query {
                continue;
            }
            let column = table.column(&name(*member, line));
            row.resize(row.len().max(column + 1), Cell::default());
            row[column] = self.slots.cell(*member, line, &self.scanner);
        }
        table.rows.push(row);
        self.rows += 1;
        self.bytes += line.len();
        Ok(())
    }

    /// Draws what has come together.
    fn draw(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let size = (self.terminal)();
        let mut text = String::new();
        let over = size.filter(|size| self.redraws && (1..size.rows).contains(&self.drawn));
        if over.is_some() {
            // To the first of those lines; clear from there on.
            let _ = write!(text, "\x1b[{}F\x1b[J", self.drawn);
        } else if self.has_drawn {
            text.push('\n');
        }
        self.drawn = 0;
        for (index, table) in self.tables.iter().enumerate() {
            if index > 0 {
                text.push('\n');
                self.batch += 1;
            }
            self.batch += table.draw(size.map(|size| size.columns), &mut text);
        }
        self.tables.clear();
        (self.rows, self.bytes, self.has_drawn) = (0, 0, true);
        self.out.write_all(text.as_bytes())
    }
}

impl<W: Write> Write for TableSink<W> {
    /// Takes whole lines, all of them.
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        for line in lines(block) {
            self.row(line)?;
            if self.rows >= BLOCK_ROWS || self.bytes >= BLOCK_BYTES {
                self.draw()?;
            }
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draw()?;
        if self.batch > 0 {
            self.drawn = std::mem::take(&mut self.batch);
        }
        self.out.flush()
    }
}

impl Slots {
    fn cell(&self, member: Member, line: &[u8], scanner: &Scanner) -> Cell {
        if member.slot.map(usize::from) == Some(self.window) && member.value.kind == Kind::Object {
            let edges = [self.start, self.end].map(|slot| scanner.field(slot));
            if edges.iter().all(|edge| edge.kind == Kind::Str) {
                return Cell::of_window(edges[0].inner(line), edges[1].inner(line));
            }
        }
        Cell::of_field(member.value, line)
    }
}

/// A member's key.
fn name(member: Member, line: &[u8]) -> String {
    let start = member.key as usize + 1;
    let end = json::string_end(line, start).map_or(start, |string| string.end - 1);
    let mut name = Vec::new();
    json::unescape(&line[start..end], &mut name);
    cell::shown(&String::from_utf8_lossy(&name))
}

impl<W> std::fmt::Debug for TableSink<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableSink").field("rows", &self.rows).finish_non_exhaustive()
    }
}
